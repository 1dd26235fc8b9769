"""An enclosure opened while a deployment is in hand ends it; a knock does not; a switch that is lost is a doubt."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol.vocabulary import Cause, Doubt, Ending, State
from overt.warden.lid import GpioLid, NoLid, Watch
from tests.warden.desk_bench import DeskBench
from tests.warden.test_causes import status, told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


def test_an_enclosure_opened_during_a_deployment_ends_it_and_leaves_nothing_of_it(bench: DeskBench) -> None:
    bench.recognise()
    bench.world.set(lid=False)
    bench.unit.tick()
    assert status(bench).state is State.ERASING, "vision forgets first"
    bench.clear()
    ended = status(bench)
    assert (ended.state, ended.ending) == (State.IDLE, Ending.TAMPER)
    assert bench.left_of_deployments() == []
    assert [certificate.ending for certificate in bench.certificates] == [Ending.TAMPER]


def test_a_knock_pauses_and_ends_nothing(bench: DeskBench) -> None:
    bench.recognise()
    bench.world.set(lid=False)
    bench.unit.tick()
    assert bench.unit.state is State.PAUSED
    bench.world.set(lid=True)
    bench.clear()
    for _ in range(3):
        bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


def test_opened_while_the_power_was_off_it_is_found_out_at_the_next_start(bench: DeskBench) -> None:
    bench.arm()
    bench.world.set(lid=False)
    bench.cut_power()
    bench.unit.tick()
    bench.unit.tick()
    assert bench.unit.situation.ending is Ending.TAMPER
    assert bench.left_of_deployments() == []


def test_a_technician_who_opens_a_unit_that_is_idle_ends_nothing(bench: DeskBench) -> None:
    bench.world.set(lid=False)
    for _ in range(5):
        bench.unit.tick()
    assert (bench.unit.state, bench.unit.situation.ending) == (State.IDLE, None)


def test_a_switch_that_cannot_be_read_is_a_doubt_and_destroys_nothing(bench: DeskBench) -> None:
    bench.recognise()
    bench.world.set(lid=None)
    for _ in range(5):
        bench.unit.tick()
    assert status(bench).doubts == (Doubt.ENCLOSURE,)
    assert told(bench) == {Cause.ENCLOSURE_UNREADABLE}
    bench.world.set(lid=True)
    bench.clear()
    bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


def test_a_reading_that_is_lost_is_no_opening() -> None:
    watch = Watch()
    assert not any(watch.opened(closed) for closed in (False, None, False, True, False, None))
    assert not watch.opened(False)
    assert watch.opened(False)


def test_a_unit_without_a_switch_has_nothing_to_say_against_its_enclosure() -> None:
    assert NoLid().is_closed() is True


def test_a_switch_on_a_chip_that_is_not_there_cannot_be_read_and_ends_no_warden() -> None:
    lid = GpioLid("no-such-chip", 5)
    assert lid.is_closed() is None
    lid.close()
