"""What judging takes and gives, and what judging alerts and judging reports have in common."""

from datetime import datetime

import msgspec

from overt.protocol.envelope import Envelope
from overt.protocol.errors import NotAuthorised, ProtocolError
from overt.protocol.topics import Up
from overt.protocol.vocabulary import Refusal
from overt_controlroom.events import Event, Gap, Refused, clean
from overt_controlroom.seen import Missing, Note, Seen, microseconds
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


def signers_of(parsed: Envelope, unit: str, trust: Trust) -> frozenset[str]:
    """Return which of the keys that orders give to a unit have signed; at least one.

    Raises:
        ProtocolError: No order names the unit, or none of its keys has signed.
    """
    keys = trust.keys_of(unit)
    if not keys:
        raise ProtocolError(
            Refusal.NO_ORDER, f"no order here names a unit {clean(unit, 32)}, so nothing it says counts"
        )
    signers = parsed.signers(keys)
    if not signers:
        raise NotAuthorised(f"expected a {parsed.kind.value} signed by {unit}, found no such signature")
    return signers


def require_source(force: str, unit: str, topic_unit: str, trust: Trust) -> None:
    """Check that a report says of itself what its topic says.

    Raises:
        ProtocolError: `WRONG_FORCE` or `WRONG_UNIT`.
    """
    if force != trust.force:
        raise ProtocolError(Refusal.WRONG_FORCE, f"expected a report to {trust.force}, found one to {force}")
    if unit != topic_unit:
        raise ProtocolError(Refusal.WRONG_UNIT, f"expected a report of {topic_unit}, as its topic says, found {unit}'s")


def claim_of(message: Message, trust: Trust, order: str | None, unit: str, last: int) -> Claim | None:
    """Return what a unit says of its numbering, if that is worth following up."""
    checked = trust.orders.get(order) if order else None
    if checked is None or last == 0 or message.received >= forget_at(checked.document):
        return None
    return Claim(checked.digest, unit, last, microseconds(forget_at(checked.document)))
