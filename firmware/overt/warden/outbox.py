"""What is on its way out of the unit: alerts with their numbers, receipts, certificates. Kept until a broker has it."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from overt.protocol.audit import Event, Fact, Moment
from overt.protocol.topics import ROOT
from overt.warden.logbook import Logbook

Sealer = Callable[[int], tuple[str, bytes, datetime, dict[str, Fact]]]
"""Given an alert's number, returns topic, payload, expiry, and the facts to log."""


class Parcel(msgspec.Struct, frozen=True):
    """Something on its way out."""

    id: int
    topic: str
    payload: bytes
    expires: float


class Counts(msgspec.Struct, frozen=True):
    """What is counted of a deployment."""

    alerts: int
    templates_made: int
    templates_wiped: int


class Outbox(Logbook):
    """The outbox. An alert's number, log record and parcel are one transaction: all three are durable or none."""

    def number_alert(self, order: str, at: Moment, seal: Sealer) -> int:
        """Give an alert its number, log it and put it in the outbox, as one transaction.

        Args:
            order: The order's digest.
            at: Now.
            seal: Given the number, returns topic, payload, expiry and the facts to log.

        Returns:
            The number.

        Raises:
            StorageFailed: Not durable; the number is free again.
        """
        with self._transaction():
            number = self.counts(order).alerts + 1
            topic, payload, expires, facts = seal(number)
            self._count(order, alerts=1)
            self._append(at, Event.ALERT_RAISED, {"sequence": number, **facts})
            self._put(topic, payload, expires)
        return number

    def put(self, topic: str, payload: bytes, expires: datetime) -> None:
        """Put something in the outbox.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._put(topic, payload, expires)

    def waiting(self, after: int, most: int, force: str = "*") -> list[Parcel]:
        """Return what waits for delivery, to one force or to any, with an id above `after`, oldest first.

        Raises:
            StorageFailed: It cannot be read.
        """
        query = (
            "SELECT id, topic, payload, expires FROM outbox WHERE id > ? AND reason IS NULL AND topic GLOB ?"
            " ORDER BY id LIMIT ?"
        )
        return [Parcel(*row) for row in self._read(query, after, f"{ROOT}/{force}/*", most)]

    def waiting_count(self) -> int:
        """Return how much waits for delivery.

        Raises:
            StorageFailed: It cannot be read.
        """
        return int(self._read("SELECT count(*) FROM outbox WHERE reason IS NULL")[0][0])

    def delivered(self, id_: int) -> None:
        """Forget something that the broker has acknowledged.

        Raises:
            StorageFailed: It stays, and will be sent once more.
        """
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE id = ?", (id_,))

    def undeliverable(self, at: Moment, id_: int, reason: int) -> None:
        """Set something aside that the broker refuses for good, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("UPDATE outbox SET reason = ? WHERE id = ?", (reason, id_))
            self._append(at, Event.PARCEL_REFUSED, {"parcel": id_, "reason_code": reason})

    def expire(self, at: Moment, now: datetime) -> int:
        """Delete what has outlived its time (alerts: 24 hours at most), and log how many.

        Raises:
            StorageFailed: It could not be made durable.
        """
        past = (now.timestamp(),)
        if not self._read("SELECT 1 FROM outbox WHERE expires <= ? LIMIT 1", *past):
            return 0
        with self._transaction():
            count = self._db.execute("DELETE FROM outbox WHERE expires <= ?", past).rowcount
            self._append(at, Event.PARCELS_EXPIRED, {"count": count})
        return int(count)

    def counts(self, order: str) -> Counts:
        """Return what was counted of a deployment.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT alerts, made, wiped FROM deployments WHERE digest = ?", order)
        return Counts(*rows[0]) if rows else Counts(0, 0, 0)

    def _count(self, order: str, alerts: int = 0, made: int = 0, wiped: int = 0) -> None:
        self._db.execute(
            "INSERT INTO deployments (digest, alerts, made, wiped) VALUES (?, ?, ?, ?) ON CONFLICT (digest)"
            " DO UPDATE SET alerts = alerts + excluded.alerts, made = made + excluded.made,"
            " wiped = wiped + excluded.wiped",
            (order, alerts, made, wiped),
        )

    def _put(self, topic: str, payload: bytes, expires: datetime) -> None:
        row = (topic, payload, expires.timestamp())
        self._db.execute("INSERT INTO outbox (topic, payload, expires) VALUES (?, ?, ?)", row)
