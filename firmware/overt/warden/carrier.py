"""What goes to the uplink and when: the newest announcements, then the outbox in order, a small window at a time.

A row leaves the outbox only when the broker has acknowledged it. Whatever was on its way when the uplink went is sent
again to the next one: at least once.
"""

from datetime import datetime
from typing import Protocol

from overt.protocol.messages import Delivered, Link, Publish, Undeliverable
from overt.protocol.topics import ROOT
from overt.runtime import log
from overt.warden.journal import Journal
from overt.warden.outbox import Parcel
from overt.warden.store import Store

WINDOW = 16
_NEWEST_IDS = 2**52  # ids of what is not in the outbox, far above any row's


class Way(Protocol):
    """The way to the uplink."""

    def to_uplink(self, message: Publish) -> bool:
        """Send; say whether it could be done."""


class Carrier:
    """Feeds one uplink after another."""

    def __init__(self, store: Store, journal: Journal, way: Way, force: str) -> None:
        self._store, self._journal, self._way, self._force = store, journal, way, force
        self._link = False
        self._in_flight: set[int] = set()
        self._sent_up_to = 0
        self._newest: dict[str, Publish] = {}
        self._next_id = _NEWEST_IDS

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish something of which only the newest matters; what has not gone yet is replaced."""
        self._next_id += 1
        self._newest[topic] = Publish(id=self._next_id, topic=topic, payload=payload, retain=retain)
        self.push()

    def came(self, force: str | None) -> None:
        """An uplink is there, at this force's broker. What is for another force waits for that one's (see loans)."""
        self._force = force or self._force

    def link(self, message: Link) -> None:
        """Take the uplink's word on the broker. While it is down everything waits here, where it is durable."""
        self._link = message.up
        log.event("link.up" if message.up else "link.down", detail=message.detail)
        self.push()

    def gone(self) -> None:
        """The uplink is gone."""
        self._link = False
        self._in_flight.clear()
        self._sent_up_to = 0

    def settled(self, message: Delivered | Undeliverable) -> None:
        """Take the broker's answer."""
        self._in_flight.discard(message.id)
        if message.id <= _NEWEST_IDS:
            with self._journal.guard("settle a parcel"):
                if isinstance(message, Delivered):
                    self._store.delivered(message.id)
                else:
                    log.event("parcel.refused", "error", parcel=message.id, reason_code=message.reason_code)
                    self._store.undeliverable(self._journal.moment(), message.id, message.reason_code)
        self.push()

    def push(self) -> None:
        """Hand over as much as may be on its way."""
        if not self._link:
            return
        for topic in [topic for topic in self._newest if topic.startswith(f"{ROOT}/{self._force}/")]:
            if not self._way.to_uplink(self._newest[topic]):
                return
            del self._newest[topic]
        free = WINDOW - len(self._in_flight)
        with self._journal.guard("read the outbox"):
            for parcel in self._store.waiting(self._sent_up_to, free, self._force) if free > 0 else []:
                if not self._way.to_uplink(_publish(parcel, self._journal.now())):
                    return
                self._in_flight.add(parcel.id)
                self._sent_up_to = parcel.id


def _publish(parcel: Parcel, now: datetime) -> Publish:
    seconds = int(parcel.expires - now.timestamp())
    return Publish(id=parcel.id, topic=parcel.topic, payload=parcel.payload, expires_in_s=max(1, seconds))
