"""The two slots that a unit's system lies in, through RAUC: what a bundle is, writing it, and which slot is good."""

import configparser
import re
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import msgspec

CONFIGURATION: Final = Path("/etc/rauc/system.conf")
_COMMAND_LINE: Final = Path("/proc/cmdline")
_BOOTED: Final = re.compile(r"(?:^|\s)rauc\.slot=(\S+)")
_OTHER: Final = {"A": "B", "B": "A"}
_INSTALL_S: Final = 3600.0
_ASK_S: Final = 300.0


class SlotsProblem(Exception):
    """RAUC refuses or fails. The message is what it says."""


class Release(msgspec.Struct, frozen=True):
    """What a bundle says of itself, under its signature.

    Attributes:
        compatible: For which kind of unit it is.
        version: Which release it holds.
    """

    compatible: str
    version: str


class Verdict(StrEnum):
    """What is found of the slot that runs."""

    GOOD = "mark-good"
    BAD = "mark-bad"


class Slots(Protocol):
    """A unit's slots."""

    def compatible(self) -> str | None:
        """Return which bundles this unit takes; None: it has no slots."""
        ...

    def booted(self) -> str | None:
        """Return which slot runs, A or B; None: none does."""
        ...

    def inspect(self, bundle: Path) -> Release:
        """Check a bundle's signature and return what it holds.

        Raises:
            SlotsProblem: It is no bundle, or nobody has signed it whom this unit knows.
        """
        ...

    def install(self, bundle: Path) -> None:
        """Write it into the slot that does not run, and have that one start next.

        Raises:
            SlotsProblem: It could not be done; the slot that runs is untouched and stays the one that starts.
        """
        ...

    def mark(self, verdict: Verdict) -> None:
        """Have the slot that runs start again, or never again.

        Raises:
            SlotsProblem: It could not be done.
        """
        ...

    def restart(self) -> None:
        """Have the machine start anew, soon.

        Raises:
            SlotsProblem: It could not be asked for.
        """
        ...


def other(slot: str) -> str:
    """Return the slot that does not run while this one does."""
    return _OTHER[slot]


class Rauc:
    """The slots of this machine."""

    def compatible(self) -> str | None:
        """See `Slots`."""
        found = configparser.ConfigParser(interpolation=None)
        if not found.read(CONFIGURATION):
            return None
        return found.get("system", "compatible", fallback=None)

    def booted(self) -> str | None:
        """See `Slots`."""
        found = _BOOTED.search(_COMMAND_LINE.read_text(encoding="ascii", errors="replace"))
        return found[1] if found and found[1] in _OTHER else None

    def inspect(self, bundle: Path) -> Release:
        """See `Slots`."""
        said = _run("rauc", "info", "--output-format=json", str(bundle), seconds=_ASK_S)
        try:
            return msgspec.json.decode(said, type=Release)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SlotsProblem(f"the bundle does not say what it is: {error}") from error

    def install(self, bundle: Path) -> None:
        """See `Slots`."""
        _run("rauc", "install", str(bundle), seconds=_INSTALL_S)

    def mark(self, verdict: Verdict) -> None:
        """See `Slots`."""
        _run("rauc", "status", verdict.value, seconds=_ASK_S)

    def restart(self) -> None:
        """See `Slots`."""
        _run("systemctl", "--no-block", "reboot", seconds=_ASK_S)


def _run(*command: str, seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise SlotsProblem(f"the program {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SlotsProblem(f"{command[0]} was not done after {seconds:g} s") from error
    if done.returncode:
        raise SlotsProblem(
            _reason(done.stdout + done.stderr) or f"{' '.join(command[:2])} ended with {done.returncode}"
        )
    return done.stdout


def _reason(text: str) -> str:
    """Return RAUC's last word on what went wrong, without its chatter."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "LastError:" in line] or [line for line in lines if "-Message:" not in line]
    return told[-1].removeprefix("LastError:").strip() if told else ""
