"""Where a simulator differs from what it simulates is found."""

import sys
import types
from pathlib import Path

import pytest

from tests.simulators.faithful import differences, errors_told


class Real:
    def __init__(self, number: int = 0, more: str = "") -> None:
        """Take more than the simulator does."""

    @property
    def modes(self) -> list[int]:
        return []

    def capture(self, wait: float | None = None, flush: bool = False) -> None:
        """Take what the real one takes."""

    def configure(self, config: dict[str, int]) -> None:
        """Need a configuration."""


class Faithful:
    def __init__(self, number: int = 0) -> None:
        """Take less."""

    @property
    def modes(self) -> list[int]:
        return [1]

    def capture(self, wait: float | None = None) -> None:
        """Take less."""

    def configure(self, config: dict[str, int]) -> None:
        """Need it too."""

    def _its_own(self, fault: int) -> None:
        """Not looked at."""


def test_one_that_asks_for_what_the_real_one_takes_is_faithful() -> None:
    assert differences(Faithful, Real) == []


class Invented:
    def __init__(self, camera: int) -> None:
        """Take something else."""

    def modes(self) -> None:
        """Be a method, which is a property there."""

    def capture(self, flush: bool = True, wait: float | None = None) -> None:
        """Have another order and default."""

    def configure(self) -> None:
        """Need nothing."""

    def rewind(self) -> None:
        """Be what the real one has not."""


def test_what_the_real_one_has_not_is_named() -> None:
    found = differences(Invented, Real, made_by_users=False)
    assert "capture: the real one's parameters come as wait, flush" in found
    assert "capture: the real one's default of flush is False" in found
    assert "configure: the real one needs config" in found
    assert "rewind: no method of the real one" in found
    assert "modes: no method of the real one" in found
    assert not any(line.startswith("__init__") for line in found)
    assert "__init__: the real one has no parameter camera" in differences(Invented, Real)


def test_the_words_of_errors_are_read_off_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "raising.py"
    source.write_text(
        "def f(n):\n    if n:\n        raise ValueError(f'No camera {n} found')\n    raise KeyError('gone')\n"
    )
    module = types.ModuleType("raising")
    module.__file__ = str(source)
    monkeypatch.setitem(sys.modules, "raising", module)
    assert errors_told(module) == {"No camera ", "gone"}
