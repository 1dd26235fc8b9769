"""What a control room says, one event at a time. As JSON: one object a line, with `event` and `received`."""

import json
from datetime import datetime

import msgspec

from overt.protocol.reports import Alert, Checkpoint, Erasure, HandBack, Health, Receipt, Status
from overt.protocol.vocabulary import Refusal

NOTE = "possible match, for adjudication"


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=False):
    received: datetime


class AlertSeen(_Event, frozen=True, kw_only=True, tag="alert"):
    """A verified alert, counted now and never again. A possible match: a person judges it."""

    alert: Alert
    latency_ms: float
    note: str = NOTE


class Duplicate(_Event, frozen=True, kw_only=True, tag="duplicate"):
    """What was counted already has come again, as delivery at least once allows."""

    unit: str
    what: str
    sequence: int | None = None


class Gap(_Event, frozen=True, kw_only=True, tag="gap"):
    """Alerts that the unit numbered have not come: `first` to `last`, both included."""

    unit: str
    order: str
    first: int
    last: int
    detail: str


class GapClosed(_Event, frozen=True, kw_only=True, tag="gap_closed"):
    """An alert that was missing has come after all."""

    unit: str
    order: str
    sequence: int


class StatusSeen(_Event, frozen=True, kw_only=True, tag="status"):
    """What a unit is doing."""

    status: Status


class HealthSeen(_Event, frozen=True, kw_only=True, tag="health"):
    """A unit's counters."""

    health: Health


class ReceiptSeen(_Event, frozen=True, kw_only=True, tag="receipt"):
    """A unit's answer to a document."""

    receipt: Receipt


class ErasureSeen(_Event, frozen=True, kw_only=True, tag="erasure"):
    """A unit's certificate that a watchlist and its key are gone. `envelope` is the signed original, base64."""

    erasure: Erasure
    envelope: bytes


class HandBackSeen(_Event, frozen=True, kw_only=True, tag="handback"):
    """A unit's certificate that a loan is over. `envelope` is the signed original, base64."""

    handback: HandBack
    envelope: bytes


class CheckpointSeen(_Event, frozen=True, kw_only=True, tag="checkpoint"):
    """The head of a unit's audit log."""

    checkpoint: Checkpoint


class Refused(_Event, frozen=True, kw_only=True, tag="refused"):
    """Something that cannot be believed, and why.

    Attributes:
        topic: Where it came from, cleaned; or the name of a file.
        code: The reason, from the closed list.
        detail: One sentence.
        loud: Whether somebody should look into it: forgery, replay, a log that shrank.
    """

    topic: str
    code: Refusal
    detail: str
    loud: bool = True


class LinkChanged(_Event, frozen=True, kw_only=True, tag="link"):
    """The connection to the broker came or went."""

    up: bool
    detail: str


Event = (
    AlertSeen
    | Duplicate
    | Gap
    | GapClosed
    | StatusSeen
    | HealthSeen
    | ReceiptSeen
    | ErasureSeen
    | HandBackSeen
    | CheckpointSeen
    | Refused
    | LinkChanged
)


def to_json(event: Event) -> str:
    """Return an event as one line of plain ASCII: whatever a peer wrote, no terminal obeys it."""
    return json.dumps(msgspec.to_builtins(event), ensure_ascii=True, separators=(",", ":"))


def clean(text: str, longest: int = 200) -> str:
    """Return text from outside with everything that a terminal might obey made visible instead."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:longest])
