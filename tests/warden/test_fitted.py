"""The warden with the parts of a real unit: a receiver that comes, goes and lies, a lamp that is not there."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from overt.protocol.reports import Status
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Cause, Doubt, State
from overt.warden.config import SerialLine, UnitConfig
from tests.builders import FORCE, SITE, UNIT
from tests.simulators.gps import Line
from tests.warden.bench import Bench

HERE, FAR = (SITE.latitude, SITE.longitude), (52.3, -0.46)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "serial0")
    yield made
    made.unplug()


@pytest.fixture
def bench(tmp_path: Path, line: Line) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        config = UnitConfig(unit=UNIT, force=FORCE, site=SITE, gps=SerialLine(device=str(line.path), baud=9600))
        (made.state / "unit.json").write_bytes(msgspec.json.encode(config))
        made.start_fitted()
        yield made


def wait(bench: Bench, holds: Callable[[Status], bool], say: Callable[[], None] = lambda: None) -> Status:
    deadline = time.monotonic() + 20
    while not holds(status := bench.status()):
        assert time.monotonic() < deadline, status
        say()
        time.sleep(0.1)
    return status


def test_the_place_is_in_doubt_until_a_receiver_says_for_long_that_it_is_here(bench: Bench, line: Line) -> None:
    with bench.vision():
        order = bench.order()
        recipient = bench.deliver(Down.ORDER, order.data).recipient
        assert recipient is not None
        assert bench.deliver(Down.WATCHLIST, bench.sealed_watchlist(order, recipient)).accepted
        first = wait(bench, lambda status: Doubt.VISION not in status.doubts)
        assert Doubt.PLACE in first.doubts
        assert {Cause.RECEIVER_SILENT, Cause.LAMP_ABSENT} <= set(first.causes)
        there = wait(bench, lambda status: Doubt.PLACE not in status.doubts, lambda: line.say(HERE))
        assert there.state is State.ARMED
        assert Doubt.INDICATOR in there.doubts, "without a lamp nothing is recognised, wherever it is"
        assert Doubt.PLACE in wait(bench, lambda status: Doubt.PLACE in status.doubts, lambda: line.say(FAR)).doubts
        wait(bench, lambda status: Cause.RECEIVER_UNSURE in status.causes, lambda: line.say(FAR))
        wait(bench, lambda status: Cause.RECEIVER_ELSEWHERE in status.causes, lambda: line.say(FAR))
        line.unplug()
        wait(bench, lambda status: Cause.RECEIVER_SILENT in status.causes)
        line.plug()
        wait(bench, lambda status: Doubt.PLACE not in status.doubts, lambda: line.say(HERE))
    said = [json.loads(entry)["event"] for entry in bench.log.read_text().splitlines() if entry.startswith("{")]
    assert "place.known" in said
    assert "place.unknown" in said
    assert bench.end() == 0
