"""Which unit is at the other end: known by its key from before, or by the code on its label the first time."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from overt.protocol.code import same_code, unit_code
from overt.protocol.documents import UnitRef
from overt.protocol.reports import Greeting
from overt.runtime.cli import NEGATIVE, Failure
from overt.runtime.files import write_atomically

FOLDER = "units"
Confirm = Callable[[Greeting, str], bool]
"""Shows a person a unit and its code; returns whether that is the unit."""


class Known:
    """The units that this office knows: `units/<name>/identity.json` in its folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def file(self, unit: str) -> Path:
        """Return where a unit's identity is kept."""
        return self._folder / unit / "identity.json"

    def find(self, unit: str) -> UnitRef | None:
        """Return what is known of a unit.

        Raises:
            Failure: Its file is damaged.
        """
        path = self.file(unit)
        try:
            return msgspec.json.decode(path.read_bytes(), type=UnitRef)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Failure(f"expected a unit's identity in {path}, found something else: {error}") from error

    def keep(self, unit: str, key: str) -> Path:
        """Remember a unit; return the file.

        Raises:
            OSError: It could not be written.
        """
        path = self.file(unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(UnitRef(unit=unit, key=key)), 0o644)
        return path

    def forget(self, unit: str) -> None:
        """Forget a unit that was decommissioned.

        Raises:
            OSError: It could not be removed.
        """
        self.file(unit).unlink(missing_ok=True)


class Judge:
    """Decides whether a greeting is that of the unit that is meant. The first one that passes is held to afterwards."""

    def __init__(
        self, known: Known, *, expected: UnitRef | None = None, code: str | None = None, confirm: Confirm | None = None
    ) -> None:
        """Prepare.

        Args:
            known: The units that are known.
            expected: The unit that it has to be, from its identity.
            code: What the label says, as the technician typed it.
            confirm: Asks a person; None when there is none to ask.
        """
        self._known, self._expected, self._code, self._confirm = known, expected, code, confirm
        self._key: str | None = None
        self._erased_too = False

    def let_erased_through(self) -> None:
        """Let a unit through that says that it is erased: its certificate, signed with the key before, will tell."""
        self._erased_too = True

    def pass_on(self, greeting: Greeting) -> None:
        """Judge a greeting whose signature was checked.

        Raises:
            Failure: It is another unit's, or nobody says that it is the right one.
        """
        if self._erased_too and greeting.unit is None and greeting.decommissioned:
            return
        if self._key is not None:
            if greeting.key != self._key:
                raise Failure("this is another unit than before: plug the cable back into the one that was begun with")
            return
        self._judge(greeting)
        self._key = greeting.key

    def _judge(self, greeting: Greeting) -> None:
        code, name = unit_code(greeting.key), greeting.unit or "a blank unit"
        before = self._known.find(greeting.unit) if greeting.unit else None
        meant = self._expected or before
        if meant is not None:
            if (greeting.unit, greeting.key) == (meant.unit, meant.key):
                return
            if greeting.unit != meant.unit:
                raise Failure(f"expected the unit {meant.unit}, found {name} (code {code}): is this the right cable?")
            raise Failure(
                f"this says that it is {name}, but its code is {code} and {name}'s is {unit_code(meant.key)}: "
                "it is another unit, or somebody is in between",
                NEGATIVE,
            )
        if self._code is not None:
            if not same_code(self._code, greeting.key):
                raise Failure(f"the code of this unit is {code}, not the one that was given: it is another unit")
            return
        if self._confirm is None:
            raise Failure(
                f"{name} is not known here, and its code is {code}: compare it with its label, then give --code {code}"
            )
        if not self._confirm(greeting, code):
            raise Failure("stopped: the code is not the one on the label", NEGATIVE)
