"""The bench's arithmetic: samples, multiply-adds, faces found, passages."""

import itertools

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from overt_tools.bench import environment
from overt_tools.bench.errors import BenchError
from overt_tools.bench.finding import FoundBySize, Recognition, Tally, add_sizes, add_up
from overt_tools.bench.graph import cost_of
from overt_tools.bench.statistics import spread
from overt_tools.bench.timing import measure, measure_in_turns
from overt_tools.bench.truth import Footage, Shown, assign, width_class
from overt_tools.models.litert_file import Operation, Tensor, pack


def test_a_spread_is_made_of_values_that_were_measured() -> None:
    found = spread([5.0, 1.0, 2.0, 3.0, 100.0])
    assert (found.count, found.least, found.median, found.most) == (5, 1.0, 3.0, 100.0)
    assert found.p95 == found.p99 == 100.0
    assert found.deviation == 2.0
    assert found.mean == pytest.approx(22.2)


def test_percentiles_are_by_nearest_rank() -> None:
    found = spread([float(n) for n in range(1, 101)])
    assert (found.p95, found.p99) == (95.0, 99.0)


def test_no_samples_are_no_spread() -> None:
    with pytest.raises(ValueError, match="expected at least one sample"):
        spread([])


def test_a_measurement_warms_up_and_takes_samples_until_its_time_is_over() -> None:
    ticks = iter(range(10_000))
    calls = []
    found = measure(lambda: calls.append(1), seconds=20, least=5, warm_up=3, clock=lambda: float(next(ticks)))
    assert found.count == len(calls) - 3
    assert found.median == 1000.0  # one tick of a clock of seconds, in milliseconds
    assert found.deviation == 0


def test_what_is_compared_takes_turns() -> None:
    ticks, calls = itertools.count(), list[str]()
    works = [lambda: calls.append("a"), lambda: calls.append("b")]
    found = measure_in_turns(works, seconds=8, turns=2, clock=lambda: float(next(ticks)))
    assert "".join(name for name, _ in itertools.groupby(calls)) == "abab"
    assert [one.count for one in found] == [4, 4]


def test_a_measurement_takes_the_least_number_of_samples_however_long_they_take() -> None:
    ticks = iter(range(0, 1_000_000, 100))
    assert measure(lambda: None, seconds=1, least=7, clock=lambda: float(next(ticks))).count == 7


def test_the_environment_names_the_machine_and_says_when_it_is_busy() -> None:
    found = environment.record(0, {"a": "0" * 64})
    assert found.cpu
    assert found.cores >= 1
    assert found.memory_mb > 0
    assert found.kernel
    assert found.packages["numpy"] == np.__version__
    assert found.models == {"a": "0" * 64}
    assert found.busy == (found.load >= environment.BUSY)
    assert (environment.warning(found) is not None) == found.busy


def tiny() -> bytes:
    """One picture 4 x 4 x 3 -> convolution 3 x 3 to 8 -> depthwise 3 x 3 -> product to 10."""
    rng = np.random.default_rng(1)

    def constant(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, rng.random(shape, np.float32))

    tensors = [
        Tensor("in", (1, 4, 4, 3)),
        constant("conv", 8, 3, 3, 3),
        constant("conv bias", 8),
        Tensor("a", (1, 4, 4, 8)),
        constant("deep", 1, 3, 3, 8),
        constant("deep bias", 8),
        Tensor("b", (1, 4, 4, 8)),
        constant("dense", 10, 128),
        Tensor("out", (1, 10)),
    ]
    kind = schema.BuiltinOperator
    conv = schema.Conv2DOptionsT(strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    deep = schema.DepthwiseConv2DOptionsT(strideW=1, strideH=1, depthMultiplier=1, dilationWFactor=1, dilationHFactor=1)
    operations = [
        Operation(kind.CONV_2D, (0, 1, 2), 3, conv),
        Operation(kind.DEPTHWISE_CONV_2D, (3, 4, 5), 6, deep),
        Operation(kind.FULLY_CONNECTED, (6, 7), 8, schema.FullyConnectedOptionsT()),
    ]
    return pack(tensors, operations, [0], [8], "tiny")


def test_multiply_adds_and_bytes_are_those_counted_by_hand() -> None:
    cost = cost_of(tiny())
    assert cost.multiply_adds == 4 * 4 * 8 * (3 * 3 * 3) + 4 * 4 * 8 * (3 * 3) + 10 * 128
    assert cost.weight_bytes == 4 * (8 * 27 + 8 + 72 + 8 + 1280)
    assert cost.activation_bytes == 4 * ((48 + 128) + (128 + 128) + (128 + 10))
    assert cost.kind == "float32"
    assert cost.operations == {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1}


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(BenchError, match="expected a LiteRT file"):
        cost_of(b"nothing of the kind")


def face(left: float, width: float = 40.0, visible: float = 1.0, passage: str = "", *, listed: bool = False) -> Shown:
    return Shown((left, 100.0, width, width * 1.2), width / 2, visible, passage, listed)


def footage(shown: dict[int, list[Shown]], listed: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> Footage:
    from pathlib import Path

    return Footage(Path("none"), "none", "", 25, len(shown), shown, listed, others)


def test_a_box_drawn_by_another_custom_is_the_same_face() -> None:
    assert assign([(90.0, 80.0, 60.0, 70.0)], [face(100)]) == [0]
    assert assign([(40.0, 40.0, 160.0, 170.0)], [face(100)]) == [None]  # four times as wide


def test_of_two_boxes_on_a_face_the_nearer_one_is_the_face() -> None:
    near, off = (101.0, 101.0, 40.0, 48.0), (112.0, 108.0, 40.0, 48.0)
    assert assign([off, near], [face(100)]) == [None, 0]


def test_neighbours_are_not_mixed_up() -> None:
    shown = [face(100), face(150)]
    assert assign([shown[1].box, shown[0].box], shown) == [1, 0]


def test_a_face_belongs_to_the_nearest_width_by_ratio() -> None:
    assert [width_class(w) for w in (19, 22, 34, 46, 50, 100, 130)] == [20, 20, 30, 40, 60, 120, 120]
    assert width_class(8) is None
    assert width_class(300) is None


def test_faces_are_counted_by_width_and_boxes_on_nothing_are_false() -> None:
    tally = Tally(footage({0: [face(100), face(300, 80)]}))
    tally.picture(0, [face(100).box, (900.0, 900.0, 40.0, 48.0)])
    assert tally.by_size() == [FoundBySize(40, 1, 1), FoundBySize(80, 1, 0)]
    assert tally.false_detections == 1


def test_a_half_hidden_face_is_neither_missed_nor_falsely_found() -> None:
    tally = Tally(footage({0: [face(100, visible=0.4)]}))
    tally.picture(0, [])
    tally.picture(0, [face(100).box])
    assert tally.by_size() == []
    assert tally.false_detections == 0


def test_a_second_box_on_a_face_is_false_and_yet_that_persons() -> None:
    shown = face(100)
    tally = Tally(footage({0: [shown]}))
    given = tally.picture(0, [shown.box, (105.0, 104.0, 40.0, 48.0), (900.0, 900.0, 40.0, 48.0)])
    assert given == [shown, shown, None]
    assert tally.false_detections == 2


def test_a_passage_is_recognised_once_and_anybody_elses_alert_is_false() -> None:
    shown = [face(100, passage="v", listed=True), face(300, passage="p")]
    tally = Tally(footage({0: shown}, listed=("v", "w"), others=("p", "q")))
    for seen in (shown[0], shown[0], shown[1], shown[1], None):
        tally.alert(seen)
    assert tally.recognition() == Recognition(passages=2, recognised=1, others=2, false_alerts=2)


def test_counts_of_several_footages_add_up() -> None:
    assert add_up([Recognition(2, 1, 3, 0), Recognition(1, 1, 1, 2)]) == Recognition(3, 2, 4, 2)
    parts = [[FoundBySize(40, 2, 1)], [FoundBySize(20, 1, 0), FoundBySize(40, 3, 3)]]
    assert add_sizes(parts) == [FoundBySize(20, 1, 0), FoundBySize(40, 5, 4)]
