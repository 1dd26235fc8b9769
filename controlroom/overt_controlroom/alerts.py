"""Alerts: authentic, counted once, lawful under their order. Pure."""

from datetime import datetime, timedelta

from overt.protocol import envelope, limits
from overt.protocol.authority import Checked
from overt.protocol.documents import Order
from overt.protocol.errors import NotAuthorised, ProtocolError
from overt.protocol.reports import Alert
from overt.protocol.sealing import unseal
from overt.protocol.vocabulary import Kind, Refusal
from overt_controlroom.events import AlertSeen, Duplicate, Event, GapClosed
from overt_controlroom.seen import Counted, Missing, Note, Seen, microseconds
from overt_controlroom.trust import Trust, forget_at
from overt_controlroom.verdict import Message, Verdict, gap, refusal, require_source, signers_of


def judge_alert(message: Message, unit: str, trust: Trust, identity: str, seen: Seen) -> Verdict:
    """Judge what came on a unit's alert topic.

    Raises:
        ProtocolError: It is not an alert of that unit under an order that is trusted here.
    """
    if len(message.payload) > limits.ALERT_MAX_BYTES:
        raise ProtocolError(
            Refusal.TOO_LARGE, f"expected an alert of at most {limits.ALERT_MAX_BYTES:,} bytes, found a larger one"
        )
    parsed = envelope.parse(unseal(message.payload, identity), Kind.ALERT)
    signers = signers_of(parsed, unit, trust)
    alert = envelope.decode(parsed, Alert)
    order = trust.orders.get(alert.order)
    if order is None:
        raise ProtocolError(Refusal.NO_ORDER, f"this alert is under an order that is not here: {alert.order[:12]}…")
    if not any(trust.names(order.digest, unit, key) for key in signers):
        raise NotAuthorised(f"expected an alert signed with the key that its order names for {unit}, found another key")
    require_source(alert.force, alert.unit, unit, trust)
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
