"""Centring, PReLU spelt for integers, and the integers themselves, against the same model in floats."""

import numpy as np
import pytest
from onnx import helper

from overt_tools.models.centre import centre, last_shift
from overt_tools.models.errors import CannotConvert, ModelsError
from overt_tools.models.fold import fold
from overt_tools.models.lower import lower
from overt_tools.models.onnx_graph import Graph, read
from overt_tools.models.quantise import calibrate, quantise, read_ranges, write_ranges
from overt_tools.models.spell import spell_prelu
from tests.tools.test_models_convert import HEIGHT, WIDTH, conv, make, norm, numbers, operators, run

SLOPES = np.array([0.3, 1.4, -0.5, 1.0], np.float32)  # one above 1, which is turned round
SHAPE = (1, HEIGHT, WIDTH, 5)


def two_convolutions(group: int = 1) -> bytes:
    second = numbers(4, 1, 3, 3) if group > 1 else numbers(5, 4, 1, 1)
    return make(
        [
            conv("x", "a", "ab", "one", pads=[1, 1, 1, 1]),
            helper.make_node("PRelu", ["one", "s"], ["two"]),
            conv("two", "b", None, "y", group=group, pads=[1, 1, 1, 1] if group > 1 else [0, 0, 0, 0]),
        ],
        {"a": numbers(4, 3, 3, 3), "ab": numbers(4), "s": SLOPES.reshape(4, 1, 1), "b": second},
    )


def files(model: bytes, channels: int = 5) -> tuple[bytes, bytes]:
    """The same model with PReLU as published, and spelt."""
    graph = fold(read(model))
    wanted = {"y": ("y", (1, HEIGHT, WIDTH, channels))}
    return tuple(lower(g, WIDTH, HEIGHT, wanted, "test") for g in (graph, spell_prelu(graph)))  # type: ignore[return-value] # two


def pictures(count: int) -> list[np.ndarray]:
    chance = np.random.default_rng(3)
    return [chance.uniform(-2, 2, (1, HEIGHT, WIDTH, 3)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize(("group", "channels"), [(1, 5), (4, 4)], ids=["before all channels", "before each channel"])
def test_a_spelt_prelu_computes_the_same_whatever_the_slope(group: int, channels: int) -> None:
    published, spelt = files(two_convolutions(group), channels)
    assert "PRELU" in operators(published)
    assert "PRELU" not in operators(spelt)
    for picture in pictures(3):
        np.testing.assert_allclose(run(spelt, picture)["y"], run(published, picture)["y"], rtol=1e-4, atol=1e-4)


def test_a_steep_slope_that_no_convolution_follows_is_refused() -> None:
    nodes = [conv("x", "a", None, "one"), helper.make_node("PRelu", ["one", "s"], ["y"])]
    model = make(nodes, {"a": numbers(4, 3, 1, 1), "s": SLOPES.reshape(4, 1, 1)})
    with pytest.raises(CannotConvert, match="between convolutions"):
        spell_prelu(fold(read(model)))


def test_integers_keep_names_and_shapes_take_floats_and_stay_near_them() -> None:
    _, spelt = files(two_convolutions())
    ranges = calibrate(spelt, pictures(20), 1.0)
    made = quantise(spelt, ranges)
    assert {"QUANTIZE", "DEQUANTIZE"} <= set(operators(made))
    assert quantise(spelt, read_ranges(write_ranges(ranges))) == made, "the same bytes for the same ranges"
    for picture in pictures(3):
        exact, found = run(spelt, picture)["y"], run(made, picture)["y"]
        assert found.shape == SHAPE
        assert found.dtype == np.float32
        assert np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_a_range_holds_nought_and_leaves_out_the_odd_picture() -> None:
    _, spelt = files(two_convolutions())
    usual = pictures(20)
    wide = calibrate(spelt, [*usual, usual[0] * 100], 1.0)
    narrow = calibrate(spelt, [*usual, usual[0] * 100], 0.9)
    assert all(low <= 0 <= high for low, high in narrow.values())
    assert wide["image"][1] > 10 * narrow["image"][1]


def test_a_missing_range_and_a_spoilt_file_of_ranges_are_one_clear_error_each() -> None:
    _, spelt = files(two_convolutions())
    ranges = calibrate(spelt, pictures(2), 1.0)
    del ranges["y"]
    with pytest.raises(CannotConvert, match="cannot make integers"):
        quantise(spelt, ranges)
    with pytest.raises(ModelsError, match="expected ranges as JSON"):
        read_ranges(b'{"y": [1]}')
    with pytest.raises(ModelsError, match="expected pictures"):
        calibrate(spelt, [], 1.0)


def embedder() -> Graph:
    nodes = [
        conv("x", "a", None, "one"),
        helper.make_node("BatchNormalization", ["one", *(f"n_{k}" for k in ("gamma", "beta", "mean", "var"))], ["y"]),
    ]
    return read(make(nodes, {"a": numbers(4, 3, 1, 1), **norm("n", 4)}))


def test_centring_takes_so_many_shifts_from_the_output() -> None:
    graph, wanted = embedder(), {"y": ("y", (1, HEIGHT, WIDTH, 4))}
    published, centred = (lower(fold(centre(graph, n)), WIDTH, HEIGHT, wanted, "test") for n in (0, 2))
    picture = pictures(1)[0]
    taken = run(published, picture)["y"] - run(centred, picture)["y"]
    np.testing.assert_allclose(taken, np.broadcast_to(2 * last_shift(graph), taken.shape), rtol=1e-3, atol=1e-4)


def test_a_network_that_ends_otherwise_cannot_be_centred() -> None:
    with pytest.raises(CannotConvert, match="batch norm"):
        centre(read(two_convolutions()), 2)
