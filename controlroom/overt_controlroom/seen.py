"""What a control room remembers: the values that judging reads and adds, wherever they are kept."""

from datetime import UTC, datetime
from typing import Protocol

import msgspec


class Counted(msgspec.Struct, frozen=True):
    """An alert that was counted: its order, unit and number, its id, the digest of what was signed.

    `forget` is when it is to be forgotten, in microseconds since 1970.
    """

    order: str
    unit: str
    sequence: int
    alert: str
    digest: str
    forget: int


class Missing(msgspec.Struct, frozen=True):
    """Numbers that the unit gave and whose alerts have not come, `first` to `last`, both included."""

    order: str
    unit: str
    first: int
    last: int
    forget: int


class Latest(msgspec.Struct, frozen=True):
    """The newest report of a kind that a key signed. `sent` in microseconds since 1970."""

    key: str
    leaf: str
    sent: int
    digest: str


class Reported(msgspec.Struct, frozen=True):
    """A receipt or certificate that has come."""

    digest: str
    received: int


class Head(msgspec.Struct, frozen=True):
    """The head of a unit's log as a checkpoint named it: so many records, this head, last said at `sent`."""

    key: str
    records: int
    head: str
    sent: int


Note = Counted | Missing | Latest | Reported | Head
"""What judging a message adds to the memory."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    delta = time.astimezone(UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


class Seen(Protocol):
    """The memory, for reading."""

    def alert_at(self, order: str, unit: str, sequence: int) -> Counted | None:
        """Return what was counted under a number."""

    def alert_with_id(self, alert: str) -> Counted | None:
        """Return what was counted under an alert's id."""

    def highest(self, order: str, unit: str) -> int:
        """Return the highest number that is counted or known to be missing; 0 when there is none."""

    def is_missing(self, order: str, unit: str, sequence: int) -> bool:
        """Say whether a number is known to be missing."""

    def latest(self, key: str, leaf: str) -> Latest | None:
        """Return the newest report of a kind that a key signed."""

    def has_report(self, digest: str) -> bool:
        """Say whether a receipt or certificate has come before."""

    def head_at(self, key: str, records: int) -> Head | None:
        """Return the head that was named for a number of records."""

    def head_before(self, key: str, sent: int) -> Head | None:
        """Return the last head that was said no later than a time."""

    def head_after(self, key: str, sent: int) -> Head | None:
        """Return the first head that was said later than a time."""
