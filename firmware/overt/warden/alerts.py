"""From sightings to alerts: once per entry and passage, complete, signed by the unit, for the order's rooms alone. Pure."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from overt.protocol import limits, sealing
from overt.protocol.documents import Entry, FixedSite
from overt.protocol.messages import Sighting
from overt.protocol.reports import Alert
from overt.protocol.topics import Topic, Up
from overt.protocol.vocabulary import Category, ClockQuality
from overt.warden.vault import Deployment

_NS = 1_000_000_000


class Listed(msgspec.Struct, frozen=True):
    """What the warden remembers of an entry while its deployment lasts: no template."""

    reference: str
    category: Category

    @classmethod
    def of(cls, entry: Entry) -> "Listed":
        """Take what is needed of an entry."""
        return cls(entry.reference, entry.category)


class Passages:
    """Knows which entries were seen a moment ago, so that one passage raises one alert."""

    def __init__(self) -> None:
        self._last_ns: dict[int, int] = {}

    def is_new(self, sighting: Sighting) -> bool:
        """Say whether this sighting begins a passage."""
        last = self._last_ns.get(sighting.entry)
        gap_ns = int(limits.PASSAGE_GAP.total_seconds() * _NS)
        return last is None or sighting.captured_ns - last > gap_ns

    def remember(self, sighting: Sighting) -> None:
        """Take note of a sighting. Seeing the entry again prolongs its passage."""
        self._last_ns[sighting.entry] = max(sighting.captured_ns, self._last_ns.get(sighting.entry, 0))


def time_of(nanoseconds: int) -> datetime:
    """Return a Unix time in nanoseconds as a time, to the microsecond."""
    seconds, rest = divmod(nanoseconds, _NS)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1000)


def objection(sighting: Sighting, deployment: Deployment, entries: int, now: datetime) -> str | None:
    """Return why a sighting cannot be true, as a word for the log; None when it can."""
    captured, window = time_of(sighting.captured_ns), deployment.order.window
    if sighting.order != deployment.digest:
        return "other_order"
    if sighting.entry >= entries:
        return "no_such_entry"
    if sighting.score < deployment.order.threshold:
        return "below_threshold"
    if captured > now + limits.CLOCK_TOLERANCE or time_of(sighting.decided_ns) > now + limits.CLOCK_TOLERANCE:
        return "from_the_future"
    if not window.start <= captured < window.end:
        return "outside_window"
    return None


class Context(msgspec.Struct, frozen=True):
    """What every alert of a deployment shares."""

    force: str
    unit: str
    deployment: Deployment
    watchlist: str
    clock: ClockQuality
    place: FixedSite
    sign: Callable[[Alert], bytes]


def make(context: Context, sighting: Sighting, listed: Listed, number: int, now: datetime) -> Alert:
    """Return the alert for a sighting."""
    order = context.deployment.order
    margin = None if sighting.runner_up_score is None else sighting.score - sighting.runner_up_score
    return Alert(
        id=uuid7(now),
        force=context.force,
        unit=context.unit,
        order=context.deployment.digest,
        sequence=number,
        entry=listed.reference,
        category=listed.category,
        score=sighting.score,
        threshold=order.threshold,
        runner_up_margin=margin,
        model=order.model,
        watchlist=context.watchlist,
        captured=time_of(sighting.captured_ns),
        decided=time_of(sighting.decided_ns),
        published=now,
        expires=now + min(limits.ALERT_MAX_RETENTION, timedelta(hours=order.retention.alerts_hours)),
        clock=context.clock,
        place=context.place,
        track_ms=sighting.track_ms,
        track_frames=sighting.track_frames,
        face_px=sighting.face_px,
        quality=sighting.quality,
    )


def seal(context: Context, alert: Alert) -> tuple[str, bytes]:
    """Sign an alert and encrypt it to the order's control rooms.

    Returns:
        Topic and payload.
    """
    rooms = [room.recipient for room in context.deployment.order.control_rooms]
    topic = str(Topic(force=alert.force, unit=alert.unit, leaf=Up.ALERT))
    return topic, sealing.seal(context.sign(alert), rooms)


def uuid7(now: datetime) -> str:
    """Make a UUID of version 7 (RFC 9562, 5.7): 48 bits of Unix time in milliseconds, then random bits."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
