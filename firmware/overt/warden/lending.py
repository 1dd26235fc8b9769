"""The unit on loan: from acceptance until the end the borrower's charter governs it, and then nothing of it is left.

The end is recoverable after a power cut at any point: it is marked, the borrower's deployment is erased and certified
as every deployment is, then what is kept of the loan is erased, and the return is certified to both forces.
"""

from datetime import datetime

from overt.protocol import authority
from overt.protocol.audit import Event
from overt.protocol.authority import Checked
from overt.protocol.documents import Loan, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Ending, Refusal
from overt.runtime import log
from overt.warden.database import StorageFailed
from overt.warden.journal import Journal
from overt.warden.reporter import Reporter
from overt.warden.store import Store
from overt.warden.vault import Lent, Vault


class Lending:
    """The loan in hand, if there is one."""

    def __init__(self, vault: Vault, store: Store, journal: Journal, reporter: Reporter) -> None:
        self._vault, self._store, self._journal, self._reporter = vault, store, journal, reporter
        self._ending: Ending | None = None
        self._tried = False

    @property
    def in_hand(self) -> Lent | None:
        """The loan in hand, in force or about to be handed back."""
        return self._vault.lent

    @property
    def is_over(self) -> bool:
        """Whether it has ended and is not handed back yet. Nothing new may begin under it."""
        return self._ending is not None

    def take(self, data: bytes) -> Checked[Loan]:
        """Put the unit under a borrower's charter.

        Raises:
            ProtocolError: The loan breaks a rule.
            StorageFailed: It could not be logged; nothing is kept.
            OSError: It could not be kept.
        """
        checked = authority.check_loan(data, self._vault.home, self._journal.now())
        authority.check_loan_for_unit(checked.document, self._vault.config.unit, self._vault.public)
        if self._store.is_spent(checked.digest) or self._store.was_lent(checked.digest):
            raise ProtocolError(Refusal.REPLAYED, "this loan is over; it cannot be used a second time")
        borrower = authority.check_charter(checked.document.charter, self._journal.now()).document
        self.require_no_older(borrower.force, borrower.version)
        self._vault.keep_loan(checked.document, checked.digest, data)
        try:
            self._store.lend(self._journal.moment(), checked.digest, borrower.force, borrower.version)
        except StorageFailed:
            self._vault.erase_loan()
            raise
        log.event("loan.accepted", borrower=borrower.force)
        return checked

    def require_no_older(self, force: str, version: int) -> None:
        """Refuse a charter older than one that this unit has known: its keys may have been revoked since.

        Raises:
            ProtocolError: `ROLLED_BACK`.
            StorageFailed: It cannot be known.
        """
        known = self._store.charter_version(force)
        if version < known:
            raise ProtocolError(
                Refusal.ROLLED_BACK, f"expected version {known} or above of {force}'s charter, found {version}"
            )

    def check_order(self, order: Order) -> None:
        """Check that an order fits into the loan in hand, if there is one.

        Raises:
            ProtocolError: It does not, or the loan is over.
        """
        lent = self._vault.lent
        if lent is None:
            return
        if lent.loan is None or self.is_over:
            raise ProtocolError(Refusal.EXPIRED, "the loan of this unit is over")
        authority.check_within_loan(order, lent.loan)

    def wake(self) -> None:
        """Take up the loan that was in hand, or go on ending it."""
        for digest, borrower, ending in self._store.open_loans():
            lent = self._vault.lent
            if ending is not None:
                self._ending = ending
            elif lent is None or lent.digest != digest or not self._still_lawful(lent):
                log.event("loan.unlawful", "error", borrower=borrower)
                self.mark(Ending.TAMPER)
        if self._vault.lent is not None and not self._store.open_loans():
            # Kept, but never logged: a power cut came between the two, and nobody was told that it was accepted.
            self._vault.erase_loan()

    def mark(self, why: Ending) -> None:
        """Remember that the loan is over, before anyone is told so."""
        if self._ending is None:
            self._ending = why
            self._tried = False
            with self._journal.guard("end a loan"):
                self._store.end_loan(self._journal.moment(), why)

    def due(self, now: datetime) -> bool:
        """Say whether the loan's time is over."""
        lent = self._vault.lent
        return not self.is_over and lent is not None and lent.loan is not None and now >= lent.loan.window.end

    def finish(self) -> bool:
        """Erase what is kept of the loan and certify its return. To be called once no deployment is in hand.

        Returns:
            Whether the unit is its own force's again, certified. Once storage has failed, it is tried again later.
        """
        if self._ending is None or (self._tried and not self._journal.sound):
            return False
        self._tried = True
        try:
            self._vault.erase_loan()
            self._store.end_loan(self._journal.moment(), self._ending)
            for digest, borrower, ending in self._store.open_loans():
                self._reporter.hand_back(digest, borrower, ending or self._ending)
            self._store.compact()
        except (StorageFailed, OSError) as error:
            self._journal.fail("hand back", error)
            return False
        log.event("loan.handed_back", ending=self._ending.value)
        self._ending = None
        return True

    def still_granted(self) -> bool:
        """Say whether the loan in hand stands under the lender's charter as it is now."""
        lent = self._vault.lent
        return lent is None or self._still_lawful(lent)

    def _still_lawful(self, lent: Lent) -> bool:
        """Check a kept loan again, at a time within its window: what the disk says is not believed."""
        if lent.loan is None or lent.charter is None or lent.charter.force != lent.loan.borrower:
            return False
        moment = self._journal.within(lent.loan.window)
        try:
            authority.check_loan(lent.data, self._vault.home, moment)
            authority.check_loan_for_unit(lent.loan, self._vault.config.unit, self._vault.public)
            self.require_no_older(lent.charter.force, lent.charter.version)
        except ProtocolError as error:
            self._journal.note(Event.LOAN_UNLAWFUL, code=error.code.value)
            return False
        return True
