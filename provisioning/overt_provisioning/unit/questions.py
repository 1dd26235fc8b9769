"""What `unit enrol` asks for at a terminal, and the command that needs no questions afterwards."""

import argparse
import re
import shlex
from collections.abc import Callable
from typing import Final

import msgspec

from overt.protocol.cable import requests
from overt.runtime.cli import Failure
from overt_provisioning.unit.asking import Person

_LAMP: Final = "pinctrl-bcm2711:17:27"
_SWITCH: Final = "pinctrl-bcm2711:22"
_RECEIVER: Final = "/dev/serial0:9600"
_GIVEN: Final = ("home", "port", "unit", "broker", "site_name", "latitude", "longitude", "gps", "indicator", "tamper")


def complete(arguments: argparse.Namespace, person: Person, name: str | None) -> None:
    """Ask for what was not given, and put it where the command line would have.

    Args:
        arguments: The command's.
        person: Whoever is there.
        name: The unit's, once it has one.

    Raises:
        Failure: Nobody answers.
    """
    if name is None and arguments.unit is None:
        arguments.unit = person.ask("The unit's name (a-z, 0-9 and hyphens), such as unit-1", fits=named)
    arguments.broker = arguments.broker or person.ask(
        "The broker, as HOST:PORT", fits=_like(r"\S+:\d{1,5}", "HOST:PORT, such as broker.force.example:8883")
    )
    if not (arguments.site_name or arguments.gps):
        _ask_place(arguments, person)
    if arguments.indicator is None and person.choose("Has the unit a lamp?", ["Yes", "No: it will not recognise"]) == 0:
        fits = _like(r"\S+:\d+:\d+", f"CHIP:LAMP:READBACK, such as {_LAMP}")
        arguments.indicator = person.ask("Its lines, as CHIP:LAMP:READBACK", _LAMP, fits)
    if arguments.tamper is None and person.choose("Has its lid a switch that tells when it is open?", ["No", "Yes"]):
        fits = _like(r"\S+:\d+", f"CHIP:LINE, such as {_SWITCH}")
        arguments.tamper = person.ask("The switch's line, as CHIP:LINE", _SWITCH, fits)


def command(arguments: argparse.Namespace) -> str:
    """Return the command that says all this at once. Settings of the network are not in it: they hold passwords."""
    return shlex.join(words(arguments))


def words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of that command."""
    found = ["overt-provision", "unit", "enrol"]
    for name in _GIVEN:
        value = getattr(arguments, name)
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            found += [f"{option}={value}"] if str(value).startswith("-") else [option, str(value)]
    return found


def named(name: str) -> requests.Identify:
    """Return a unit's name as the unit is asked to take it.

    Raises:
        Failure: It is none.
    """
    try:
        return msgspec.convert({"unit": name}, requests.Identify)
    except msgspec.ValidationError as error:
        raise Failure(f"expected a unit's name of up to 32 of a-z, 0-9 and single hyphens, found {name!r}") from error


def position(text: str) -> tuple[float, float]:
    """Return latitude and longitude of two numbers, as maps give them.

    Raises:
        Failure: It is something else.
    """
    numbers = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*[,;\s]\s*([+-]?\d+(?:\.\d+)?)\s*", text)
    if numbers is None or abs(float(numbers[1])) > 90 or abs(float(numbers[2])) > 180:  # noqa: PLR2004 - degrees
        raise Failure(f"expected latitude and longitude in degrees, such as 52.1356, -0.4669, found {text!r}")
    return float(numbers[1]), float(numbers[2])


def _ask_place(arguments: argparse.Namespace, person: Person) -> None:
    options = ["At a fixed place", "Where its satellite receiver measures", "At a fixed place, with a receiver too"]
    chosen = person.choose("Where will the unit be?", options)
    if chosen != 1:
        arguments.site_name = person.ask("What the place is called")
        where = person.ask("Its latitude and longitude, such as 52.1356, -0.4669", fits=position)
        arguments.latitude, arguments.longitude = position(where)
    if chosen != 0:
        fits = _like(r"/dev/\S+", f"a serial line, such as {_RECEIVER}")
        arguments.gps = person.ask("The receiver's line", _RECEIVER, fits)


def _like(pattern: str, wanted: str) -> Callable[[str], None]:
    """Return a check of the look of an answer; what it means, the unit judges."""

    def fits(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise Failure(f"expected {wanted}, found {text!r}")

    return fits
