"""The subscriber: waits for the broker, judges what comes, remembers it, says it, and only then acknowledges it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from overt.protocol import limits
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.topics import Topic, Up
from overt.protocol.vocabulary import Refusal
from overt.runtime.broker import Broker
from overt.runtime.mqtt import Received
from overt.runtime.session import Down as LinkDown
from overt.runtime.session import Session
from overt.runtime.session import Up as LinkUp
from overt_controlroom.core import judge
from overt_controlroom.events import Event, LinkChanged, Refused, clean
from overt_controlroom.home import Home, HomeError, Room
from overt_controlroom.store import Store
from overt_controlroom.trust import Trust
from overt_controlroom.verdict import Claims, Message, Verdict, gap

_WAIT_S = 0.5
_PRUNE_EVERY_S = 60.0
_STRANGERS_MAX = 10_000
_MAX_PACKET = limits.DOCUMENT_MAX_BYTES + 1024

Say = Callable[[Event], None]


class Subscriber:
    """One control room's ear."""

    def __init__(self, home: Home, room: Room, broker: Broker, store: Store, say: Say) -> None:
        """Read what is trusted.

        Raises:
            HomeError: The folder lacks something, or something in it is wrong.
        """
        self._home, self._room, self._store, self._say = home, room, store, say
        self._identity = home.read_identity()
        self._claims = Claims()
        self._session = Session(broker, room.name, _subscriptions(room.force), max_packet=_MAX_PACKET)
        self._strangers: set[str] = set()
        self._prune_at = 0.0
        self._trust = self._read_orders()

    def turn(self, wake: int) -> None:
        """Wait a little for what comes, and deal with it.

        Args:
            wake: A descriptor whose becoming readable ends the wait.

        Raises:
            StoreError: It cannot be remembered, and so was not acknowledged.
        """
        happened, _ = self._session.wait(_WAIT_S, [wake])
        now = datetime.now(UTC)
        self._follow_orders()
        messages = [item for item in happened if isinstance(item, Received)]
        said = [event for message in messages for event in self._take(message, now)]
        said += self._overdue(now)
        self._prune(now)
        # Said, then remembered, then acknowledged. Killed in between, the room hears it again and may say it again,
        # under the same number: an operator who is told twice can tell, one who is not told cannot.
        for event in said:
            self._say(event)
        self._store.commit()
        for message in messages:
            self._session.acknowledge(message)
        for item in happened:
            if isinstance(item, LinkUp | LinkDown):
                self._say(_link(item, now))

    def close(self) -> None:
        """Hang up. The broker keeps for us what comes meanwhile."""
        self._session.close()

    def _take(self, received: Received, now: datetime) -> tuple[Event, ...]:
        verdict = judge(
            Message(received.topic, received.payload, received.retained, now), self._trust, self._identity, self._store
        )
        self._store.apply(verdict.notes)
        if verdict.claim is not None:
            self._claims.add(verdict.claim, time.monotonic())
        return () if self._said_before(verdict) else verdict.events

    def _said_before(self, verdict: Verdict) -> bool:
        """Say whether this is only a unit of somebody else's that was mentioned already: once is enough."""
        first = verdict.events[0] if verdict.events else None
        if not isinstance(first, Refused) or first.loud or first.code is not Refusal.NO_ORDER:
            return False
        known = first.topic in self._strangers
        if len(self._strangers) < _STRANGERS_MAX:
            self._strangers.add(first.topic)
        return known

    def _overdue(self, now: datetime) -> list[Event]:
        overdue = self._claims.overdue(self._store, time.monotonic())
        self._store.apply(overdue)
        return [gap(missing, now) for missing in overdue]

    def _read_orders(self) -> Trust:
        """Read the orders anew.

        Raises:
            HomeError: There is no charter to hold them against.
        """
        self._orders_at = self._home.orders_changed()
        trust, refused = self._home.read_trust(self._room)
        for name, error in refused:
            self._say(_refused_file(name, error))
        return trust

    def _follow_orders(self) -> None:
        """Take in orders that were put into the folder meanwhile. What is trusted stays, whatever happens to files."""
        if self._home.orders_changed() == self._orders_at:
            return
        try:
            self._trust = self._read_orders()
        except HomeError as error:
            self._say(_refused_file("", Malformed(str(error))))

    def _prune(self, now: datetime) -> None:
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + _PRUNE_EVERY_S
            self._store.prune(now)


def _subscriptions(force: str) -> tuple[str, ...]:
    return tuple(str(Topic(force=force, unit="+", leaf=leaf)) for leaf in Up)


def _link(item: LinkUp | LinkDown, now: datetime) -> LinkChanged:
    if isinstance(item, LinkUp):
        version = "5" if item.connected.version == 5 else "3.1.1"  # noqa: PLR2004 - the version's own number
        resumed = ", where we left off" if item.connected.resumed else ""
        return LinkChanged(received=now, up=True, detail=f"connected by MQTT {version}{resumed}")
    mend = "; somebody has to mend that" if item.refused else ""
    detail = f"{item.detail}{mend}; trying again in {item.retry_in_s:.1f} s"
    return LinkChanged(received=now, up=False, detail=clean(detail, 400))


def _refused_file(name: str, error: ProtocolError) -> Refused:
    return Refused(
        received=datetime.now(UTC), topic=clean(f"orders/{name}"), code=error.code, detail=clean(error.detail)
    )
