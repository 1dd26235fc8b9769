"""What the unit tells the world: signed, and either kept until it is delivered or replaced by the next."""

import time
from datetime import datetime, timedelta
from typing import Protocol

from overt import __version__
from overt.protocol import envelope, limits
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import Progress
from overt.protocol.reports import Challenge, Check, Checkpoint, Erasure, HandBack, Health, Inspection, Receipt, Status
from overt.protocol.topics import Topic, Up
from overt.protocol.vocabulary import Ending, Kind
from overt.warden.causes import causes
from overt.warden.core import Situation
from overt.warden.database import StorageCorrupt
from overt.warden.journal import Journal
from overt.warden.senses import Bearing
from overt.warden.store import Farewell, Post, Returned, Store
from overt.warden.vault import Deployment, Vault

_RECEIPT_LIFE = timedelta(hours=24)
_DETAIL_MAX = 200


class Outlet(Protocol):
    """Where reports go out."""

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish something of which only the newest matters."""

    def parcels_wait(self) -> None:
        """There is something new in the outbox."""


class Reporter:
    """Makes, signs and hands over the unit's reports."""

    def __init__(self, vault: Vault, store: Store, journal: Journal, outlet: Outlet) -> None:
        self._vault, self._store, self._journal, self._outlet = vault, store, journal, outlet
        self._unit = vault.config.unit
        self._keep_due = 0.0
        # What was last read, for reports that have to be made while storage cannot be read.
        self._numbered = ("", 0)
        self._position = 0

    @property
    def _force(self) -> str:
        """Whom the reports are for: the force that holds the unit now."""
        return self._vault.force

    def status(self, situation: Situation, deployment: Deployment | None, bearing: Bearing) -> bytes:
        """Return the signed status."""
        loan = self._vault.lent.loan if self._vault.lent else None
        return self._vault.sign(
            Status(
                force=self._force,
                unit=self._unit,
                sent=self._journal.now(),
                state=situation.state,
                since=situation.since,
                doubts=tuple(sorted(situation.doubts)),
                causes=causes(situation.doubts if situation.order else bearing.standing, bearing.known),
                ending=situation.ending,
                order=deployment.digest if deployment else None,
                last_sequence=self._last_number(deployment),
                indicator_lit=bearing.lit,
                notice=deployment.order.notice.address if deployment else None,
                version=__version__,
                clock=self._journal.moment().clock,
                lender=loan.force if loan else None,
                loan_end=loan.window.end if loan else None,
                temperature_c=bearing.cooling.celsius,
                cooling_step=int(bearing.cooling.step),
            )
        )

    def inspection(self, checks: tuple[Check, ...]) -> bytes:
        """Return what the unit found of itself, signed."""
        at = self._journal.moment()
        return self._vault.sign(
            Inspection(
                force=self._force, unit=self._unit, sent=at.time, clock=at.clock, version=__version__, checks=checks
            )
        )

    def challenge(self, number: str) -> bytes:
        """Return a signed request for the time."""
        return self._vault.sign(Challenge(force=self._force, unit=self._unit, number=number, sent=self._journal.now()))

    def announce_status(self, situation: Situation, deployment: Deployment | None, bearing: Bearing) -> None:
        """Publish the status; a broker keeps the last."""
        self._announce(Up.STATUS, self.status(situation, deployment, bearing), retain=True)

    def announce_health(self, deployment: Deployment | None, progress: Progress, bearing: Bearing) -> None:
        """Publish vision's counters, the outbox's, and how the board is."""
        health = Health(
            force=self._force,
            unit=self._unit,
            sent=self._journal.now(),
            order=deployment.digest if deployment else None,
            last_sequence=self._last_number(deployment),
            frames=progress.frames,
            frames_dropped=progress.frames_dropped,
            frames_per_second=progress.frames_per_second,
            frame_age_ms=progress.frame_age_ms,
            faces_seen=progress.faces_seen,
            templates_made=progress.templates_made,
            templates_wiped=progress.templates_wiped,
            alerts_waiting=self._store.waiting_count(),
            temperature_c=bearing.cooling.celsius,
            cooling_step=int(bearing.cooling.step),
            supply_weak=bearing.cooling.under_voltage,
            engine=bearing.engine,
        )
        self._announce(Up.HEALTH, self._vault.sign(health))

    def announce_checkpoint(self, deployment: Deployment | None, *, keep: bool) -> None:
        """Publish the head of the audit log, so that a log cut short later shows; an hourly one is kept here too."""
        self._announce(Up.CHECKPOINT, self.checkpoint(deployment, keep=keep or time.monotonic() >= self._keep_due))

    def checkpoint(self, deployment: Deployment | None, *, keep: bool) -> bytes:
        """Return a signed checkpoint of the log as it is, and keep it if that is wanted."""
        records, head = self._store.head()
        signed = self._vault.sign(
            Checkpoint(
                force=self._force,
                unit=self._unit,
                sent=self._journal.now(),
                records=records,
                head=head,
                order=deployment.digest if deployment else None,
                last_sequence=self._last_number(deployment),
            )
        )
        if keep:
            with self._journal.guard("keep a checkpoint"):
                self._store.keep_checkpoint(records, signed)
                self._keep_due = time.monotonic() + limits.CHECKPOINT_KEPT_EVERY.total_seconds()
        return signed

    def check_log(self) -> None:
        """Compare the log with the last checkpoint that was kept: whoever wrote it anew could not sign it anew.

        Raises:
            StorageCorrupt: They do not fit.
            StorageFailed: It cannot be read.
        """
        kept = self._store.last_checkpoint()
        if kept is None:
            return
        position, signed = kept
        try:
            checkpoint = envelope.verify(signed, Checkpoint, self._vault.public)
        except ProtocolError as error:
            raise StorageCorrupt(f"the log's last checkpoint is not this unit's: {error.detail}") from error
        if checkpoint.records != position or self._store.head_at(position) != checkpoint.head:
            raise StorageCorrupt(
                f"the first {position} records of the audit log are not those that this unit signed for: "
                "keep the state folder as evidence, and give the unit a new one"
            )

    def receipt(
        self,
        kind: Kind,
        digest: str,
        order: str | None,
        *,
        force: str | None = None,
        recipient: str | None = None,
        refusal: ProtocolError | None = None,
    ) -> bytes:
        """Return the signed answer to a document, for the force that sent it."""
        return self._vault.sign(
            Receipt(
                force=force or self._force,
                unit=self._unit,
                document=kind,
                digest=digest,
                order=order,
                accepted=refusal is None,
                received=self._journal.now(),
                log_position=self._log_position(),
                recipient=recipient,
                refusal=refusal.code if refusal else None,
                detail=_line(refusal.detail) if refusal else None,
            )
        )

    def post_receipt(self, receipt: bytes, force: str) -> None:
        """Put a receipt for a force in the outbox, or find storage doubtful."""
        with self._journal.guard("post a receipt"):
            self._store.put(self.topic(Up.RECEIPT, force), receipt, self._journal.now() + _RECEIPT_LIFE)
        self._outlet.parcels_wait()

    def certify(self, order: str, ending: Ending, farewell: Farewell) -> None:
        """Log the erasure of a deployment and put its certificate in the outbox.

        Raises:
            StorageFailed: It could not be made durable.
        """
        at, counts = self._journal.moment(), self._store.counts(order)

        def make(position: int, head: str) -> tuple[str, bytes, datetime]:
            certificate = Erasure(
                force=self._force,
                unit=self._unit,
                order=order,
                watchlist=farewell.watchlist,
                recipient=farewell.recipient,
                ending=ending,
                erased=at.time,
                entries=farewell.entries,
                templates_listed=farewell.templates,
                templates_made=counts.templates_made,
                templates_wiped=counts.templates_wiped,
                alerts=counts.alerts,
                log_position=position,
                log_head=head,
            )
            return self.topic(Up.RECEIPT), self._vault.sign(certificate), at.time + _RECEIPT_LIFE

        self._store.certify(at, order, make)
        self._outlet.parcels_wait()

    def hand_back(self, loan: str, borrower: str, ending: Ending) -> None:
        """Log that a loan is over and nothing of the borrower's is left, and post the certificate to both forces.

        Raises:
            StorageFailed: It could not be made durable.
        """
        at, lender = self._journal.moment(), self._vault.config.force

        def make(returned: Returned) -> list[Post]:
            certificates = [
                HandBack(
                    force=force,
                    unit=self._unit,
                    lender=lender,
                    borrower=borrower,
                    loan=loan,
                    ending=ending,
                    ended=at.time,
                    deployments=returned.deployments,
                    undelivered=returned.undelivered,
                    log_position=returned.log_position,
                    log_head=returned.log_head,
                )
                for force in (lender, borrower)
            ]
            until = at.time + _RECEIPT_LIFE
            return [(self.topic(Up.RECEIPT, item.force), self._vault.sign(item), until) for item in certificates]

        self._store.hand_back(at, loan, self.topic(Up.ALERT, borrower), make)
        self._outlet.parcels_wait()

    def parcels_wait(self) -> None:
        """Something else has put something into the outbox."""
        self._outlet.parcels_wait()

    def topic(self, leaf: Up, force: str | None = None) -> str:
        """Return one of the unit's own topics, with the force that holds it or another."""
        return str(Topic(force=force or self._force, unit=self._unit, leaf=leaf))

    def _announce(self, leaf: Up, payload: bytes, *, retain: bool = False) -> None:
        self._outlet.announce(self.topic(leaf), payload, retain)

    def _last_number(self, deployment: Deployment | None) -> int:
        """Return the number of the last alert; while storage cannot be read, the last that is known of."""
        if deployment is None:
            return 0
        with self._journal.guard("read the last alert's number"):
            self._numbered = deployment.digest, self._store.counts(deployment.digest).alerts
        order, number = self._numbered
        return number if order == deployment.digest else 0

    def _log_position(self) -> int:
        """Return the length of the log; while storage cannot be read, the last that is known of."""
        with self._journal.guard("read the log's length"):
            self._position = self._store.head()[0]
        return self._position


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:_DETAIL_MAX] or "?"
