"""What the uplink decides, without a socket or a clock: what it may publish, what is on its way, what an answer means.

Nothing here is a store. The warden's outbox is: until the warden hears `Delivered`, it will give a message again.
"""

from collections import OrderedDict
from enum import Enum

import msgspec

from overt.protocol import limits, topics
from overt.protocol.errors import Malformed
from overt.protocol.messages import Delivered, Publish, Undeliverable
from overt.protocol.topics import Down, Topic, Up

WAITING_MAX = 256
"""Beyond so many messages the uplink reads no more from the warden until the broker has taken some."""

SETTLE_S = 0.25
"""So long must the link outlive an acknowledgement before the warden may forget a message.

Mosquitto acknowledges a message first and saves it a moment later: killed in between, it has acknowledged what it no
longer has. A link that breaks so soon means that the message is sent again; the far end counts it once.
"""
NEWEST_COUNTS = frozenset({Up.STATUS, Up.HEALTH, Up.CHECKPOINT})
"""Of these only the newest matters: one that still waits is dropped when the next comes."""

# MQTT 5, 2.4. What the uplink refuses by itself it answers in the broker's own words.
TOPIC_NAME_INVALID = 0x90
PACKET_TOO_LARGE = 0x95
RETAIN_NOT_SUPPORTED = 0x9A
_REFUSED = 0x80
_TEMPORARY = frozenset({0x83, 0x97})  # implementation specific error (out of store, say); quota exceeded

_SEALED_OVERHEAD = 64 * 1024  # age: a header, and 16 bytes for each 64 KiB
INBOUND_MAX_BYTES = limits.WATCHLIST_MAX_BYTES + _SEALED_OVERHEAD


class Later(Enum):
    """The broker has no room just now."""

    LATER = "later"


class Own(msgspec.Struct, frozen=True):
    """Whose uplink this is."""

    force: str
    unit: str

    def topic(self, leaf: Up | Down) -> str:
        """Return one of the unit's own topics."""
        return str(Topic(force=self.force, unit=self.unit, leaf=leaf))

    def subscriptions(self) -> tuple[str, ...]:
        """Return what the unit listens to: its own and nothing else."""
        return tuple(self.topic(leaf) for leaf in Down)


def refuse_to_publish(publish: Publish, own: Own) -> int | None:
    """Return the reason code for which a message must not even be tried, or None.

    An alert is never retained, whatever it is asked: a broker would hand an old one to whoever comes next.
    """
    leaf = _own_leaf(publish.topic, own)
    if not isinstance(leaf, Up):
        return TOPIC_NAME_INVALID
    if publish.retain and leaf not in topics.RETAINED:
        return RETAIN_NOT_SUPPORTED
    if leaf is Up.ALERT and len(publish.payload) > limits.ALERT_MAX_BYTES:
        return PACKET_TOO_LARGE
    return None


def refuse_to_hand_on(topic: str, size: int, own: Own) -> str | None:
    """Return why something from the broker is not for the warden, in a word, or None."""
    leaf = _own_leaf(topic, own)
    if not isinstance(leaf, Down):
        return "topic"
    if size == 0:
        return "empty"
    limit = INBOUND_MAX_BYTES if leaf is Down.WATCHLIST else limits.DOCUMENT_MAX_BYTES
    return "too_large" if size > limit else None


class Waiting:
    """Messages between the warden's outbox and the broker's safe keeping, in the warden's order."""

    def __init__(self) -> None:
        self._messages: OrderedDict[int, tuple[Publish, float]] = OrderedDict()
        self._on_the_way: dict[int, int] = {}
        self._sent: set[int] = set()
        self._settling: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether the warden has to wait."""
        return len(self._messages) >= WAITING_MAX

    @property
    def on_the_way(self) -> int:
        """How many have been sent and not been answered."""
        return len(self._on_the_way)

    def add(self, publish: Publish, now: float) -> None:
        """Take a message. One that waits already (the warden gives it again after a lost link) is not taken twice."""
        if publish.id in self._messages:
            return
        if _newest_counts(publish):
            outdated = (item.id for item, _ in self._messages.values() if item.topic == publish.topic)
            for id_ in [id_ for id_ in outdated if id_ not in self._sent]:
                del self._messages[id_]
        self._messages[publish.id] = (publish, now)

    def next(self) -> Publish | None:
        """Return the oldest that has not been sent."""
        return next((item for item, _ in self._messages.values() if item.id not in self._sent), None)

    def remaining_s(self, publish: Publish, now: float) -> int | None:
        """Return how long a message is still worth delivering; at least a second, so that the far end can say it."""
        if publish.expires_in_s is None:
            return None
        _, came = self._messages[publish.id]
        return max(1, publish.expires_in_s - int(now - came))

    def sent(self, publish: Publish, message_id: int) -> None:
        """Note that a message is on its way under the broker's id."""
        self._on_the_way[message_id] = publish.id
        self._sent.add(publish.id)

    def answered(self, message_id: int, reason_code: int, now: float) -> Delivered | Undeliverable | Later | None:
        """Return what to tell the warden after the broker's answer.

        Returns:
            `Later` when the refusal is temporary: the message is sent again after `retry` or `lost`. None when there is
            nothing to tell yet (see `settled`), or the broker answers what nobody asked.
        """
        id_ = self._on_the_way.pop(message_id, None)
        if id_ is None:
            return None
        if reason_code in _TEMPORARY:
            return Later.LATER
        if reason_code >= _REFUSED:
            self._forget(id_)
            return Undeliverable(id=id_, reason_code=reason_code)
        if _newest_counts(self._messages[id_][0]):
            self._forget(id_)
            return Delivered(id=id_)
        self._settling[id_] = now + SETTLE_S
        return None

    def settled(self, now: float) -> list[Delivered]:
        """Return what the warden may forget, because the link has outlived its acknowledgement."""
        done = [id_ for id_, due in self._settling.items() if due <= now]
        for id_ in done:
            del self._settling[id_]
            self._forget(id_)
        return [Delivered(id=id_) for id_ in done]

    def settles_in(self, now: float) -> float | None:
        """Return how long until the next is settled, or None when none is about to."""
        return max(0.0, next(iter(self._settling.values())) - now) if self._settling else None

    def lost(self) -> None:
        """Forget what was on its way or not settled: it is sent again, in order."""
        self._on_the_way.clear()
        self._settling.clear()
        self._sent.clear()

    def retry(self) -> None:
        """Let what was refused for the time being be sent again."""
        self._sent = set(self._on_the_way.values()) | set(self._settling)

    def _forget(self, id_: int) -> None:
        self._messages.pop(id_, None)
        self._sent.discard(id_)


def _newest_counts(publish: Publish) -> bool:
    return publish.topic.rpartition("/")[2] in NEWEST_COUNTS


def _own_leaf(topic: str, own: Own) -> Up | Down | None:
    try:
        parsed = topics.parse(topic)
    except Malformed:
        return None
    return parsed.leaf if (parsed.force, parsed.unit) == (own.force, own.unit) else None
