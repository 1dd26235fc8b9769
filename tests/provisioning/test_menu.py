"""`overt-provision unit` alone: a person is asked, and a command comes of it."""

import io
from pathlib import Path

import pytest

from overt.runtime import cli
from overt.runtime.cli import Failure
from overt_provisioning.cli import parser
from overt_provisioning.unit import menu
from overt_provisioning.unit.asking import Person
from tests.provisioning.office import Office
from tests.simulators.terminal import Terminal


class Keys(io.StringIO):
    """A terminal's keyboard and screen."""

    def isatty(self) -> bool:
        return True


def typing(*lines: str) -> tuple[Person, Keys]:
    screen = Keys()
    return Person(Keys("".join(f"{line}\n" for line in lines)), screen), screen


def paths() -> list[tuple[str, ...]]:
    """Every way through the menu: digits, and an answer where there is a question."""
    first = [(str(number), *(["x"] if choice.question else [])) for number, choice in enumerate(menu.MAIN, 1)]
    rest = [
        (first[-1][0], str(number), *(["x"] if choice.question else [])) for number, choice in enumerate(menu.REST, 1)
    ]
    return [*first[:-1], *rest]


@pytest.mark.parametrize("keys", paths(), ids="-".join)
def test_every_choice_is_a_command_that_is_understood(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "charter.json").touch()
    monkeypatch.chdir(tmp_path)
    person, screen = typing(*keys)
    words = menu.choose(person)
    assert parser().parse_args(["unit", *words]).handler
    assert f"the same as: overt-provision unit {' '.join(words)}" in screen.getvalue()


def test_a_digit_that_is_not_offered_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "charter.json").touch()
    monkeypatch.chdir(tmp_path)
    person, _ = typing("9", "no", "", "1")
    assert menu.choose(person) == ["diagnose"]


def test_the_offices_folder_is_found_here_or_below_or_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "charter.json").touch()
    person, screen = typing("1", "nowhere", "elsewhere")
    assert menu.choose(person) == ["diagnose", "--home", "elsewhere"]
    assert "expected a folder with a charter.json, found none in nowhere" in screen.getvalue()
    (tmp_path / "elsewhere").rename(tmp_path / "office")
    person, _ = typing("1")
    assert menu.choose(person) == ["diagnose", "--home", "office"]


def test_without_a_terminal_nobody_is_asked() -> None:
    with pytest.raises(Failure, match="expected a command"):
        menu.choose(Person(io.StringIO("1\n"), io.StringIO()))


def test_the_choice_is_made_at_a_terminal(office: Office) -> None:
    """And what comes of it is the command's own answer."""
    answers = (("1-5:", "4"), ("A folder to make", "office"))
    shown = Terminal(office.base).type("overt-provision unit", *answers, code=cli.BAD_INPUT)
    assert "the same as: overt-provision unit test --out office --home office" in shown
    assert shown.splitlines()[-1] == "overt-provision: office is there already; give the name of a folder to make"
