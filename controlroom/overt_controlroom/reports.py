"""Reports in the clear: status, health, checkpoint, receipt, certificates of erasure and of return. Pure."""

from datetime import datetime

import msgspec

from overt.protocol import envelope, limits
from overt.protocol.envelope import Envelope
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.reports import Checkpoint, Erasure, HandBack, Health, Receipt, Status
from overt.protocol.topics import CARRIES, Topic, Up
from overt.protocol.vocabulary import Kind, Refusal
from overt_controlroom.events import (
    CheckpointSeen,
    Duplicate,
    ErasureSeen,
    Event,
    HandBackSeen,
    HealthSeen,
    ReceiptSeen,
    StatusSeen,
)
from overt_controlroom.seen import Head, Latest, Note, Reported, Seen, microseconds
from overt_controlroom.trust import Trust
from overt_controlroom.verdict import Claim, Message, Verdict, claim_of, refusal, require_source, signers_of


def judge_report(message: Message, topic: Topic, trust: Trust, seen: Seen) -> Verdict:
    """Judge what came on one of a unit's other topics.

    Raises:
        ProtocolError: It is not a report of that unit.
    """
    parsed = envelope.parse(message.payload)
    if parsed.kind not in CARRIES[Up(topic.leaf)]:
        raise Malformed(f"expected a {topic.leaf.value}, found a {parsed.kind.value}")
    key = min(signers_of(parsed, topic.unit, trust))
    match parsed.kind:
        case Kind.STATUS:
            return _judge_status(message, parsed, topic, key, trust, seen)
        case Kind.HEALTH:
            return _judge_health(message, parsed, topic, key, trust, seen)
        case Kind.CHECKPOINT:
            return _judge_checkpoint(message, parsed, topic, key, trust, seen)
        case Kind.RECEIPT:
            receipt = envelope.decode(parsed, Receipt)
            require_source(receipt.force, receipt.unit, topic.unit, trust)
            return _once(message, parsed, topic, seen, ReceiptSeen(received=message.received, receipt=receipt))
        case Kind.HANDBACK:
            back = envelope.decode(parsed, HandBack)
            require_source(back.force, back.unit, topic.unit, trust)
            returned = HandBackSeen(received=message.received, handback=back, envelope=message.payload)
            return _once(message, parsed, topic, seen, returned)
        case _:
            erasure = envelope.decode(parsed, Erasure)
            require_source(erasure.force, erasure.unit, topic.unit, trust)
            shown = ErasureSeen(received=message.received, erasure=erasure, envelope=message.payload)
            verdict = _once(message, parsed, topic, seen, shown)
            return Verdict(
                verdict.events, verdict.notes, claim_of(message, trust, erasure.order, topic.unit, erasure.alerts)
            )


def _judge_status(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    status = envelope.decode(parsed, Status)
    require_source(status.force, status.unit, topic.unit, trust)
    claim = claim_of(message, trust, status.order, topic.unit, status.last_sequence)
    known = seen.latest(key, topic.leaf.value)
    if known is not None and known.digest == parsed.digest() and message.retained:
        return Verdict((StatusSeen(received=message.received, status=status),), (), claim)  # what holds still holds
    shown = StatusSeen(received=message.received, status=status)
    return _newest(message, parsed, topic, key, status.sent, known, shown, claim)


def _judge_health(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    health = envelope.decode(parsed, Health)
    require_source(health.force, health.unit, topic.unit, trust)
    claim = claim_of(message, trust, health.order, topic.unit, health.last_sequence)
    shown = HealthSeen(received=message.received, health=health)
    return _newest(message, parsed, topic, key, health.sent, seen.latest(key, topic.leaf.value), shown, claim)


def _judge_checkpoint(message: Message, parsed: Envelope, topic: Topic, key: str, trust: Trust, seen: Seen) -> Verdict:
    checkpoint = envelope.decode(parsed, Checkpoint)
    require_source(checkpoint.force, checkpoint.unit, topic.unit, trust)
    known = seen.latest(key, topic.leaf.value)
    if known is not None and known.digest == parsed.digest():
        return Verdict((Duplicate(received=message.received, unit=topic.unit, what=topic.leaf.value),))
    head = Head(key, checkpoint.records, checkpoint.head, microseconds(checkpoint.sent))
    _require_grown(head, seen)
    notes: list[Note] = [head]
    if known is None or known.sent < head.sent:
        notes.append(Latest(key, topic.leaf.value, head.sent, parsed.digest()))
    claim = claim_of(message, trust, checkpoint.order, topic.unit, checkpoint.last_sequence)
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
