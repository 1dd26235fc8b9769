"""Networks with attention: each block as exporters write it, against ONNX Runtime; centred, shortened, in integers."""

import numpy as np
import onnx
import pytest
from onnx import helper

from overt_tools.models.blocks import find_blocks
from overt_tools.models.centre import centre, last_shift
from overt_tools.models.errors import CannotConvert
from overt_tools.models.fold import fold, scale_input
from overt_tools.models.lower import lower
from overt_tools.models.onnx_graph import Graph, read
from overt_tools.models.quantise import quantise_dense
from overt_tools.models.reference import Reference
from overt_tools.models.shorten import directions, shorten
from tests.tools.test_models_convert import HEIGHT, RANDOM, WIDTH, conv, make, norm, numbers, operators, run

CHANNELS, HEADS = 8, 2
PLACES = WIDTH * HEIGHT
Nodes = list[onnx.NodeProto]
Constants = dict[str, np.ndarray]


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), output.split(), **attributes)


def start() -> tuple[Nodes, Constants]:
    """A convolution, and channels made last: "t" of (1, HEIGHT, WIDTH, CHANNELS)."""
    return [conv("x", "w", None, "c"), node("Transpose", "c", "t", perm=[0, 2, 3, 1])], {
        "w": numbers(CHANNELS, 3, 1, 1)
    }


def layer_norm(source: str, output: str) -> tuple[Nodes, Constants]:
    nodes = [
        node("ReduceMean", source, "n1", axes=[-1]),
        node("Sub", f"{source} n1", "n2"),
        node("Pow", "n2 two", "n3"),
        node("ReduceMean", "n3", "n4", axes=[-1]),
        node("Add", "n4 eps", "n5"),
        node("Sqrt", "n5", "n6"),
        node("Div", "n2 n6", "n7"),
        node("Mul", "n7 gain", "n8"),
        node("Add", "n8 shift", output),
    ]
    scalars = {"two": np.array(2, np.float32), "eps": np.array(1e-6, np.float32)}
    return nodes, {**scalars, "gain": numbers(CHANNELS), "shift": numbers(CHANNELS)}


def gelu(source: str, output: str) -> tuple[Nodes, Constants]:
    nodes = [
        node("Div", f"{source} root", "g1"),
        node("Erf", "g1", "g2"),
        node("Add", "g2 one", "g3"),
        node("Mul", f"{source} g3", "g4"),
        node("Mul", "g4 half", output),
    ]
    values = {"root": np.sqrt(2), "one": 1, "half": 0.5}
    return nodes, {name: np.array(value, np.float32) for name, value in values.items()}


def dense(source: str, output: str, outputs: int) -> tuple[Nodes, Constants]:
    """A product, a sum and a scaling, as a residual branch ends."""
    name = f"{output}_"
    nodes = [
        node("MatMul", f"{source} {name}w", f"{name}1"),
        node("Add", f"{name}b {name}1", f"{name}2"),
        node("Mul", f"{name}g {name}2", output),
    ]
    return nodes, {f"{name}w": numbers(CHANNELS, outputs), f"{name}b": numbers(outputs), f"{name}g": numbers(outputs)}


def attention(source: str, output: str) -> tuple[Nodes, Constants]:
    """Between channels; `source` is (1, places, 3 * CHANNELS)."""
    wide = CHANNELS // HEADS
    nodes = [
        node("Reshape", f"{source} five", "a1"),
        node("Transpose", "a1", "a2", perm=[2, 0, 3, 4, 1]),
        node("Split", "a2", "s0 s1 s2", axis=0, split=[1, 1, 1]),
        *(node("Squeeze", f"s{i}", f"q{i}", axes=[0]) for i in range(3)),
    ]
    for i in range(2):
        nodes += [
            node("ReduceL2", f"q{i}", f"l{i}", axes=[-1], keepdims=1),
            node("Clip", f"l{i} tiny", f"k{i}"),
            node("Expand", f"k{i} whole", f"e{i}"),
            node("Div", f"q{i} e{i}", f"u{i}"),
        ]
    nodes += [
        node("Transpose", "u1", "v1", perm=[0, 1, 3, 2]),
        node("MatMul", "u0 v1", "p1"),
        node("Mul", "p1 heat", "p2"),
        node("Softmax", "p2", "p3", axis=3),
        node("MatMul", "p3 q2", "p4"),
        node("Transpose", "p4", "p5", perm=[0, 3, 1, 2]),
        node("Reshape", "p5 three", output),
    ]
    constants: Constants = {
        "five": np.array([1, PLACES, 3, HEADS, -1]),
        "three": np.array([1, PLACES, CHANNELS]),
        "whole": np.array([1, HEADS, wide, PLACES]),
        "tiny": np.array(1e-12, np.float32),
        "heat": np.abs(numbers(HEADS, 1, 1)),
    }
    return nodes, constants


def model_of(*parts: tuple[Nodes, Constants]) -> bytes:
    nodes = [one for part in parts for one in part[0]]
    constants = {name: value for part in parts for name, value in part[1].items()}
    loaded = onnx.load_model_from_string(make(nodes, constants))
    loaded.opset_import[0].version = 11  # as the published network: axes and sizes are attributes
    return bytes(loaded.SerializeToString())


def converted(graph: Graph, shape: tuple[int, ...]) -> bytes:
    return lower(fold(graph), WIDTH, HEIGHT, {"y": ("y", shape)}, "test")


def check(model: bytes) -> bytes:
    """Convert and compare with ONNX Runtime; return the file."""
    image = RANDOM.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    expected = Reference(model, WIDTH, HEIGHT).run(image)["y"]
    loaded = read(model)
    if expected.ndim == 4:  # the reference gives maps with channels last, as if they were second in the model
        expected = expected.transpose(0, 3, 1, 2)
    content = converted(find_blocks(loaded), expected.shape)
    np.testing.assert_allclose(run(content, image)["y"], expected, rtol=1e-4, atol=1e-4)
    return content


def test_a_layer_norm_computes_the_same() -> None:
    assert operators(check(model_of(start(), layer_norm("t", "y")))).count("MEAN") == 2


def test_a_layer_norms_gain_and_shift_go_into_the_dense_layer_after_it() -> None:
    found = operators(check(model_of(start(), layer_norm("t", "n"), dense("n", "y", 5))))
    assert (found.count("MUL"), found.count("FULLY_CONNECTED")) == (1, 1)


def test_a_norm_that_somebody_else_uses_too_keeps_its_gain() -> None:
    parts = start(), layer_norm("t", "n"), dense("n", "d", CHANNELS), ([node("Add", "n d", "y")], {})
    assert operators(check(model_of(*parts))).count("MUL") == 2


def test_a_gelu_is_one_operation() -> None:
    assert "GELU" in operators(check(model_of(start(), dense("t", "d", 6), gelu("d", "y"))))


def test_a_dense_layer_takes_in_the_sum_and_the_scaling_after_it() -> None:
    assert operators(check(model_of(start(), dense("t", "y", 5)))) == ["CONV_2D", "FULLY_CONNECTED"]


def test_attention_between_channels_computes_the_same() -> None:
    flat = [node("Reshape", "c places", "f"), node("Transpose", "f", "t", perm=[0, 2, 1])]
    places = {"places": np.array([1, CHANNELS, PLACES])}
    nodes, constants = start()
    parts = (nodes[:1], constants), (flat, places), dense("t", "three_fold", 3 * CHANNELS), attention("three_fold", "y")
    found = operators(check(model_of(*parts)))
    assert (found.count("SOFTMAX"), found.count("BATCH_MATMUL")) == (1, 2)


def test_channels_are_taken_apart_and_joined() -> None:
    limits = {"from": np.array([0]), "half": np.array([3]), "to": np.array([CHANNELS]), "axis": np.array([1])}
    nodes = [
        conv("x", "w", None, "c"),
        node("Slice", "c from half axis", "one"),
        node("Slice", "c half to axis", "two"),
        node("Concat", "two one", "j", axis=1),
        node("GlobalAveragePool", "j", "p"),
        node("Flatten", "p", "t"),
    ]
    check(model_of((nodes, {**limits, "w": numbers(CHANNELS, 3, 1, 1)}), dense("t", "y", 4)))


def test_what_only_resembles_a_block_is_left_and_refused_by_name() -> None:
    nodes, constants = gelu("t", "y")
    with pytest.raises(CannotConvert, match="Mul"):
        converted(find_blocks(read(model_of(start(), (nodes, {**constants, "half": np.array(0.4, np.float32)})))), (1,))


def embedder(width: int, used: int) -> bytes:
    """Pooled channels, then two dense layers: `width` numbers in `used` directions."""
    nodes = [conv("x", "w", None, "c"), node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "t")]
    nodes += [node("MatMul", "t a", "m"), node("Gemm", "m b s", "y", transB=1)]
    constants = {"a": numbers(CHANNELS, used), "b": numbers(width, used), "s": np.zeros(width, np.float32)}
    return model_of((nodes, {"w": numbers(CHANNELS, 3, 1, 1), **constants}))


def test_templates_in_fewer_numbers_have_the_same_cosines() -> None:
    model = embedder(width=40, used=4)
    short = converted(shorten(find_blocks(read(model)), 6), (1, 6))
    images = [RANDOM.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32) for _ in range(6)]
    whole = np.concatenate([Reference(model, WIDTH, HEIGHT).run(image)["y"] for image in images])
    fewer = np.concatenate([run(short, image)["y"] for image in images])
    np.testing.assert_allclose(fewer @ fewer.T, whole @ whole.T, rtol=1e-4, atol=1e-3)


def test_templates_are_not_shortened_where_something_would_be_lost() -> None:
    with pytest.raises(CannotConvert, match="left out"):
        shorten(find_blocks(read(embedder(width=40, used=7))), 6)
    with pytest.raises(CannotConvert, match="dense layer"):
        shorten(find_blocks(read(model_of(start(), gelu("t", "y")))), 6)


def test_directions_are_orthonormal_and_filled_up_with_noughts() -> None:
    basis = directions(RANDOM.normal(size=(9, 3)) @ RANDOM.normal(size=(3, 20)), 5)
    np.testing.assert_allclose(basis[:3] @ basis[:3].T, np.eye(3), atol=1e-9)
    assert not basis[3:].any()


def test_colours_are_scaled_by_the_first_convolution_and_nothing_else() -> None:
    model = model_of(start(), dense("t", "y", 5))
    image = RANDOM.integers(0, 256, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    expected = Reference(model, WIDTH, HEIGHT).run((image - np.float32(127.5)) / np.float32(127.5))["y"]
    content = converted(scale_input(fold(find_blocks(read(model))), 127.5, 127.5), (1, HEIGHT, WIDTH, 5))
    np.testing.assert_allclose(run(content, image)["y"], expected.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-4)
    assert operators(content) == ["CONV_2D", "FULLY_CONNECTED"]


def test_scaling_does_not_go_into_a_convolution_with_padding() -> None:
    padded = make([conv("x", "w", None, "y", pads=[1, 1, 1, 1])], {"w": numbers(4, 3, 3, 3)})
    with pytest.raises(CannotConvert, match="padding"):
        scale_input(fold(read(padded)), 127.5, 127.5)


def test_dense_layers_in_integers_stay_near_floats_and_single_rows_stay_floats() -> None:
    shape = (1, HEIGHT, WIDTH, 128)
    floats = converted(find_blocks(read(model_of(start(), dense("t", "y", 128)))), shape)
    made = quantise_dense(floats)
    assert made == quantise_dense(floats), "the same bytes every time"
    assert len(made) < len(floats)
    image = RANDOM.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    right, found = run(floats, image)["y"], run(made, image)["y"]
    assert found.dtype == np.float32
    assert 0 < np.abs(found - right).max() < 0.03 * np.abs(right).max()
    single = converted(find_blocks(read(embedder(width=128, used=8))), (1, 128))
    np.testing.assert_array_equal(run(quantise_dense(single), image)["y"], run(single, image)["y"])


def ends_with_a_batch_norm() -> Graph:
    nodes = [
        conv("x", "a", None, "one"),
        helper.make_node("BatchNormalization", ["one", *(f"n_{k}" for k in ("gamma", "beta", "mean", "var"))], ["y"]),
    ]
    return read(make(nodes, {"a": numbers(4, 3, 1, 1), **norm("n", 4)}))


def test_centring_takes_so_many_shifts_from_the_output() -> None:
    graph, wanted = ends_with_a_batch_norm(), {"y": ("y", (1, HEIGHT, WIDTH, 4))}
    published, centred = (lower(fold(centre(graph, n)), WIDTH, HEIGHT, wanted, "test") for n in (0, 2))
    image = RANDOM.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    taken = run(published, image)["y"] - run(centred, image)["y"]
    np.testing.assert_allclose(taken, np.broadcast_to(2 * last_shift(graph), taken.shape), rtol=1e-3, atol=1e-4)


def test_a_network_that_ends_otherwise_cannot_be_centred() -> None:
    with pytest.raises(CannotConvert, match="batch norm"):
        centre(read(model_of(start(), dense("t", "y", 5))), 2)
