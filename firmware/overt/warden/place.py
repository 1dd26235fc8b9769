"""Where the unit is: at the site that was attested, where its receiver says, or, with both, where they agree."""

from dataclasses import dataclass
from typing import ClassVar

from overt.protocol.documents import FixedSite
from overt.protocol.places import is_at
from overt.protocol.vocabulary import Cause
from overt.runtime import log
from overt.warden.gps import Receiver

_UNNAMED = "Measured position"


@dataclass(frozen=True, slots=True)
class EnrolledSite:
    """The fixed site that was attested when the unit was put up."""

    site: FixedSite
    measures: ClassVar[bool] = False

    def where(self) -> FixedSite | None:
        """Return the site."""
        return self.site

    def trouble(self) -> Cause | None:
        """Say that nothing is wrong: it was attested."""
        return None


class Nowhere:
    """A unit with neither a site nor a receiver."""

    measures = False

    def where(self) -> FixedSite | None:
        """Say that nothing is known."""
        return None

    def trouble(self) -> Cause | None:
        """Say why."""
        return Cause.PLACE_UNKNOWN


def attested(site: FixedSite | None) -> EnrolledSite | Nowhere:
    """Return the place of a unit without a receiver."""
    return EnrolledSite(site) if site else Nowhere()


class GpsPlace:
    """Where a receiver measures the unit to be, and nowhere when that is not at the site that was attested."""

    measures = True

    def __init__(self, receiver: Receiver, site: FixedSite | None) -> None:
        """Take both.

        Args:
            receiver: The receiver.
            site: The attested site; None for a unit that moves.
        """
        self._receiver, self._site = receiver, site
        self._said: str | None = None
        self._trouble: Cause | None = Cause.RECEIVER_SILENT

    def where(self) -> FixedSite | None:
        """Return the measured position, under the site's name when it is there; None when it is not to be believed."""
        found = self._receiver.fix()
        if found is None:
            self._doubt(self._cause(), self._receiver.trouble or "no fix that can be believed")
            return None
        latitude, longitude = found.position
        name = self._site.name if self._site else _UNNAMED
        measured = FixedSite(name=name, latitude=round(latitude, 6), longitude=round(longitude, 6))
        if self._site is not None and not is_at(measured, self._site):
            self._doubt(Cause.RECEIVER_ELSEWHERE, "measured elsewhere than the site that was attested")
            return None
        self._doubt(None, None)
        return measured

    def trouble(self) -> Cause | None:
        """Return why the place was not known when it was last asked for."""
        return self._trouble

    def _cause(self) -> Cause:
        return Cause.RECEIVER_UNSURE if self._receiver.speaks() else Cause.RECEIVER_SILENT

    def _doubt(self, cause: Cause | None, trouble: str | None) -> None:
        """Remember what is wrong, and log it when it changes."""
        self._trouble = cause
        if trouble != self._said:
            log.event("place.unknown" if trouble else "place.known", "warning" if trouble else "info", why=trouble)
        self._said = trouble
