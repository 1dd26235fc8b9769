"""What survives a power cut: on top of the log and the outbox, which orders, loans and charters the unit has known."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from overt.protocol.audit import Event, Fact, Moment
from overt.protocol.vocabulary import Ending
from overt.warden.outbox import Outbox

Post = tuple[str, bytes, datetime]
"""Topic, payload, and when it is worth nothing any more."""


class Farewell(msgspec.Struct, frozen=True):
    """What an erasure certificate says of a deployment, kept until the certificate is made."""

    recipient: str
    watchlist: str | None
    entries: int
    templates: int


class Returned(msgspec.Struct, frozen=True):
    """What the certificates of a loan's return say."""

    deployments: int
    undelivered: int
    log_position: int
    log_head: str


class Store(Outbox):
    """The unit's durable memory. One process, one thread."""

    # Deployments

    def count_templates(self, at: Moment, order: str, made: int, wiped: int) -> None:
        """Add to the templates that vision made and wiped under an order, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._count(order, made=made, wiped=wiped)
            facts: dict[str, Fact] = {"order": order, "made": made, "wiped": wiped}
            self._append(at, Event.TEMPLATES_WIPED, facts)

    def spend(self, at: Moment, order: str, ending: Ending, farewell: Farewell | None) -> None:
        """Remember for ever that an order is over, and log it. Once; a second time changes nothing.

        Args:
            at: Now.
            order: The order's digest.
            ending: Why.
            farewell: What its erasure certificate will say; None when there is nothing to erase.

        Raises:
            StorageFailed: It could not be made durable.
        """
        if self.is_spent(order):
            return
        data = None if farewell is None else msgspec.json.encode(farewell)
        with self._transaction():
            self._count(order)
            self._db.execute(
                "UPDATE deployments SET ending = ?, farewell = ? WHERE digest = ?", (ending.value, data, order)
            )
            self._append(at, Event.DEPLOYMENT_OVER, {"order": order, "ending": ending.value})

    def is_spent(self, order: str) -> bool:
        """Say whether an order is over for good.

        Raises:
            StorageFailed: It cannot be read.
        """
        return bool(self._read("SELECT 1 FROM deployments WHERE digest = ? AND ending IS NOT NULL", order))

    def uncertified(self) -> list[tuple[str, Ending, Farewell]]:
        """Return the orders that are over and whose erasure has not been certified.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT digest, ending, farewell FROM deployments WHERE farewell IS NOT NULL")
        return [(digest, Ending(ending), msgspec.json.decode(data, type=Farewell)) for digest, ending, data in rows]

    def certify(self, at: Moment, order: str, make: Callable[[int, str], tuple[str, bytes, datetime]]) -> None:
        """Log that a deployment is erased and put its certificate in the outbox, as one transaction.

        Args:
            at: Now.
            order: The order's digest.
            make: Given the log's length and head with the new record, returns topic, payload and expiry.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._append(at, Event.DEPLOYMENT_ERASED, {"order": order})
            self._put(*make(*self.head()))
            self._db.execute("UPDATE deployments SET farewell = NULL WHERE digest = ?", (order,))

    # Loans and charters

    def lend(self, at: Moment, loan: str, borrower: str, version: int) -> None:
        """Remember that the unit is on loan, under this version of the borrower's charter, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("INSERT INTO loans (digest, borrower) VALUES (?, ?)", (loan, borrower))
            self._set_version(borrower, version)
            facts: dict[str, Fact] = {"loan": loan, "borrower": borrower, "version": version}
            self._append(at, Event.LOAN_ACCEPTED, facts)

    def was_lent(self, loan: str) -> bool:
        """Say whether a loan was accepted before.

        Raises:
            StorageFailed: It cannot be read.
        """
        return bool(self._read("SELECT 1 FROM loans WHERE digest = ?", loan))

    def open_loans(self) -> list[tuple[str, str, Ending | None]]:
        """Return the loans (one at most) whose return is not certified: digest, borrower, and why it ended if it has.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT digest, borrower, ending FROM loans WHERE certified = 0")
        return [(digest, borrower, Ending(ending) if ending else None) for digest, borrower, ending in rows]

    def end_loan(self, at: Moment, why: Ending) -> None:
        """Remember for ever that the loan in hand is over, and log it. Once; a second time changes nothing.

        Raises:
            StorageFailed: It could not be made durable.
        """
        for loan, _, ending in self.open_loans():
            if ending is None:
                with self._transaction():
                    self._db.execute("UPDATE loans SET ending = ? WHERE digest = ?", (why.value, loan))
                    self._append(at, Event.LOAN_OVER, {"loan": loan, "ending": why.value})

    def hand_back(self, at: Moment, loan: str, forgotten: str, make: Callable[[Returned], list[Post]]) -> None:
        """Drop what no broker has taken of the borrower's, log the return, and post its certificates: one transaction.

        Args:
            at: Now.
            loan: The loan's digest.
            forgotten: Topic pattern (SQLite's GLOB) of what is dropped.
            make: Given what was counted, and the log's length and head with the new record, returns the certificates.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            dropped = self._db.execute("DELETE FROM outbox WHERE topic GLOB ?", (forgotten,)).rowcount
            since = "SELECT max(position) FROM audit WHERE event = 'loan.accepted'"
            query = f"SELECT count(*) FROM audit WHERE event = 'order.accepted' AND position > ({since})"  # noqa: S608 - no text from outside
            (deployments,) = self._db.execute(query).fetchone()
            facts: dict[str, Fact] = {"loan": loan, "undelivered": dropped, "deployments": deployments}
            self._append(at, Event.LOAN_HANDED_BACK, facts)
            for post in make(Returned(deployments, dropped, *self.head())):
                self._put(*post)
            self._db.execute("UPDATE loans SET certified = 1 WHERE digest = ?", (loan,))

    def charter_version(self, force: str) -> int:
        """Return the highest version of a force's charter that this unit has known; 0 of none.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT version FROM charters WHERE force = ?", force)
        return int(rows[0][0]) if rows else 0

    def note_charter(self, at: Moment, force: str, version: int, digest: str) -> None:
        """Remember a charter's version and log it. Once; a second time changes nothing.

        Raises:
            StorageFailed: It could not be made durable.
        """
        if self.charter_version(force) >= version:
            return
        with self._transaction():
            self._set_version(force, version)
            facts: dict[str, Fact] = {"force": force, "version": version, "charter": digest}
            self._append(at, Event.CHARTER_ACCEPTED, facts)

    def _set_version(self, force: str, version: int) -> None:
        self._db.execute(
            "INSERT INTO charters VALUES (?, ?) ON CONFLICT (force)"
            " DO UPDATE SET version = max(version, excluded.version)",
            (force, version),
        )

    # The cable, and the end

    def cable_failures(self) -> int:
        """Return how many visits in a row were refused.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT failures FROM cable WHERE id = 1")
        return int(rows[0][0]) if rows else 0

    def count_cable_failures(self, failures: int) -> None:
        """Remember how many visits in a row were refused.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO cable VALUES (1, ?)", (failures,))

    def orders_known(self) -> int:
        """Return under how many orders the unit has worked, or was told that they are cancelled.

        Raises:
            StorageFailed: It cannot be read.
        """
        return int(self._read("SELECT COUNT(*) FROM deployments")[0][0])
