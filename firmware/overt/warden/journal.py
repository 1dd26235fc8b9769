"""The audit log as the rest of the warden uses it: with the unit's clock, and never in the way of stopping.

A record that cannot be written makes storage doubtful, which stops recognition; it raises nothing, because what is
being logged (a cancellation, an erasure) must go on.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from overt.protocol import limits
from overt.protocol.audit import Event, Fact, Moment
from overt.protocol.documents import Window
from overt.protocol.vocabulary import Cause, ClockQuality
from overt.runtime import log
from overt.warden.clock import DRIFT
from overt.warden.database import StorageFailed, cause_of
from overt.warden.devices import Clock
from overt.warden.store import Store

_TRY_EVERY_S = 1.0


class Journal:
    """Appends to the audit log and knows whether storage and clock can be trusted."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._not_before = store.last_trusted_time()
        self._trusted = (self._not_before, clock.elapsed()) if self._not_before else None
        self._next_try = 0.0
        self.sound = True
        self.trouble: Cause | None = None

    def moment(self) -> Moment:
        """Return the time and how well it is known; a time before what was logged while it was known is not."""
        now, quality = self._clock.now(), self._clock.quality()
        early = self._not_before is not None and now < self._not_before - limits.CLOCK_TOLERANCE
        moment = Moment(now, ClockQuality.UNKNOWN if early else quality)
        if moment.trusted:
            self._trusted = now, self._clock.elapsed()
        return moment

    @property
    def not_before(self) -> datetime | None:
        """The last time that was logged while it was known; nothing that is earlier is true."""
        return self._not_before

    def at_least(self) -> datetime | None:
        """Return what the time is by now, whatever the clock says; None when it has never been known.

        That is the last trusted time, and what has passed since by the clock that nobody can set, which may run fast.
        """
        if self._trusted is None:
            return None
        time, elapsed_s = self._trusted
        return time + timedelta(seconds=(self._clock.elapsed() - elapsed_s) * (1 - DRIFT))

    def by_now(self) -> datetime | None:
        """Return the latest that the time can be while it is known, else `at_least`: by this, what ends has ended."""
        at = self.moment()
        return at.time + self._clock.error() if at.trusted else self.at_least()

    def within(self, window: Window) -> datetime:
        """Return the time, or the nearest to it in a window that something kept was accepted for.

        It is for judging it again: without a network a clock begins in the past.
        """
        return min(max(self.now(), window.start), window.end - timedelta(seconds=1))

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()

    def note(self, event: Event, **facts: Fact) -> None:
        """Append one record, or find storage doubtful."""
        with self.guard(f"log {event.value}"):
            at = self.moment()
            self._store.note(at, event, **facts)
            if at.trusted:
                self._not_before = max(at.time, self._not_before or at.time)

    @contextmanager
    def guard(self, doing: str) -> Iterator[None]:
        """Turn a failure of storage in the block into a doubt; the rest of the block is then left out."""
        try:
            yield
        except (StorageFailed, OSError) as error:
            self.fail(doing, error)

    def fail(self, doing: str, error: StorageFailed | OSError) -> None:
        """Take note that storage failed."""
        self.sound = False
        self.trouble = error.cause if isinstance(error, StorageFailed) else cause_of(error)
        log.event("storage.failed", "error", doing=doing, detail=str(error))

    def probe(self) -> None:
        """Try whether storage can be written, and trust it or doubt it accordingly."""
        if not self.sound and time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _TRY_EVERY_S
        try:
            self._store.probe()
        except StorageFailed as error:
            if self.sound:
                self.fail("probe", error)
            return
        if not self.sound:
            self.sound, self.trouble = True, None
            log.event("storage.recovered")
            self.note(Event.STORAGE_RECOVERED)
