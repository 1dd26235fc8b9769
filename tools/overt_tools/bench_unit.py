"""A unit on the bench: the real warden, with a lamp, a place and a clock that stand in for a mounted unit's.

This is a laboratory's stand-in for soldered parts and is not installed on a unit. The firmware itself has no simulated
indicator: there, without a real lamp that is read back, recognition never starts.
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from overt.protocol.vocabulary import ClockQuality
from overt.runtime import log
from overt.runtime.cli import Parser, run
from overt.warden import service
from overt.warden.devices import Devices
from overt.warden.gps import boottime
from overt.warden.lid import NoLid
from overt.warden.place import attested
from overt.warden.thermometer import SysfsThermometer
from overt.warden.vault import Vault


class BenchLamp:
    """A lamp that lights when told to. What it shows is in the unit's status, and so on the demonstrator's screen."""

    fitted = True

    def __init__(self) -> None:
        self._lit = False

    def show(self, lit: bool) -> None:
        """Switch the lamp."""
        if lit != self._lit:
            log.event("lamp.switched", lit=lit)
        self._lit = lit

    def is_lit(self) -> bool | None:
        """Read the lamp back."""
        return self._lit


class BenchClock:
    """This machine's clock, taken at its word: a bench has no GPS, and a container cannot ask the kernel."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def quality(self) -> ClockQuality:
        """Call the clock held over: nobody has checked it, but it does run."""
        return ClockQuality.HOLDOVER

    def error(self) -> timedelta:
        """Return nothing, as below."""
        return timedelta()

    def correction(self) -> timedelta:
        """Return nothing: this machine's clock is the bench's."""
        return timedelta()

    def elapsed(self) -> float:
        """Return CLOCK_BOOTTIME in seconds."""
        return boottime()

    def set(self, time: datetime, error_s: float) -> bool:  # noqa: ARG002 - the interface's
        """Take no signed time."""
        return False


def main() -> None:
    """Run the warden with the bench's parts."""
    parser = Parser(
        prog="python -m overt_tools.bench_unit", description="Runs the warden with a bench's lamp and clock."
    )
    parser.add_argument("--state", type=Path, required=True, help="the unit's state folder, as enrolment left it")
    parser.add_argument("--run", type=Path, required=True, help="folder for the sockets")
    parser.set_defaults(handler=_run)
    sys.exit(run(parser))


def _run(arguments: argparse.Namespace) -> int:
    def parts(vault: Vault) -> Devices:
        return Devices(BenchClock(), attested(vault.config.site), BenchLamp(), SysfsThermometer(), NoLid())

    log.name_daemon("warden")
    return service.run(service.Settings(state=arguments.state, run=arguments.run), parts)


if __name__ == "__main__":
    main()
