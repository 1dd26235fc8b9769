"""What the warden asks of the world: time, place, lamp, temperature, lid. One interface each.

What implements them on a unit is in `steering`, `place`, `indicator`, `thermometer` and `lid`; benches and tests bring
their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from overt.protocol.documents import FixedSite
from overt.protocol.vocabulary import Cause, ClockQuality
from overt.warden.thermal import Heat


class DeviceError(Exception):
    """A part is missing or does not answer."""


class Clock(Protocol):
    """The time, and how well it is known."""

    def now(self) -> datetime:
        """Return the time, aware."""

    def quality(self) -> ClockQuality:
        """Return how well the time is known. `UNKNOWN` stops recognition."""

    def error(self) -> timedelta:
        """Return by how much the time may be wrong, either way, while it is known."""

    def correction(self) -> timedelta:
        """Return what has to be added to the machine's own clock, which other processes read, to get the time."""

    def elapsed(self) -> float:
        """Return seconds that only ever grow, while the machine sleeps as well (CLOCK_BOOTTIME)."""

    def set(self, time: datetime, error_s: float) -> bool:
        """Take a signed time that was checked, which may be wrong by so much; say whether this clock takes one."""


class Place(Protocol):
    """Where the unit is."""

    @property
    def measures(self) -> bool:
        """Whether a receiver says so, and not only who has put the unit up."""

    def where(self) -> FixedSite | None:
        """Return the place, or None when it is not known, which stops recognition."""

    def trouble(self) -> Cause | None:
        """Return why it was not known when it was last asked for; None when it was."""


class Indicator(Protocol):
    """The lamp that says that recognition is on.

    Attributes:
        fitted: There is one.
    """

    fitted: bool

    def show(self, lit: bool) -> None:
        """Switch it."""

    def is_lit(self) -> bool | None:
        """Read it back; None when it cannot be read, which stops recognition."""


class Lid(Protocol):
    """The enclosure's lid."""

    def is_closed(self) -> bool | None:
        """Say whether it is closed; None when that cannot be read, which stops recognition."""


class Thermometer(Protocol):
    """How hot the board is."""

    def read(self) -> Heat:
        """Measure."""


@dataclass(frozen=True, slots=True)
class Devices:
    """A unit's parts.

    Attributes:
        clock: The time.
        place: The place.
        indicator: The lamp.
        thermometer: The temperature.
        lid: The enclosure's.
        closing: What has to be let go of in the end.
    """

    clock: Clock
    place: Place
    indicator: Indicator
    thermometer: Thermometer
    lid: Lid
    closing: tuple[Callable[[], None], ...] = ()

    def close(self) -> None:
        """Let go of what is held."""
        for let_go in self.closing:
            let_go()
