"""`overt-provision unit` alone, at a terminal: what is to be done? Few choices, one digit each, for hands in gloves."""

import shlex
from pathlib import Path
from typing import Final, NamedTuple

from overt.runtime.cli import Failure
from overt_provisioning.unit.asking import Person


class Choice(NamedTuple):
    """Something that can be done: in words, as a command, and what is to be asked for its last word."""

    text: str
    words: tuple[str, ...]
    question: str = ""
    suggestion: str = ""


MAIN: Final = (
    Choice("See what it does, and what is to be seen to", ("diagnose",)),
    Choice("Put it up: take it into the force, at a site", ("enrol",)),
    Choice("Aim the camera", ("aim",)),
    Choice("Accept it: test everything, report and label", ("test", "--out"), "A folder to make", "acceptance"),
    Choice("Something else", ()),
)
REST: Final = (
    Choice("Hand over an order", ("deliver", "order"), "The order's file", "order.json"),
    Choice("Hand over a watchlist", ("deliver", "watchlist"), "The watchlist's file", "watchlist.age"),
    Choice("Hand over a cancellation", ("deliver", "cancel"), "The cancellation's file", "cancellation.json"),
    Choice("Take its receipts and certificates", ("receipts", "--out"), "The folder to write into", "receipts"),
    Choice("Take its log off it", ("log", "--out"), "The file to write", "unit.log.jsonl"),
    Choice("Tell it the time", ("time",)),
    Choice("Give it its network settings", ("network",), "The filled-in form ('unit network --blank')", "network.toml"),
    Choice("Bring another release", ("update",), "The bundle's file"),
    Choice("Take it out of service: erase everything", ("decommission",)),
)
CHARTER: Final = "charter.json"


def choose(person: Person) -> list[str]:
    """Ask what is to be done, and return the words of the command for it.

    Raises:
        Failure: Nobody is there, or nobody answers.
    """
    if not person.is_there:
        raise Failure("expected a command, such as 'overt-provision unit status': nobody is at a terminal to be asked")
    chosen = _ask(person, "What is to be done at the unit?", MAIN)
    if not chosen.words:
        chosen = _ask(person, "What else?", REST)
    words = [*chosen.words]
    if chosen.question:
        words.append(person.ask(chosen.question, chosen.suggestion))
    home = _home(person)
    words += ["--home", str(home)] if home != Path() else []
    person.tell(f"  the same as: overt-provision unit {shlex.join(words)}")
    return words


def _ask(person: Person, question: str, choices: tuple[Choice, ...]) -> Choice:
    return choices[person.choose(question, [choice.text for choice in choices])]


def _home(person: Person) -> Path:
    """Return the office's folder: here, in `office`, or where it is said to be."""
    for folder in (Path(), Path("office")):
        if (folder / CHARTER).is_file():
            return folder
    return Path(person.ask("The office's folder, with the charter and your key", fits=_is_home))


def _is_home(text: str) -> None:
    if not (Path(text) / CHARTER).is_file():
        raise Failure(f"expected a folder with a {CHARTER}, found none in {text}")
