"""What `unit enrol` asks, and the command that it shows afterwards: the same enrolment without a question."""

import argparse

import pytest

from overt.runtime.cli import Failure
from overt_provisioning.cli import parser
from overt_provisioning.unit import questions
from tests.provisioning.test_menu import typing

BLANK = ["unit", "enrol", "--home", "office", "--port", "/dev/ttyACM0"]
EVERYTHING = (
    *("unit 1", "unit-1", "broker", "broker.force.example:8883", "3", "Market square", "52.1356"),
    *("52.1356, -0.4669", "serial0", "", "1", "", "2", ""),
)


def asked(*lines: str, name: str | None = None) -> tuple[argparse.Namespace, str]:
    arguments = parser().parse_args(BLANK)
    person, screen = typing(*lines)
    questions.complete(arguments, person, name)
    return arguments, screen.getvalue()


def test_what_does_not_fit_is_asked_again_and_nothing_is_forgotten() -> None:
    arguments, shown = asked(*EVERYTHING)
    assert (arguments.unit, arguments.broker) == ("unit-1", "broker.force.example:8883")
    assert (arguments.site_name, arguments.latitude, arguments.longitude) == ("Market square", 52.1356, -0.4669)
    assert arguments.gps == "/dev/serial0:9600"
    assert arguments.indicator == "pinctrl-bcm2711:17:27"
    assert arguments.tamper == "pinctrl-bcm2711:22"
    assert shown.count("expected") == 4, "each answer that would not do, in its own words"


def test_the_command_that_is_shown_says_the_same_without_a_question() -> None:
    arguments, _ = asked(*EVERYTHING)
    words = questions.command(arguments)
    assert words.startswith("overt-provision unit enrol --home office --port /dev/ttyACM0 --unit unit-1 ")
    again = parser().parse_args(questions.words(arguments)[1:])
    assert {**vars(again), "handler": None} == {**vars(arguments), "handler": None}


def test_a_unit_that_has_a_name_is_not_asked_for_one() -> None:
    arguments, shown = asked("broker.force.example:8883", "2", "/dev/ttyS0:9600", "2", "1", name="unit-7")
    assert arguments.unit is None
    assert "name" not in shown
    assert (arguments.site_name, arguments.indicator, arguments.tamper) == (None, None, None)


@pytest.mark.parametrize("text", ["52.1356, -0.4669", "52.1356 -0.4669", " 52.1356;-0.4669 ", "+52.1356,-0.4669"])
def test_a_position_is_read_as_maps_give_it(text: str) -> None:
    assert questions.position(text) == (52.1356, -0.4669)


@pytest.mark.parametrize("text", ["", "52.1356", "91, 0", "0, 181", "52.1 N, 0.4 W", "nan, 0", "1,2,3", "1e1, 2"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="expected latitude and longitude in degrees"):
        questions.position(text)
