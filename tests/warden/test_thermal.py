"""Slower before hotter, off before harm: what a temperature asks for, whatever it does, and how it is read."""

import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.warden.thermal import (
    EASED_FROM_C,
    HYSTERESIS_C,
    OFF_FROM_C,
    SLOW_FROM_C,
    THROTTLED_S,
    UNKNOWN,
    UNREADABLE_S,
    Cooling,
    Heat,
    Step,
    follow,
)
from overt.warden.thermometer import SysfsThermometer

LIMITS = {Step.EASED: EASED_FROM_C, Step.SLOW: SLOW_FROM_C, Step.OFF: OFF_FROM_C}
COOL = follow(UNKNOWN, Heat(40.0), 0.0)
heats = st.builds(
    Heat,
    celsius=st.none() | st.floats(-60, 150),
    expected=st.just(True),
    throttled=st.booleans(),
    under_voltage=st.booleans(),
)
walks = st.lists(st.tuples(heats, st.floats(0.2, 20)), max_size=40)


def walked(walk: list[tuple[Heat, float]], start: Cooling = UNKNOWN) -> tuple[Cooling, float]:
    cooling, now_s = start, 0.0
    for heat, pause_s in walk:
        now_s += pause_s
        cooling = follow(cooling, heat, now_s)
    return cooling, now_s


# The policy, for every past


@given(walks, st.floats(OFF_FROM_C, 125))
def test_at_the_limit_it_is_off_whatever_was_before(walk: list[tuple[Heat, float]], celsius: float) -> None:
    before, now_s = walked(walk)
    assert follow(before, Heat(celsius), now_s + 1).step is Step.OFF


@given(walks, st.floats(-40, 125))
def test_it_is_never_faster_than_the_temperature_allows(walk: list[tuple[Heat, float]], celsius: float) -> None:
    before, now_s = walked(walk)
    step = follow(before, Heat(celsius), now_s + 1).step
    assert step >= max((step for step, limit in LIMITS.items() if celsius >= limit), default=Step.FULL)


@given(walks)
def test_it_always_recovers_by_itself_once_it_is_cool_and_calm(walk: list[tuple[Heat, float]]) -> None:
    before, now_s = walked(walk)
    after = follow(before, Heat(EASED_FROM_C - HYSTERESIS_C - 0.1), now_s + THROTTLED_S + 1)
    assert (after.step, after.readable) == (Step.FULL, True)


@given(walks, st.floats(-40, 125), st.floats(-40, 125))
def test_hotter_never_means_faster(walk: list[tuple[Heat, float]], one: float, other: float) -> None:
    before, now_s = walked(walk)
    cooler, hotter = (follow(before, Heat(celsius), now_s + 1).step for celsius in sorted((one, other)))
    assert hotter >= cooler


@given(st.sampled_from(sorted(LIMITS)), st.lists(st.floats(-2.4, 2.4), min_size=1, max_size=30))
def test_a_temperature_that_flutters_about_a_limit_changes_the_step_once_at_most(
    step: Step, flutter: list[float]
) -> None:
    cooling = follow(COOL, Heat(LIMITS[step] - 2.5), 1.0)
    steps = [cooling.step]
    for number, degrees in enumerate(flutter):
        cooling = follow(cooling, Heat(LIMITS[step] + degrees), 2.0 + number)
        steps.append(cooling.step)
    assert sum(one is not other for one, other in itertools.pairwise(steps)) <= 1


def test_a_board_that_heats_up_and_cools_down_goes_through_every_step() -> None:
    cooling, steps = COOL, []
    for number, celsius in enumerate([*range(60, 86), *range(85, 59, -1)]):
        cooling = follow(cooling, Heat(float(celsius)), float(number))
        steps.append((celsius, cooling.step))
    changes = [now for last, now in itertools.pairwise(steps) if now[1] is not last[1]]
    assert changes == [
        *((70, Step.EASED), (75, Step.SLOW), (80, Step.OFF)),
        *((74, Step.SLOW), (69, Step.EASED), (64, Step.FULL)),
    ]


# What cannot be read, and what the firmware says


def test_before_anything_was_measured_it_is_off() -> None:
    assert UNKNOWN.step is Step.OFF
    assert follow(UNKNOWN, Heat(None), 1.0).step is Step.OFF


def test_a_sensor_that_fails_for_a_moment_changes_nothing_and_for_longer_turns_it_off_until_it_reads_again() -> None:
    once = follow(COOL, Heat(None), 1.0)
    assert (once.step, once.celsius, once.readable) == (Step.FULL, 40.0, True)
    gone = follow(once, Heat(None), UNREADABLE_S)
    assert (gone.step, gone.celsius, gone.readable) == (Step.OFF, None, False)
    assert follow(gone, Heat(40.0), UNREADABLE_S + 1).step is Step.FULL


@pytest.mark.parametrize("celsius", [-273.0, -41.0, 126.0, 1000.0, float("nan"), float("inf")])
def test_a_reading_that_no_board_survives_counts_as_none(celsius: float) -> None:
    assert follow(COOL, Heat(celsius), UNREADABLE_S).step is Step.OFF


def test_hardware_without_a_sensor_is_not_in_doubt() -> None:
    assert follow(UNKNOWN, Heat(None, expected=False), 1.0) == replace(COOL, celsius=None, read_s=1.0)


@pytest.mark.parametrize("strain", [{"throttled": True}, {"under_voltage": True}], ids=["throttled", "weak supply"])
def test_a_board_that_strains_is_spared_and_full_effort_comes_back_when_it_has_not_for_long(
    strain: dict[str, bool],
) -> None:
    strained = follow(COOL, Heat(50.0, **strain), 10.0)
    assert strained.step is Step.SLOW
    assert follow(strained, Heat(50.0), 10.0 + THROTTLED_S - 1).step is Step.SLOW
    assert follow(strained, Heat(50.0), 10.0 + THROTTLED_S).step is Step.FULL


# Reading it


class Board:
    """A sysfs tree, as a Raspberry Pi 4 has it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.say("firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        self.heat(51.121)
        self.flags("0")

    def say(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def heat(self, celsius: float, zone: int = 0, kind: str = "cpu-thermal") -> None:
        self.say(f"class/thermal/thermal_zone{zone}/type", f"{kind}\n")
        self.say(f"class/thermal/thermal_zone{zone}/temp", f"{round(celsius * 1000)}\n")

    def flags(self, text: str) -> None:
        self.say("devices/platform/soc/soc:firmware/get_throttled", f"{text}\n")

    def lose(self, zone: int = 0) -> None:
        """What a driver does that answers EISDIR, EINVAL or EIO: the file is there and cannot be read."""
        path = self.root / f"class/thermal/thermal_zone{zone}/temp"
        path.unlink()
        path.mkdir()


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_a_raspberry_pis_tree_is_read(board: Board) -> None:
    assert SysfsThermometer(board.root).read() == Heat(51.121)


@pytest.mark.parametrize(
    ("flags", "throttled", "under_voltage"),
    [
        ("0", False, False),
        ("50000", False, False),
        ("50005", True, True),
        ("0x1", False, True),
        ("2", True, False),
        ("4", True, False),
        ("8", False, False),
        ("nonsense", False, False),
        ("", False, False),
    ],
)
def test_of_the_firmwares_flags_those_count_that_are_about_now(
    board: Board, flags: str, throttled: bool, under_voltage: bool
) -> None:
    board.flags(flags)
    assert SysfsThermometer(board.root).read() == Heat(51.121, throttled=throttled, under_voltage=under_voltage)


def test_a_weak_supply_is_also_told_by_the_hardware_monitor(board: Board) -> None:
    board.say("class/hwmon/hwmon0/name", "nvme\n")
    board.say("class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    thermometer = SysfsThermometer(board.root)
    assert not thermometer.read().under_voltage, "another chip's alarm"
    board.say("class/hwmon/hwmon1/name", "rpi_volt\n")
    alarm = board.say("class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert thermometer.read().under_voltage
    alarm.write_text("0\n")
    assert not thermometer.read().under_voltage


def test_of_several_zones_the_hottest_counts_and_those_that_are_not_about_the_processor_do_not(board: Board) -> None:
    board.heat(95.0, zone=1, kind="iwlwifi_1")
    board.heat(61.0, zone=2, kind="gpu-thermal")
    assert SysfsThermometer(board.root).read().celsius == 61.0


def test_a_zone_of_any_kind_is_better_than_none(board: Board) -> None:
    board.heat(48.0, kind="acpitz")
    assert SysfsThermometer(board.root).read().celsius == 48.0


def test_a_zone_that_could_be_read_and_cannot_any_more_is_missed_although_others_can(board: Board) -> None:
    board.heat(40.0, zone=1, kind="gpu-thermal")
    thermometer = SysfsThermometer(board.root)
    assert thermometer.read().celsius == 51.121
    board.lose()
    assert thermometer.read() == Heat(None)


@pytest.mark.parametrize("text", ["", "hot", "51.121", "0x33"])
def test_a_zone_that_says_no_number_cannot_be_read(board: Board, text: str) -> None:
    board.say("class/thermal/thermal_zone0/temp", text)
    heat = SysfsThermometer(board.root).read()
    assert (heat.celsius, heat.expected) == (None, True)


def test_a_board_whose_sensor_is_not_there_at_all_should_have_one(tmp_path: Path) -> None:
    (tmp_path / "firmware/devicetree/base").mkdir(parents=True)
    (tmp_path / "firmware/devicetree/base/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    assert SysfsThermometer(tmp_path).read() == Heat(None, expected=True)


@pytest.mark.parametrize("model", [None, "linux,dummy-virt\0"], ids=["a PC", "a virtual machine"])
def test_a_machine_that_is_no_board_need_not_have_one(tmp_path: Path, model: str | None) -> None:
    if model is not None:
        (tmp_path / "firmware/devicetree/base").mkdir(parents=True)
        (tmp_path / "firmware/devicetree/base/model").write_text(model)
    assert SysfsThermometer(tmp_path).read() == Heat(None, expected=False)


def test_this_machine_can_be_asked() -> None:
    heat = SysfsThermometer().read()
    assert heat.celsius is not None or not heat.expected or not Path("/sys/class/thermal/thermal_zone0").exists()


def test_a_driver_that_answers_with_an_error_is_a_sensor_that_cannot_be_read(board: Board) -> None:
    board.lose()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the test's own premise
        (board.root / "class/thermal/thermal_zone0/temp").read_bytes()
    assert caught.value.errno == errno.EISDIR, os.strerror(caught.value.errno or 0)
    assert SysfsThermometer(board.root).read().celsius is None
