"""Every operation that the converter knows, as a small model of its own, against ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

from overt_tools.models.errors import CannotConvert
from overt_tools.models.fold import fold
from overt_tools.models.heads import join_heads
from overt_tools.models.lower import lower
from overt_tools.models.onnx_graph import read
from overt_tools.models.reference import Reference
from overt_tools.models.rules import same_padding

WIDTH, HEIGHT = 12, 8
RANDOM = np.random.default_rng(7)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def make(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray],
    outputs: Sequence[str] = ("y",),
    channels: int = 3,
    more_inputs: Sequence[str] = (),
) -> bytes:
    """A model with input "x" of WIDTH x HEIGHT."""
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, HEIGHT, WIDTH])
    stale = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in more_inputs]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [picture, *stale],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def convert(model: bytes, shapes: Mapping[str, tuple[int, ...]], width: int = WIDTH, height: int = HEIGHT) -> bytes:
    graph = join_heads(fold(read(model)))
    return lower(graph, width, height, {name: (name, shape) for name, shape in shapes.items()}, "test")


def run(content: bytes, picture: np.ndarray) -> dict[str, np.ndarray]:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    return {o["name"]: interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()}


def operators(content: bytes) -> list[str]:
    model = schema.ModelT.InitFromPackedBuf(content)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def check(model: bytes, channels: int = 3, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Convert a model and compare all its outputs with ONNX Runtime's; return the converted file."""
    picture = RANDOM.uniform(-2, 2, (1, height, width, channels)).astype(np.float32)
    expected = Reference(model, width, height).run(picture)
    content = convert(model, {name: value.shape for name, value in expected.items()}, width, height)
    found = run(content, picture)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)
    return content


def conv(source: str, weights: str, bias: str | None, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node("Conv", [name for name in (source, weights, bias) if name], [output], **attributes)


def norm(name: str, channels: int) -> dict[str, np.ndarray]:
    return {
        f"{name}_gamma": numbers(channels),
        f"{name}_beta": numbers(channels),
        f"{name}_mean": numbers(channels),
        f"{name}_var": np.abs(numbers(channels)) + np.float32(0.1),
    }


def batch_norm(source: str, name: str, output: str) -> onnx.NodeProto:
    parts = [f"{name}_{part}" for part in ("gamma", "beta", "mean", "var")]
    return helper.make_node("BatchNormalization", [source, *parts], [output], epsilon=1e-3)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1), (2, 0, 1, 1)])
@pytest.mark.parametrize("size", [(12, 8), (11, 7)])
@pytest.mark.parametrize("group", [1, 3])
def test_convolutions_of_every_stride_padding_and_parity(
    stride: int, pads: tuple[int, ...], size: tuple[int, int], group: int
) -> None:
    weights = numbers(3 if group == 3 else 5, 3 // group, 3, 3)
    node = conv("x", "w", "b", "y", kernel_shape=[3, 3], pads=pads, strides=[stride, stride], group=group)
    check(make([node], {"w": weights, "b": numbers(weights.shape[0])}), width=size[0], height=size[1])


def test_padding_of_a_strided_convolution_is_said_explicitly_because_same_pads_one_side_only() -> None:
    assert same_padding(12, 3, 2) == (0, 1)
    node = conv("x", "w", None, "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    assert operators(check(make([node], {"w": numbers(4, 3, 3, 3)}))) == ["PAD", "CONV_2D"]
    node = conv("x", "w", None, "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    assert operators(check(make([node], {"w": numbers(4, 3, 3, 3)}))) == ["CONV_2D"]


def test_batch_norm_and_relu_become_part_of_the_convolution_before_them() -> None:
    nodes = [
        conv("x", "w", None, "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=3),
        batch_norm("a", "n", "b"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    assert operators(check(make(nodes, {"w": numbers(3, 1, 3, 3), **norm("n", 3)}))) == ["DEPTHWISE_CONV_2D"]


def test_a_value_that_somebody_else_uses_too_is_not_folded_away() -> None:
    nodes = [conv("x", "w", None, "a", kernel_shape=[1, 1]), helper.make_node("Relu", ["a"], ["y"])]
    assert operators(check(make(nodes, {"w": numbers(4, 3, 1, 1)}, outputs=("a", "y")))) == ["CONV_2D", "RELU"]


def test_scaling_before_a_convolution_is_folded_and_a_shift_is_not() -> None:
    nodes = [
        helper.make_node("Sub", ["x", "shift"], ["a"]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        conv("b", "w", None, "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    ]
    constants = {"shift": np.array([127.5], np.float32), "scale": np.array([1 / 128], np.float32)}
    content = check(make(nodes, {**constants, "w": numbers(4, 3, 3, 3)}))
    assert operators(content) == ["SUB", "CONV_2D"]


def test_a_batch_norm_with_nothing_to_fold_into_is_refused() -> None:
    nodes = [batch_norm("x", "n", "a"), conv("a", "w", None, "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1])]
    with pytest.raises(CannotConvert, match="left over"):
        convert(make(nodes, {**norm("n", 3), "w": numbers(4, 3, 3, 3)}), {"y": (1, HEIGHT, WIDTH, 4)})


def test_slopes_of_a_prelu_go_to_their_channels() -> None:
    nodes = [conv("x", "w", None, "a", kernel_shape=[1, 1]), helper.make_node("PRelu", ["a", "slope"], ["y"])]
    check(make(nodes, {"w": numbers(6, 3, 1, 1), "slope": numbers(6, 1, 1)}))


def test_a_dense_layer_with_norms_around_it_takes_its_columns_in_the_new_order() -> None:
    nodes = [
        helper.make_node("PRelu", ["x", "slope"], ["a"]),
        batch_norm("a", "before", "b"),
        helper.make_node("Constant", [], ["ratio"], value=numpy_helper.from_array(np.array([0.4], np.float32))),
        helper.make_node("Dropout", ["b", "ratio"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "w", "bias"], ["e"], transB=1),
        batch_norm("e", "after", "y"),
    ]
    constants = {"slope": numbers(3, 1, 1), "w": numbers(5, 3 * WIDTH * HEIGHT) / 10, "bias": numbers(5)}
    content = check(make(nodes, {**constants, **norm("before", 3), **norm("after", 5)}))
    assert operators(content) == ["PRELU", "RESHAPE", "FULLY_CONNECTED"]


def test_pooling_doubling_and_adding() -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node(
            "Resize",
            ["a", "roi", "scales"],
            ["b"],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        helper.make_node("Add", ["x", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    constants = {"roi": np.empty(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    assert operators(check(make(nodes, constants)))[-1] == "ADD"


def head(kind: str, channels: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    nodes = [
        conv("x", f"{kind}_w", f"{kind}_b", f"{kind}_a", kernel_shape=[1, 1]),
        conv(f"{kind}_a", f"{kind}_v", None, f"{kind}_c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=channels),
        helper.make_node("Transpose", [f"{kind}_c"], [f"{kind}_t"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [f"{kind}_t", f"{kind}_s"], [f"{kind}_r"]),
        helper.make_node("Sigmoid", [f"{kind}_r"], [kind]),
    ]
    constants = {
        f"{kind}_w": numbers(channels, 8, 1, 1),
        f"{kind}_b": numbers(channels),
        f"{kind}_v": numbers(channels, 1, 3, 3),
        f"{kind}_s": np.array([1, -1, channels]),
    }
    return nodes, constants


def test_heads_on_one_map_are_computed_together_and_keep_their_outputs() -> None:
    (one, first), (four, second), (ten, third) = head("cls", 1), head("bbox", 4), head("kps", 10)
    model = make([*one, *four, *ten], {**first, **second, **third}, outputs=("cls", "bbox", "kps"), channels=8)
    found = operators(check(model, channels=8))
    assert (found.count("CONV_2D"), found.count("DEPTHWISE_CONV_2D"), found.count("SLICE")) == (1, 1, 3)


@pytest.mark.parametrize(("block", "axis"), [(2, 1), (3, 1), (4, 1), (2, 0)])
def test_block_quantised_weights_are_made_float_as_onnx_defines(block: int, axis: int) -> None:
    whole = (4, 12)
    blocks = tuple(-(-n // block) if i == axis else n for i, n in enumerate(whole))
    constants = {
        "q": RANDOM.integers(-128, 128, whole).astype(np.int8),
        "scale": np.abs(numbers(*blocks)),
        "zero": RANDOM.integers(-8, 8, blocks).astype(np.int8),
        "shape": np.array([4, 3, 2, 2]),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["f"], block_size=block, axis=axis),
        helper.make_node("Reshape", ["f", "shape"], ["w"]),
        conv("x", "w", None, "y", kernel_shape=[2, 2]),
    ]
    model = make(nodes, constants)
    picture = RANDOM.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    expected = Reference(model, WIDTH, HEIGHT).run(picture)["y"]
    found = run(convert(model, {"y": expected.shape}), picture)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_inputs_that_nothing_uses_are_dropped() -> None:
    check(make([conv("x", "w", None, "y", kernel_shape=[1, 1])], {"w": numbers(4, 3, 1, 1)}, more_inputs=("old", "w2")))


def test_the_same_model_gives_the_same_bytes_with_buffers_aligned() -> None:
    model = make([conv("x", "w", None, "y", kernel_shape=[3, 3])], {"w": numbers(5, 3, 3, 3)})
    shapes = {"y": (1, HEIGHT - 2, WIDTH - 2, 5)}
    content = convert(model, shapes)
    assert content == convert(model, shapes)
    assert schema.Model.ModelBufferHasIdentifier(content, 0)
    packed = schema.Model.GetRootAs(content)
    for number in range(1, packed.BuffersLength()):
        data = packed.Buffers(number).DataAsNumpy()
        assert (data.ctypes.data - np.frombuffer(content, np.uint8).ctypes.data) % 16 == 0


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (helper.make_node("Tanh", ["x"], ["y"]), {}),
        (conv("x", "w", None, "y", kernel_shape=[3, 3], dilations=[2, 2]), {"w": numbers(4, 3, 3, 3)}),
        (conv("x", "w", None, "y", kernel_shape=[9, 9]), {"w": numbers(4, 3, 9, 9)}),
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], ceil_mode=1), {}),
        (helper.make_node("Sub", ["x", "many"], ["y"]), {"many": numbers(3, 1, 1)}),
        (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 1, 3, 2]), {}),
        (helper.make_node("Flatten", ["x"], ["y"]), {}),
        (helper.make_node("Mul", ["x", "many"], ["y"]), {"many": numbers(3, 1, 1)}),
    ],
    ids=["unknown", "dilation", "window", "ceiling", "subtract", "transpose", "flatten", "multiply"],
)
def test_what_the_converter_does_not_know_is_refused_by_name(
    node: onnx.NodeProto, constants: dict[str, np.ndarray]
) -> None:
    with pytest.raises(CannotConvert, match=node.op_type):
        convert(make([node], constants), {"y": (1, 1)})


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256))])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(CannotConvert):
        read(content)


def test_an_output_of_another_shape_than_promised_is_refused() -> None:
    model = make([conv("x", "w", None, "y", kernel_shape=[1, 1])], {"w": numbers(4, 3, 1, 1)})
    with pytest.raises(CannotConvert, match=r"expected shape \(1, 2\) of output y"):
        convert(model, {"y": (1, 2)})
