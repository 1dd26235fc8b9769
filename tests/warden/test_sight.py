"""A camera that is lost is opened again: at once, then after growing waits in which it stays in doubt."""

from dataclasses import dataclass, field

import pytest

from overt.protocol.messages import Trouble
from overt.protocol.vocabulary import Cause, Doubt
from overt.warden.sight import FIRST_WAIT_S, LONGEST_WAIT_S, STEADY_S, Sight
from tests.builders import MODEL

HUNG = Trouble(doubt=Doubt.CAMERA, cause=Cause.CAMERA_SILENT, detail="no picture for 6 s")


@dataclass
class Port:
    """Remembers what vision was asked for."""

    asked: list[str] = field(default_factory=list)

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        del order, threshold, descriptor
        self.asked.append("begin")

    def stop(self) -> None:
        self.asked.append("stop")

    def effort(self, step: int) -> None:
        self.asked.append(f"effort {step}")


class Bench:
    """A camera that hangs, and a vision that is started anew because of it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.port = Port()
        self.sight = Sight(self.port, lambda: self.now_s)
        self.sight.came(MODEL)
        self.begin()

    def begin(self) -> None:
        self.sight.begin("order", 0.5, 3)

    def hang(self) -> None:
        self.sight.doubt(HUNG)
        self.sight.gone()
        self.now_s += 1.0

    @property
    def camera(self) -> Cause | None:
        return self.sight.doubts.get(Doubt.CAMERA)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_first_time_it_is_opened_again_as_soon_as_vision_is_back(bench: Bench) -> None:
    bench.hang()
    assert bench.camera is Cause.CAMERA_SILENT, "while vision starts anew the reason is still known"
    bench.sight.came(MODEL)
    assert bench.camera is None
    bench.begin()
    assert bench.port.asked == ["begin", "begin"]


def test_when_it_hangs_again_it_is_the_doubt_camera_for_longer_each_time_up_to_a_minute(bench: Bench) -> None:
    waits = []
    for _ in range(8):
        bench.hang()
        bench.sight.came(MODEL)
        since_s = bench.now_s - 1.0
        while bench.camera is not None:
            bench.now_s += 0.5
        waits.append(bench.now_s - since_s)
        bench.begin()
    assert waits[0] == 1.0
    assert waits[1:] == [min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**n) for n in range(7)]


def test_one_that_has_worked_for_a_minute_is_opened_again_at_once(bench: Bench) -> None:
    for _ in range(5):
        bench.hang()
        bench.sight.came(MODEL)
        bench.now_s += LONGEST_WAIT_S
        bench.begin()
    bench.now_s += STEADY_S + 1
    bench.hang()
    bench.sight.came(MODEL)
    assert bench.camera is None


def test_a_view_that_is_black_is_looked_at_again_once_a_minute(bench: Bench) -> None:
    bench.sight.doubt(Trouble(doubt=Doubt.CAMERA, cause=Cause.CAMERA_BLACK, detail="a cap on the lens"))
    bench.sight.gone()
    bench.sight.came(MODEL)
    bench.now_s += LONGEST_WAIT_S - 1
    assert bench.camera is Cause.CAMERA_BLACK
    bench.now_s += 1
    assert bench.camera is None


def test_a_vision_that_ends_for_another_reason_leaves_no_doubt_about_the_camera(bench: Bench) -> None:
    bench.hang()
    bench.sight.came(MODEL)
    bench.begin()
    bench.sight.gone()
    assert bench.camera is None


def test_a_camera_that_recovers_without_being_opened_again_is_in_doubt_no_more(bench: Bench) -> None:
    bench.sight.doubt(HUNG)
    assert bench.camera is Cause.CAMERA_SILENT
    bench.sight.recovered(Doubt.CAMERA)
    assert bench.camera is None


def test_the_end_of_footage_is_no_loss(bench: Bench) -> None:
    over = Trouble(doubt=Doubt.CAMERA, cause=Cause.FOOTAGE_OVER, detail="the footage has ended")
    bench.sight.doubt(over)
    assert bench.camera is Cause.FOOTAGE_OVER
    bench.sight.gone()
    bench.sight.came(MODEL)
    assert bench.camera is None


def test_a_vision_that_comes_while_the_board_is_warm_is_told_to_spare_it(bench: Bench) -> None:
    bench.sight.slow_down(2)
    bench.sight.slow_down(2)
    bench.sight.gone()
    bench.sight.slow_down(1)
    bench.sight.came(MODEL)
    bench.sight.slow_down(0)
    bench.sight.gone()
    bench.sight.came(MODEL)
    assert bench.port.asked == ["begin", "effort 2", "effort 1", "effort 0"]
