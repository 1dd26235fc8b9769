"""From sightings to alerts: once per entry and passage, complete, signed, for the order's rooms alone. Pure."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from overt.protocol import envelope, limits, sealing
from overt.protocol.audit import Fact
from overt.protocol.documents import FixedSite
from overt.protocol.messages import Sighting
from overt.protocol.reports import Alert
from overt.protocol.topics import Topic, Up
from overt.protocol.vocabulary import ClockQuality, Kind
from overt.warden.outbox import Sealer
from overt.warden.vault import Deployment
from overt.warden.watchlist import Listed

_NS = 1_000_000_000


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


def corrected(sighting: Sighting, correction: timedelta) -> Sighting:
    """Return a sighting with its times as they were by the unit's clock; vision has only the machine's."""
    if not correction:
        return sighting
    shift_ns = correction // timedelta(microseconds=1) * 1000
    times = (sighting.captured_ns, sighting.decided_ns)
    captured_ns, decided_ns = (max(0, time_ns + shift_ns) for time_ns in times)
    return msgspec.structs.replace(sighting, captured_ns=captured_ns, decided_ns=decided_ns)


def objection(sighting: Sighting, deployment: Deployment, listed: Sequence[Listed], now: datetime) -> str | None:
    """Return why a sighting cannot be true, as a word for the log; None when it can."""
    captured, window = time_of(sighting.captured_ns), deployment.order.window
    latest = now + limits.CLOCK_TOLERANCE
    if sighting.entry >= len(listed):
        return "no_such_entry"
    objections = {
        "other_order": sighting.order != deployment.digest,
        "below_threshold": sighting.score < deployment.order.threshold,
        "from_the_future": captured > latest or time_of(sighting.decided_ns) > latest,
        "outside_window": not window.start <= captured < window.end,
        "entry_expired": captured >= listed[sighting.entry].expires,
    }
    return next((why for why, holds in objections.items() if holds), None)


class Context(msgspec.Struct, frozen=True):
    """What every alert of a deployment shares."""

    force: str
    unit: str
    deployment: Deployment
    watchlist: str
    clock: ClockQuality
    place: FixedSite
    sign: Callable[[Alert], bytes]


def sealer(context: Context, sighting: Sighting, listed: Listed, now: datetime) -> Sealer:
    """Return what makes the alert of a sighting once its number is known: signed, encrypted, ready to go.

    The facts for the log say which alert it is, and nothing about anyone.
    """

    def seal(number: int) -> tuple[str, bytes, datetime, dict[str, Fact]]:
        alert = _make(context, sighting, listed, number, now)
        rooms = [room.recipient for room in context.deployment.order.control_rooms]
        topic = str(Topic(force=alert.force, unit=alert.unit, leaf=Up.ALERT))
        signed = context.sign(alert)
        digest = envelope.parse(signed, Kind.ALERT).digest()
        facts: dict[str, Fact] = {"alert": alert.id, "order": alert.order, "digest": digest}
        return topic, sealing.seal(signed, rooms), alert.expires, facts

    return seal


def _make(context: Context, sighting: Sighting, listed: Listed, number: int, now: datetime) -> Alert:
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


def uuid7(now: datetime) -> str:
    """Make a UUID of version 7 (RFC 9562, 5.7): 48 bits of Unix time in milliseconds, then random bits."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
