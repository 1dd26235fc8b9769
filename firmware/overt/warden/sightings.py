"""From what vision says that it saw to alerts: doubted first, once per passage, numbered and sealed."""

import time

import msgspec

from overt.protocol.audit import Event
from overt.protocol.messages import Sighting
from overt.runtime import log
from overt.warden import alerts
from overt.warden.alerts import Context, Passages
from overt.warden.allowance import Allowance
from overt.warden.database import StorageFailed
from overt.warden.devices import Devices
from overt.warden.journal import Journal
from overt.warden.reporter import Reporter
from overt.warden.store import Store
from overt.warden.vault import Deployment, Vault
from overt.warden.watchlist import Loaded

DROPS_A_MINUTE = 30
"""Beyond so many, sightings that are dropped are counted in one record."""


class Sightings:
    """Takes sightings for one unit."""

    def __init__(self, vault: Vault, store: Store, journal: Journal, reporter: Reporter, devices: Devices) -> None:
        self._vault, self._store, self._journal, self._reporter = vault, store, journal, reporter
        self._clock, self._place = devices.clock, devices.place
        self._passages = Passages()
        self._drops = Allowance(DROPS_A_MINUTE)

    def begin_anew(self) -> None:
        """Forget all passages: entries are other people now."""
        self._passages = Passages()

    def take(self, sighting: Sighting, held: Deployment | None, loaded: Loaded | None, *, recognising: bool) -> None:
        """Make a sighting an alert, if it can be true and nobody has been told of this passage.

        Args:
            sighting: What vision says.
            held: The deployment in hand.
            loaded: Its watchlist.
            recognising: Whether vision has been asked to see anyone.
        """
        sighting = alerts.corrected(sighting, self._clock.correction())
        place, at = self._place.where(), self._journal.moment()
        if held is None or loaded is None or not recognising:
            return self._drop("not_recognising", held)
        why = alerts.objection(sighting, held, loaded.listed, at.time)
        if why is not None or place is None:
            return self._drop(why or "place_unknown", held)
        if not at.trusted:
            return self._drop("clock_doubtful", held)
        config = self._vault.config
        if config.site is None:
            place = msgspec.structs.replace(place, name=held.order.place.name)
        if self._passages.is_new(sighting):
            context = Context(self._vault.force, config.unit, held, loaded.digest, at.clock, place, self._vault.sign)
            try:
                sealer = alerts.sealer(context, sighting, loaded.listed[sighting.entry], at.time)
                number = self._store.number_alert(held.digest, at, sealer)
            except StorageFailed as error:
                return self._journal.fail("raise an alert", error)
            self._reporter.parcels_wait()
            log.event("alert.raised", sequence=number)
        self._passages.remember(sighting)
        return None

    def _drop(self, why: str, held: Deployment | None) -> None:
        allowed, suppressed = self._drops.take(time.monotonic())
        if suppressed:
            self._journal.note(Event.SIGHTINGS_DROPPED, count=suppressed)
        if allowed:
            self._journal.note(Event.SIGHTING_DROPPED, why=why, order=held.digest if held else None)
