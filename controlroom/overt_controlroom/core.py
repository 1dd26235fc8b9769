"""What a message means: bytes, trusted values, and what was seen before, in; events, and what to remember, out.

Pure: no socket, no file, no clock. Nothing is decoded before its signature is known to be good.
"""

from datetime import datetime, timedelta

import msgspec

from overt.protocol import envelope, limits, topics
from overt.protocol.authority import Checked
from overt.protocol.documents import Order
from overt.protocol.envelope import Envelope
from overt.protocol.errors import Malformed, NotAuthorised, ProtocolError
from overt.protocol.reports import Alert, Checkpoint, Erasure, Health, Receipt, Status
from overt.protocol.sealing import unseal
from overt.protocol.topics import CARRIES, Topic, Up
from overt.protocol.vocabulary import Kind, Refusal
from overt_controlroom.events import (
    AlertSeen,
    CheckpointSeen,
    Duplicate,
    ErasureSeen,
    Event,
    Gap,
    GapClosed,
    HealthSeen,
    ReceiptSeen,
    Refused,
    StatusSeen,
    clean,
)
from overt_controlroom.seen import Counted, Head, Latest, Missing, Note, Reported, Seen, microseconds
from overt_controlroom.trust import Trust, forget_at

TRAILING_PATIENCE_S = 5.0
"""A number that the unit has given and whose alert has not come after so long is a gap: it may have been on its way."""


class Message(msgspec.Struct, frozen=True):
    """What came from the broker, and when."""

    topic: str
    payload: bytes
    retained: bool
    received: datetime


class Claim(msgspec.Struct, frozen=True):
    """A unit says that it has numbered its alerts under an order up to here."""

    order: str
    unit: str
    last: int
    forget: int


class Verdict(msgspec.Struct, frozen=True):
    """What a message means.

    Attributes:
        events: What to say, in order.
        notes: What to remember.
        claim: What the unit says of its numbering, to be held against what comes.
    """

    events: tuple[Event, ...] = ()
    notes: tuple[Note, ...] = ()
    claim: Claim | None = None


def judge(message: Message, trust: Trust, identity: str, seen: Seen) -> Verdict:
    """Judge one message.

    Args:
        message: As it came.
        trust: What to hold it against.
        identity: The control room's age identity, for alerts.
        seen: What was seen before.
    """
    try:
        topic = _own_topic(message.topic, trust)
        if topic.leaf is Up.ALERT:
            return _judge_alert(message, topic.unit, trust, identity, seen)
        return _judge_report(message, topic, trust, seen)
    except ProtocolError as error:
        return Verdict((refusal(message, error),))


def refusal(message: Message, error: ProtocolError) -> Refused:
    """Return the event for something that cannot be believed."""
    # Units that no order here names are other people's business: worth a word, not an alarm.
    loud = error.code is not Refusal.NO_ORDER or message.topic.endswith(f"/{Up.ALERT.value}")
    return Refused(
        received=message.received,
        topic=clean(message.topic, 128),
        code=error.code,
        detail=clean(error.detail),
        loud=loud,
    )


class Claims:
    """What units say of their numbering, until it has come true or has been pointed out as a gap."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], tuple[Claim, float]] = {}

    def add(self, claim: Claim, now_s: float) -> None:
        """Take a claim at a time (seconds of any steady clock). The first to claim a number starts its patience."""
        known = self._claims.get((claim.order, claim.unit))
        if known is None or claim.last > known[0].last:
            self._claims[claim.order, claim.unit] = (claim, now_s)

    def overdue(self, seen: Seen, now_s: float) -> list[Missing]:
        """Return what has not come in time. Each gap is returned once, provided it is then remembered."""
        found = []
        for key, (claim, since) in list(self._claims.items()):
            first = seen.highest(claim.order, claim.unit) + 1
            late = now_s - since >= TRAILING_PATIENCE_S
            if late and first <= claim.last:
                found.append(Missing(claim.order, claim.unit, first, claim.last, claim.forget))
            if late or first > claim.last:
                del self._claims[key]
        return found


def gap(missing: Missing, received: datetime) -> Gap:
    """Return the event for missing alerts."""
    numbers = str(missing.first) if missing.first == missing.last else f"{missing.first} to {missing.last}"
    return Gap(
        received=received,
        unit=missing.unit,
        order=missing.order,
        first=missing.first,
        last=missing.last,
        detail=f"{missing.unit} numbered alerts that have not come: {numbers}",
    )


def _own_topic(text: str, trust: Trust) -> Topic:
    topic = topics.parse(text)
    if topic.force != trust.force:
        raise ProtocolError(Refusal.WRONG_FORCE, f"expected a topic of {trust.force}, found another force's")
    if not isinstance(topic.leaf, Up):
        raise Malformed("expected something that a unit publishes, found a topic that it listens to")
    return topic


def _judge_alert(message: Message, unit: str, trust: Trust, identity: str, seen: Seen) -> Verdict:
    if len(message.payload) > limits.ALERT_MAX_BYTES:
        raise ProtocolError(
            Refusal.TOO_LARGE, f"expected an alert of at most {limits.ALERT_MAX_BYTES:,} bytes, found a larger one"
        )
    parsed = envelope.parse(unseal(message.payload, identity), Kind.ALERT)
    signers = _signers(parsed, unit, trust)
    alert = envelope.decode(parsed, Alert)
    order = trust.orders.get(alert.order)
    if order is None:
        raise ProtocolError(Refusal.NO_ORDER, f"this alert is under an order that is not here: {alert.order[:12]}…")
    if not any(trust.names(order.digest, unit, key) for key in signers):
        raise NotAuthorised(f"expected an alert signed with the key that its order names for {unit}, found another key")
    _require_source(alert.force, alert.unit, unit, trust)
    return _count(message, alert, parsed.digest(), order, seen)


def _count(message: Message, alert: Alert, digest: str, order: Checked[Order], seen: Seen) -> Verdict:
    """Count an authentic alert once, and only then ask whether it is one that may be acted on."""
    forget = forget_at(order.document)
    if message.received >= forget:
        raise ProtocolError(Refusal.EXPIRED, f"alert {alert.sequence} of {alert.unit} is of a deployment long over")
    known = seen.alert_at(alert.order, alert.unit, alert.sequence)
    if known is not None and known.digest == digest:
        return Verdict((Duplicate(received=message.received, unit=alert.unit, what="alert", sequence=alert.sequence),))
    if known is not None or seen.alert_with_id(alert.id) is not None:
        raise ProtocolError(
            Refusal.REPLAYED,
            f"alert {alert.sequence} of {alert.unit} has come before with other content: one of the two is not genuine",
        )
    notes: list[Note] = [Counted(alert.order, alert.unit, alert.sequence, alert.id, digest, microseconds(forget))]
    events: list[Event] = []
    highest = seen.highest(alert.order, alert.unit)
    if alert.sequence > highest + 1:
        missing = Missing(alert.order, alert.unit, highest + 1, alert.sequence - 1, microseconds(forget))
        notes.append(missing)
        events.append(gap(missing, message.received))
    elif seen.is_missing(alert.order, alert.unit, alert.sequence):
        events.append(GapClosed(received=message.received, unit=alert.unit, order=alert.order, sequence=alert.sequence))
    try:
        _require_lawful(alert, order.document, message.received)
    except ProtocolError as error:
        events.append(refusal(message, error))
    else:
        latency = (message.received - alert.captured) / timedelta(milliseconds=1)
        events.append(AlertSeen(received=message.received, alert=alert, latency_ms=round(latency, 3)))
    return Verdict(tuple(events), tuple(notes))


def _require_lawful(alert: Alert, order: Order, now: datetime) -> None:
    """Hold an alert against its order.

    Raises:
        ProtocolError: It is not one that the order allows, or it is too old to act on.
    """
    if alert.threshold != order.threshold or alert.score < alert.threshold:
        raise ProtocolError(
            Refusal.LIMIT,
            f"expected a score above the order's threshold {order.threshold}, "
            f"found {alert.score} above {alert.threshold}",
        )
    if alert.model != order.model:
        raise ProtocolError(Refusal.WRONG_MODEL, "this alert was made with another model than its order names")
    if alert.category not in order.categories:
        raise ProtocolError(Refusal.LIMIT, "this alert is of a category that its order does not permit (O2)")
    if not order.window.start <= alert.captured < order.window.end:
        raise ProtocolError(Refusal.LIMIT, "this alert was captured outside its order's window")
    keep = min(timedelta(hours=order.retention.alerts_hours), limits.ALERT_MAX_RETENTION)
    if alert.expires - max(alert.captured, alert.published) > keep + limits.CLOCK_TOLERANCE:
        raise ProtocolError(Refusal.LIMIT, "this alert asks to be kept longer than its order allows (O11)")
    if now >= alert.expires:
        raise ProtocolError(Refusal.EXPIRED, f"alert {alert.sequence} of {alert.unit} came after it had expired")


def _judge_report(message: Message, topic: Topic, trust: Trust, seen: Seen) -> Verdict:
    parsed = envelope.parse(message.payload)
    if parsed.kind not in CARRIES[Up(topic.leaf)]:
        raise Malformed(f"expected a {topic.leaf.value}, found a {parsed.kind.value}")
    key = min(_signers(parsed, topic.unit, trust))
    match parsed.kind:
        case Kind.STATUS:
            return _judge_status(message, parsed, topic, key, trust, seen)
        case Kind.HEALTH:
            return _judge_health(message, parsed, topic, key, trust, seen)
        case Kind.CHECKPOINT:
            return _judge_checkpoint(message, parsed, topic, key, trust, seen)
        case Kind.RECEIPT:
            receipt = envelope.decode(parsed, Receipt)
            _require_source(receipt.force, receipt.unit, topic.unit, trust)
            return _once(message, parsed, topic, seen, ReceiptSeen(received=message.received, receipt=receipt))
        case _:
            erasure = envelope.decode(parsed, Erasure)
            _require_source(erasure.force, erasure.unit, topic.unit, trust)
            shown = ErasureSeen(received=message.received, erasure=erasure, envelope=message.payload)
            verdict = _once(message, parsed, topic, seen, shown)
            return Verdict(
                verdict.events, verdict.notes, _claim(message, trust, erasure.order, topic.unit, erasure.alerts)
            )


def _judge_status(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    status = envelope.decode(parsed, Status)
    _require_source(status.force, status.unit, topic.unit, trust)
    claim = _claim(message, trust, status.order, topic.unit, status.last_sequence)
    known = seen.latest(key, topic.leaf.value)
    if known is not None and known.digest == parsed.digest() and message.retained:
        return Verdict((StatusSeen(received=message.received, status=status),), (), claim)  # what holds still holds
    shown = StatusSeen(received=message.received, status=status)
    return _newest(message, parsed, topic, key, status.sent, known, shown, claim)


def _judge_health(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    health = envelope.decode(parsed, Health)
    _require_source(health.force, health.unit, topic.unit, trust)
    claim = _claim(message, trust, health.order, topic.unit, health.last_sequence)
    shown = HealthSeen(received=message.received, health=health)
    return _newest(message, parsed, topic, key, health.sent, seen.latest(key, topic.leaf.value), shown, claim)


def _judge_checkpoint(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    checkpoint = envelope.decode(parsed, Checkpoint)
    _require_source(checkpoint.force, checkpoint.unit, topic.unit, trust)
    known = seen.latest(key, topic.leaf.value)
    if known is not None and known.digest == parsed.digest():
        return Verdict((Duplicate(received=message.received, unit=topic.unit, what=topic.leaf.value),))
    head = Head(key, checkpoint.records, checkpoint.head, microseconds(checkpoint.sent))
    _require_grown(head, seen)
    notes: list[Note] = [head]
    if known is None or known.sent < head.sent:
        notes.append(Latest(key, topic.leaf.value, head.sent, parsed.digest()))
    claim = _claim(message, trust, checkpoint.order, topic.unit, checkpoint.last_sequence)
    return Verdict((CheckpointSeen(received=message.received, checkpoint=checkpoint),), tuple(notes), claim)


def _require_grown(head: Head, seen: Seen) -> None:
    """Check that a log only ever grew.

    Raises:
        ProtocolError: `ROLLED_BACK`: it was cut or rewritten.
    """
    same = seen.head_at(head.key, head.records)
    if same is not None and same.head != head.head:
        raise ProtocolError(
            Refusal.ROLLED_BACK, f"the unit's log has another head at {head.records} records than it had before"
        )
    before, after = seen.head_before(head.key, head.sent), seen.head_after(head.key, head.sent)
    if before is not None and before.records > head.records:
        raise ProtocolError(
            Refusal.ROLLED_BACK, f"the unit's log had {before.records} records and now has {head.records}: it was cut"
        )
    if after is not None and after.records < head.records:
        raise ProtocolError(
            Refusal.ROLLED_BACK, f"the unit's log had {head.records} records and later {after.records}: it was cut"
        )


def _newest(  # what every report that replaces its predecessor has in common
    message: Message,
    parsed: Envelope,
    topic: Topic,
    key: str,
    sent: datetime,
    known: Latest | None,
    shown: Event,
    claim: Claim | None,
) -> Verdict:
    digest, at = parsed.digest(), microseconds(sent)
    if known is not None and known.digest == digest:
        return Verdict((Duplicate(received=message.received, unit=topic.unit, what=topic.leaf.value),))
    if known is not None and at < known.sent:
        late = ProtocolError(Refusal.REPLAYED, f"this {topic.leaf.value} is older than one that has come before")
        return Verdict((msgspec.structs.replace(refusal(message, late), loud=False),))
    # A time ahead of ours is a doubtful clock's: shown, but not what later reports are held against.
    ahead = sent > message.received + limits.CLOCK_TOLERANCE
    return Verdict((shown,), () if ahead else (Latest(key, topic.leaf.value, at, digest),), claim)


def _once(message: Message, parsed: Envelope, topic: Topic, seen: Seen, shown: Event) -> Verdict:
    digest = parsed.digest()
    if seen.has_report(digest):
        return Verdict((Duplicate(received=message.received, unit=topic.unit, what=parsed.kind.value),))
    return Verdict((shown,), (Reported(digest, microseconds(message.received)),))


def _signers(parsed: Envelope, unit: str, trust: Trust) -> frozenset[str]:
    keys = trust.keys_of(unit)
    if not keys:
        raise ProtocolError(
            Refusal.NO_ORDER, f"no order here names a unit {clean(unit, 32)}, so nothing it says counts"
        )
    signers = parsed.signers(keys)
    if not signers:
        raise NotAuthorised(f"expected a {parsed.kind.value} signed by {unit}, found no such signature")
    return signers


def _require_source(force: str, unit: str, topic_unit: str, trust: Trust) -> None:
    if force != trust.force:
        raise ProtocolError(Refusal.WRONG_FORCE, f"expected a report to {trust.force}, found one to {force}")
    if unit != topic_unit:
        raise ProtocolError(Refusal.WRONG_UNIT, f"expected a report of {topic_unit}, as its topic says, found {unit}'s")


def _claim(message: Message, trust: Trust, order: str | None, unit: str, last: int) -> Claim | None:
    checked = trust.orders.get(order) if order else None
    if checked is None or last == 0 or message.received >= forget_at(checked.document):
        return None
    return Claim(checked.digest, unit, last, microseconds(forget_at(checked.document)))
