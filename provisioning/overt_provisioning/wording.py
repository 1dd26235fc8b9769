"""What is wrong with a field, in words: the checks of the types speak in patterns, and officers do not."""

import re
from enum import StrEnum
from typing import Any, get_args

from overt.protocol import fields
from overt.protocol.vocabulary import Category, UseCase


def _pattern(type_: Any) -> str:  # noqa: ANN401 - Annotated[str, Meta(pattern=…)]
    return str(get_args(type_)[1].pattern)


_PATTERNS = {
    _pattern(fields.Slug): "a short name of lower-case letters, digits and single dashes",
    _pattern(fields.Reference): "a reference of letters, digits and . / _ - without spaces, at most 64",
    _pattern(fields.Digest): "64 hexadecimal digits in lower case",
    _pattern(fields.Recipient): "a recipient as `overt-controlroom identity` prints it (age1…)",
    _pattern(fields.Line): "one line of plain text",
    _pattern(fields.Text): "plain text",
    _pattern(fields.Address): "an address that starts with https://",
}
_TYPES = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a time with its zone, such as 2026-11-23T09:00:00Z",
    "null": "nothing",
}
_CHOICES: dict[str, type[StrEnum]] = {"use_case": UseCase, "categories": Category}
_FORM_NAMES = {
    "units": "unit",
    "control_rooms": "control_room",
    "threshold": "recognition.threshold",
    "model": "recognition.model",
    "false_alert_ceiling": "recognition.false_alert_ceiling",
    "categories": "watchlist.categories",
    "watchlist_max_entries": "watchlist.maximum_entries",
    **{name: f"papers.{name}" for name in ("impact_assessment", "equality_assessment", "policy")},
}
"""How the form calls what the order calls otherwise."""


def field(name: str, part: str = "") -> str:
    """Return how a person finds a field in the form.

    Args:
        name: The order's name of it.
        part: Which part of it, as msgspec says: `[0].key`, `.latitude`.
    """
    return _counted(_FORM_NAMES.get(name, name) + part)


def worded(error: str) -> str:
    """Return what msgspec says of a value, in words; what it says of the place stays in front.

    Args:
        error: The message of a `msgspec.ValidationError`.
    """
    said, _, place = error.partition(" - at ")
    place = place.strip("`").removeprefix("$").removeprefix(".")
    return f"{_counted(place)}: {_said(said, place)}" if place else _said(said, place)


def _counted(place: str) -> str:
    """Say `unit 1, key` for `unit[0].key`: people count from one."""
    place = place.replace("[...]", "")
    return re.sub(r"\[(\d+)\]\.?", lambda found: f" {int(found[1]) + 1}, ", place).rstrip(", ")


def _said(said: str, place: str) -> str:
    for pattern, words in _PATTERNS.items():
        if f"matching regex {pattern!r}" in said:
            return f"expected {words}"
    if said.startswith("Invalid enum value"):
        name = re.sub(r"\[[^]]*\]", "", place).rpartition(".")[2]
        choices = f"expected one of {', '.join(_CHOICES[name])}" if name in _CHOICES else "expected another word"
        return f"{choices}; found {said.removeprefix('Invalid enum value ')}"
    if found := re.fullmatch(r"Object (contains unknown|missing required) field `(.*)`", said):
        return f"{'nothing is known of' if 'unknown' in found[1] else 'missing:'} {found[2]!r}"
    said = re.sub(r"of length >= 1$", "that is not empty", said)
    said = re.sub(r"of length <= (\d+)$", r"of at most \1 characters or items", said)
    said = re.sub(r" >= ([-\d.]+)$", r" of at least \1", said)
    said = re.sub(r" <= ([-\d.]+)$", r" of at most \1", said)
    said = re.sub(r"`([a-z]+)`", lambda found: _TYPES.get(found[1], found[1]), said).replace(", got ", ", found ")
    return said[:1].lower() + said[1:]
