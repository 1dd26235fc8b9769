"""What a technician reads in `overt-camera status`: one clear sentence for each thing that is wrong."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import envelope
from overt.protocol.messages import Link, Progress, Trouble
from overt.protocol.reports import Health, Status
from overt.protocol.sentences import SENTENCES
from overt.protocol.vocabulary import Cause, Doubt, Engine, State
from overt.warden.causes import Known, causes
from overt.warden.command import status_lines
from tests.builders import MODEL
from tests.warden.bench import Bench
from tests.warden.desk_bench import DeskBench
from tests.warden.test_unit import full_disk, recover


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


def status(bench: DeskBench) -> Status:
    bench.unit.tick()
    return envelope.verify(bench.unit.status(), Status, bench.identity.key)


def told(bench: DeskBench) -> set[Cause]:
    return set(status(bench).causes) - {Cause.UPLINK_ABSENT}


# The sentences


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.value)
def test_every_cause_has_one_sentence_that_says_what_was_found_and_what_to_do(cause: Cause) -> None:
    sentence = SENTENCES[cause]
    assert re.fullmatch(r"[^\n]{30,180}", sentence)
    assert ": " in sentence, "found: to do"
    assert not sentence.endswith(".")
    assert ". " not in sentence, "one sentence"


@pytest.mark.parametrize("doubt", Doubt, ids=lambda doubt: doubt.value)
def test_every_doubt_has_a_cause_also_when_nothing_more_is_known(doubt: Doubt) -> None:
    (cause,) = causes([doubt], Known({}))
    assert cause in SENTENCES


def test_what_is_known_behind_a_doubt_comes_in_place_of_the_plain_cause_and_nothing_twice() -> None:
    known = Known({Doubt.CAMERA: Cause.CAMERA_FROZEN, Doubt.CLOCK: Cause.CLOCK_UNSET}, (Cause.UPLINK_ABSENT,) * 2)
    assert causes([Doubt.PLACE, Doubt.CAMERA], known) == (
        *(Cause.PLACE_NOT_ORDERED, Cause.CAMERA_FROZEN, Cause.UPLINK_ABSENT),
    )


# What is behind them, on a unit that would recognise


LOST: dict[Cause, tuple[Doubt, dict[str, Any]]] = {
    Cause.CLOCK_UNKNOWN: (Doubt.CLOCK, {"clock": "unknown"}),
    Cause.CLOCK_BACKWARDS: (Doubt.CLOCK, {"ahead_s": -60.0}),
    Cause.CLOCK_UNSET: (Doubt.CLOCK, {"ahead_s": -50 * 365 * 86400.0}),
    Cause.RECEIVER_SILENT: (Doubt.PLACE, {"place": False}),
    Cause.PLACE_NOT_ORDERED: (Doubt.PLACE, {"place": "elsewhere"}),
    Cause.LAMP_DARK: (Doubt.INDICATOR, {"lamp": "dark"}),
    Cause.LAMP_UNREADABLE: (Doubt.INDICATOR, {"lamp": "unreadable"}),
    Cause.TOO_HOT: (Doubt.TEMPERATURE, {"celsius": 85.0}),
}


@pytest.mark.parametrize("cause", LOST, ids=lambda cause: cause.value)
def test_a_part_that_fails_pauses_and_is_named(unit: DeskBench, cause: Cause) -> None:
    unit.recognise()
    assert told(unit) == set()
    doubt, change = LOST[cause]
    unit.world.set(**change)
    unit.measure()
    now = status(unit)
    assert (now.state, now.doubts) == (State.PAUSED, (doubt,))
    assert told(unit) == {cause}
    assert f"see to      {SENTENCES[cause]}" in status_lines(now)


def test_a_temperature_that_cannot_be_read_is_another_thing_than_one_that_is_too_high(unit: DeskBench) -> None:
    unit.world.set(celsius=None)
    unit.cut_power()
    unit.recognise_when_told()
    now = status(unit)
    assert now.doubts == (Doubt.TEMPERATURE,)
    assert told(unit) == {Cause.TEMPERATURE_UNKNOWN}
    assert now.temperature_c is None


def test_a_full_disk_is_named(unit: DeskBench) -> None:
    unit.recognise()
    with full_disk():
        unit.unit.probe_storage()
        assert told(unit) == {Cause.STORAGE_FULL}
    recover(unit)
    assert told(unit) == set()


def test_a_disk_that_has_become_read_only_is_named(unit: DeskBench) -> None:
    unit.recognise()
    unit.store._db.execute("PRAGMA query_only=ON")
    unit.unit.probe_storage()
    assert told(unit) == {Cause.STORAGE_READ_ONLY}


@pytest.mark.parametrize(
    "cause",
    [Cause.CAMERA_ABSENT, Cause.CAMERA_SILENT, Cause.CAMERA_FROZEN, Cause.CAMERA_BLACK, Cause.CAMERA_UNFIT],
    ids=lambda cause: cause.value,
)
def test_what_vision_says_of_its_camera_is_passed_on(unit: DeskBench, cause: Cause) -> None:
    unit.recognise()
    unit.unit.troubled(Trouble(doubt=Doubt.CAMERA, cause=cause, detail="words that stay on the unit"))
    assert told(unit) == {cause}
    assert b"words that stay" not in unit.unit.status()


def test_a_vision_with_another_model_and_one_that_is_not_there_are_told_apart(unit: DeskBench) -> None:
    unit.recognise()
    unit.unit.vision_gone()
    assert told(unit) == {Cause.VISION_ABSENT}
    unit.unit.vision_came("f" * 64)
    assert told(unit) == {Cause.MODEL_OTHER}
    unit.unit.vision_came(MODEL)
    assert told(unit) == set()


def test_a_weak_supply_and_a_lost_accelerator_are_told_although_they_stop_nothing(unit: DeskBench) -> None:
    unit.recognise()
    unit.world.set(under_voltage=True)
    unit.measure()
    counters = dict.fromkeys(("frames", "frames_dropped", "frame_age_ms", "faces_seen"), 1)
    unit.unit.progressed(
        Progress(**counters, frames_per_second=1.0, templates_made=0, templates_wiped=0, engine=Engine.FALLBACK)
    )
    assert status(unit).state is State.RECOGNISING
    assert told(unit) == {Cause.SUPPLY_WEAK, Cause.ACCELERATOR_LOST}


# The network, through the real warden


def test_a_network_that_reaches_no_broker_is_told_and_so_is_one_that_refuses_and_an_uplink_that_is_gone(
    tmp_path: Path,
) -> None:
    with Bench(tmp_path) as bench:
        bench.start()
        assert bench.status().causes == (Cause.VISION_ABSENT, Cause.UPLINK_ABSENT)
        with bench.vision(), bench.uplink() as uplink:
            bench.wait_until(lambda now: now.causes == ())
            uplink.channel.send(Link(up=False, detail="no broker answers at broker:8883 (timed out)"))
            bench.wait_until(lambda now: now.causes == (Cause.BROKER_UNREACHABLE,))
            uplink.channel.send(Link(up=False, detail="not authorised", refused=True))
            bench.wait_until(lambda now: now.causes == (Cause.BROKER_REFUSES,))
            uplink.channel.send(Link(up=True, detail="back"))
            bench.wait_until(lambda now: now.causes == ())
        bench.wait_until(lambda now: now.causes == (Cause.VISION_ABSENT, Cause.UPLINK_ABSENT))
        idle = bench.status()
        assert (idle.state, idle.doubts) == (State.IDLE, ()), "a unit needs no network to recognise"


# Before any order, so that a technician sees it


def test_what_would_keep_any_order_from_being_worked_under_is_told_while_there_is_none(unit: DeskBench) -> None:
    unit.unit.vision_came(MODEL)
    assert told(unit) == set()
    unit.world.set(place=False, lamp="unreadable", clock="unknown")
    assert told(unit) == {Cause.RECEIVER_SILENT, Cause.LAMP_UNREADABLE, Cause.CLOCK_UNKNOWN}
    assert status(unit).doubts == ()


# The command, as a technician types it


def test_the_status_command_says_each_thing_in_a_line_of_its_own(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.start()
        bench.world.set(clock="unknown", celsius=88.0)
        with bench.vision() as vision:
            vision.trouble(Doubt.CAMERA, Cause.CAMERA_ABSENT)
            wanted = {Cause.CLOCK_UNKNOWN, Cause.TOO_HOT, Cause.CAMERA_ABSENT, Cause.UPLINK_ABSENT}
            bench.wait_until(lambda now: set(now.causes) == wanted)
            command = [Path(sys.executable).with_name("overt-camera"), "status", "--run", str(bench.run)]
            shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    lines = shown.splitlines()
    said = [line[12:] for line in lines if line.startswith(("see to ", " " * 12))]
    assert len(said) == len(wanted)
    assert set(said) == {SENTENCES[cause] for cause in wanted}
    assert "temperature 88 °C, too hot to recognise" in lines


# Temperature, through the real warden


def test_p10_a_unit_that_heats_up_slows_down_stops_before_harm_and_goes_on_by_itself(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.start()
        with bench.vision() as vision, bench.uplink() as uplink:
            bench.arm()
            vision.wait_for_begin()
            bench.world.set(celsius=71.0)
            assert vision.wait_for_effort() == 1
            vision.progress()
            uplink.until(lambda: bool(uplink.on("health")))
            health = envelope.verify(uplink.on("health")[-1].payload, Health, bench.identity.key)
            assert (health.temperature_c, health.cooling_step, health.engine) == (71.0, 1, Engine.CPU)
            bench.world.set(celsius=84.0)
            vision.wait_for_stop()
            hot = bench.wait_for(State.PAUSED)
            assert (hot.doubts, hot.temperature_c, hot.cooling_step) == ((Doubt.TEMPERATURE,), 84.0, 3)
            assert not bench.world.lit
            bench.world.set(celsius=40.0)
            vision.wait_for_begin()
            assert bench.wait_for(State.RECOGNISING).cooling_step == 0
            assert vision.efforts[0] == 1
            assert set(vision.efforts) <= {0, 1, 2}


def test_p10_a_camera_that_hangs_is_opened_again_and_when_it_hangs_again_it_is_the_doubt_camera(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.start()
        with bench.vision() as vision:
            bench.arm()
            vision.wait_for_begin()
            vision.trouble(Doubt.CAMERA, Cause.CAMERA_SILENT)
        gone = bench.wait_until(lambda now: Doubt.VISION in now.doubts)
        assert set(gone.doubts) == {Doubt.VISION, Doubt.CAMERA}, "why vision starts anew is not forgotten"
        with bench.vision() as vision:
            vision.wait_for_begin()
            assert bench.wait_for(State.RECOGNISING).doubts == ()
            vision.trouble(Doubt.CAMERA, Cause.CAMERA_SILENT)
        with bench.vision() as vision:
            assert vision.hears_nothing(0.5), "not at once this time"
            waiting = bench.status()
            assert (waiting.state, waiting.doubts) == (State.PAUSED, (Doubt.CAMERA,))
            assert Cause.CAMERA_SILENT in waiting.causes
