"""What the unit says of its parts when it tests itself: found, limit, verdict, and why. No processes."""

from datetime import timedelta
from typing import Any

import pytest

from overt.protocol.light import Exposure
from overt.protocol.sentences import SENTENCES
from overt.protocol.vocabulary import Cause, Doubt, Part
from overt.warden.aiming import Work
from overt.warden.inspection import Measured, judge
from tests.builders import SITE

WELL: dict[str, Any] = {
    "rate": 25.0,
    "age_ms": 40,
    "light": Exposure(mean=0.5, dark=0.0, bright=0.01),
    "work": Work(60.0, 44.0),
    "lamp": True,
    "place": SITE,
    "measured": False,
    "clock": True,
    "clock_error": timedelta(seconds=1),
    "sound": True,
    "free_mib": 4000,
    "shut": True,
    "links": ("eth0",),
    "behind": {},
    "besides": frozenset(),
    "celsius": 51.0,
    "cool": True,
}


def test_a_unit_that_is_well_is_well_in_every_part() -> None:
    checks = judge(Measured(**WELL))
    assert {check.part for check in checks} == set(Part)
    assert all(check.well and check.cause is None for check in checks)


@pytest.mark.parametrize(
    ("changes", "part", "cause"),
    [
        ({"rate": None, "behind": {Doubt.CAMERA: Cause.CAMERA_ABSENT}}, Part.CAMERA, Cause.CAMERA_ABSENT),
        ({"behind": {Doubt.CAMERA: Cause.CAMERA_FROZEN}}, Part.CAMERA, Cause.CAMERA_FROZEN),
        ({"rate": 2.0}, Part.CAMERA, None),
        ({"age_ms": 3000}, Part.CAMERA, None),
        ({"light": None}, Part.LIGHT, None),
        ({"light": Exposure(mean=0.1, dark=0.5, bright=0.0)}, Part.LIGHT, None),
        ({"light": Exposure(mean=0.9, dark=0.0, bright=0.0)}, Part.LIGHT, None),
        ({"light": Exposure(mean=0.5, dark=0.0, bright=0.2)}, Part.LIGHT, None),
        ({"lamp": False}, Part.INDICATOR, Cause.LAMP_DARK),
        ({"lamp": None, "behind": {Doubt.INDICATOR: Cause.LAMP_ABSENT}}, Part.INDICATOR, Cause.LAMP_ABSENT),
        ({"place": None, "behind": {Doubt.PLACE: Cause.RECEIVER_ELSEWHERE}}, Part.PLACE, Cause.RECEIVER_ELSEWHERE),
        ({"clock": False, "behind": {Doubt.CLOCK: Cause.CLOCK_UNSET}}, Part.CLOCK, Cause.CLOCK_UNSET),
        ({"clock": False}, Part.CLOCK, Cause.CLOCK_UNKNOWN),
        ({"clock_error": timedelta(seconds=11)}, Part.CLOCK, None),
        ({"sound": False, "behind": {Doubt.STORAGE: Cause.STORAGE_FULL}}, Part.STORAGE, Cause.STORAGE_FULL),
        ({"free_mib": 100}, Part.STORAGE, None),
        ({"shut": False}, Part.ENCLOSURE, Cause.ENCLOSURE_OPEN),
        ({"links": ()}, Part.NETWORK, None),
        ({"besides": frozenset({Cause.BROKER_UNREACHABLE})}, Part.BROKER, Cause.BROKER_UNREACHABLE),
        ({"cool": False}, Part.TEMPERATURE, Cause.TOO_HOT),
        ({"celsius": 72.0}, Part.TEMPERATURE, Cause.TOO_HOT),
        ({"work": None}, Part.TEMPERATURE, None),
        ({"besides": frozenset({Cause.SUPPLY_WEAK})}, Part.SUPPLY, Cause.SUPPLY_WEAK),
    ],
)
def test_a_part_that_is_not_well_is_found_and_says_why(
    changes: dict[str, Any], part: Part, cause: Cause | None
) -> None:
    wrong = [check for check in judge(Measured(**{**WELL, **changes})) if not check.well]
    assert [check.part for check in wrong] == [part]
    assert wrong[0].cause is cause
    assert cause is None or SENTENCES[cause]


def test_the_temperature_is_told_with_the_work_that_led_to_it() -> None:
    found = {check.part: check.found for check in judge(Measured(**WELL))}
    assert found[Part.TEMPERATURE] == "51 °C after 60 s at work, 44 °C before"
    at_rest = {check.part: check.found for check in judge(Measured(**{**WELL, "work": None}))}
    assert at_rest[Part.TEMPERATURE] == "51 °C at rest: not measured at work"


def test_a_place_that_is_measured_is_told_apart_from_one_that_somebody_attested() -> None:
    told = [check.found for check in judge(Measured(**{**WELL, "measured": True})) if check.part is Part.PLACE]
    assert told == [f"measured: {SITE.latitude:.5f}, {SITE.longitude:.5f}, {SITE.name}"]
