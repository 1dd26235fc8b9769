"""Where documents come in: each is checked before anything is kept, and answered with a signed receipt."""

import time
from collections.abc import Callable
from typing import Protocol

from overt.protocol import authority, envelope, limits, places
from overt.protocol.audit import Event, Fact
from overt.protocol.documents import Cancellation, Charter
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.topics import BRINGS, Down, Topic
from overt.protocol.vocabulary import Ending, Kind, Refusal, State
from overt.runtime import log
from overt.runtime.memory import MemoryUnsafe
from overt.warden.allowance import Allowance
from overt.warden.assurances import Assurances
from overt.warden.database import StorageFailed
from overt.warden.journal import Journal
from overt.warden.lending import Lending
from overt.warden.reporter import Reporter
from overt.warden.store import Store
from overt.warden.timekeeping import Timekeeping
from overt.warden.vault import Deployment, Vault
from overt.warden.watchlist import SEALED_MAX_BYTES, Loaded, open_watchlist

REFUSALS_A_MINUTE = 30
"""Beyond so many, refusals are counted in one record, and their receipts go to the cable only."""


class Life(Protocol):
    """The unit, as far as documents can change its life."""

    @property
    def state(self) -> State:
        """The state."""

    @property
    def in_hand(self) -> Deployment | None:
        """The deployment in hand."""

    @property
    def loaded(self) -> Loaded | None:
        """Its watchlist, when it is in memory."""

    @property
    def model(self) -> str | None:
        """The model that vision runs, when it is known."""

    def take_up(self, deployment: Deployment) -> None:
        """Begin a deployment."""

    def load(self, loaded: Loaded) -> None:
        """Use a watchlist."""

    def end(self, why: Ending) -> None:
        """End the deployment."""

    def end_loan(self, why: Ending) -> None:
        """End the loan, and the deployment under it."""

    def judge_again(self) -> None:
        """Look again at what is in hand: what it stands on has changed."""


class Desk:
    """Takes documents for one unit."""

    def __init__(
        self,
        vault: Vault,
        store: Store,
        journal: Journal,
        reporter: Reporter,
        lending: Lending,
        assurances: Assurances,
        timekeeping: Timekeeping,
        life: Life,
    ) -> None:
        self._vault, self._store, self._journal, self._reporter = vault, store, journal, reporter
        self._lending, self._assurances, self._timekeeping, self._life = lending, assurances, timekeeping, life
        self._sender = vault.force
        self._refusals = Allowance(REFUSALS_A_MINUTE)
        self._takers: dict[Down, Callable[[bytes], bytes]] = {
            Down.ORDER: self._take_order,
            Down.WATCHLIST: self._take_watchlist,
            Down.CANCEL: self._take_cancellation,
            Down.LOAN: self._take_loan,
            Down.CHARTER: self._take_charter,
            Down.ASSURANCE: self._take_assurance,
            Down.TIME: self._take_time,
        }

    def receive(self, topic: str, data: bytes) -> bytes | None:
        """Take a document.

        Args:
            topic: The MQTT topic that it came on.
            data: Its bytes, as they came; of one that is too large, enough to show it.

        Returns:
            The signed receipt, or None for something that is not for this unit at all.
        """
        addressed = self._address_of(topic)
        if addressed is None:
            if self._allowed():
                self._journal.note(Event.DOCUMENT_MISADDRESSED, size=len(data))
            return None
        self._sender, leaf = addressed
        try:
            _require_size(leaf, data)
            receipt = self._takers[leaf](data)
        except ProtocolError as error:
            return self._refuse(BRINGS[leaf], data, error)
        except MemoryUnsafe as error:
            log.event("memory.refused", "error", detail=str(error))
            return self._refuse(BRINGS[leaf], data, _busy("the unit has no locked memory left for it: restart it"))
        except (StorageFailed, OSError) as error:
            self._journal.fail(f"take a {leaf.value}", error)
            return self._refuse(BRINGS[leaf], data, _busy("the unit cannot store anything just now: try again later"))
        self._reporter.post_receipt(receipt, self._sender)
        return receipt

    def _address_of(self, topic: str) -> tuple[str, Down] | None:
        """Return from which force and as what something has come: the unit's own, or the one that has it on loan."""
        for force in (self._vault.force, self._vault.config.force):
            for leaf in Down:
                if topic == str(Topic(force=force, unit=self._vault.config.unit, leaf=leaf)):
                    return force, leaf
        return None

    def _take_order(self, data: bytes) -> bytes:
        config, held = self._vault.config, self._life.in_hand
        checked = authority.check_order(data, self._vault.charter, self._journal.now(), self._assurances.named_by)
        self._lending.check_order(checked.document)
        # Without a vision its model is unknown. The order can be taken: recognition waits until the model is right.
        authority.check_for_unit(
            checked.document, config.unit, self._vault.public, self._life.model or checked.document.model
        )
        if config.site is not None and not places.is_at(config.site, checked.document.place):
            raise ProtocolError(Refusal.LIMIT, f"this unit is at {config.site.name}, not where the order is for")
        if self._store.is_spent(checked.digest) or (held and self._life.state is State.ERASING):
            raise ProtocolError(Refusal.REPLAYED, "this order is over; it cannot be used a second time")
        if held is not None and held.digest == checked.digest:
            return self._accepted(Kind.ORDER, checked.digest, held.recipient)
        if held is not None:
            raise _busy(f"this unit works under the order {held.digest[:12]}…: cancel it first")
        deployment = self._vault.new_deployment(checked.document, checked.digest, data)
        try:
            facts = {"order": checked.digest, "recipient": deployment.recipient}
            self._store.note(self._journal.moment(), Event.ORDER_ACCEPTED, **facts)
        except StorageFailed:
            self._vault.erase(checked.digest)
            raise
        self._life.take_up(deployment)
        return self._accepted(Kind.ORDER, checked.digest, deployment.recipient)

    def _take_watchlist(self, sealed: bytes) -> bytes:
        held, current = self._life.in_hand, self._life.loaded
        if held is None or self._life.state is State.ERASING:
            raise ProtocolError(Refusal.NO_ORDER, "no order is in hand: send the order first, then its watchlist")
        loaded = open_watchlist(sealed, held, self._vault, self._journal.now())
        try:
            if current is not None and loaded.digest == current.digest:
                loaded.memory.close()
                return self._accepted(Kind.WATCHLIST, current.digest)
            if current is not None and loaded.made <= current.made:
                raise ProtocolError(Refusal.ROLLED_BACK, "a newer watchlist of this order is already here")
            self._vault.keep_watchlist(held.digest, sealed)
            facts: dict[str, Fact] = {"order": held.digest, "watchlist": loaded.digest, "entries": len(loaded.listed)}
            event = Event.WATCHLIST_ACCEPTED if current is None else Event.WATCHLIST_REPLACED
            self._store.note(self._journal.moment(), event, **facts)
        except BaseException:
            loaded.memory.close()
            raise
        self._life.load(loaded)
        return self._accepted(Kind.WATCHLIST, loaded.digest)

    def _take_cancellation(self, data: bytes) -> bytes:
        """Cancel the order or the loan in hand; or one that has not come yet, so that it is dead on arrival."""
        held, lent = self._life.in_hand, self._lending.in_hand
        named = envelope.decode(envelope.parse(data, Kind.CANCELLATION), Cancellation).order
        if lent is not None and named == lent.digest:
            return self._end_loan(data, lent.digest)
        checked = authority.check_cancellation(data, self._vault.charter, named)
        order, reason = checked.document.order, checked.document.reason.value
        self._journal.note(Event.ORDER_CANCELLED, order=order, reason=reason)
        if held is not None and held.digest == order:
            receipt = self._accepted(Kind.CANCELLATION, checked.digest)
            self._life.end(Ending.CANCELLED)
            return receipt
        self._store.spend(self._journal.moment(), order, Ending.CANCELLED, None)
        return self._receipt(Kind.CANCELLATION, checked.digest, order)

    def _end_loan(self, data: bytes, loan: str) -> bytes:
        """Give the unit back before its time: the borrower is done with it, or the lender wants it back."""
        by = authority.check_end_of_loan(data, loan, (self._vault.charter, self._vault.home))
        why = Ending.RECALLED if by == self._vault.config.force else Ending.CANCELLED
        receipt = self._accepted(Kind.CANCELLATION, _identity_of(data))
        self._life.end_loan(why)
        return receipt

    def _take_loan(self, data: bytes) -> bytes:
        held, lent = self._life.in_hand, self._lending.in_hand
        if lent is not None:
            if _identity_of(data) == lent.digest and not self._lending.is_over:
                return self._accepted(Kind.LOAN, lent.digest)
            raise _busy(f"this unit is on loan already ({lent.digest[:12]}…): that loan has to end first")
        if held is not None:
            raise _busy(f"this unit works under the order {held.digest[:12]}…: cancel it first")
        return self._accepted(Kind.LOAN, self._lending.take(data).digest)

    def _take_charter(self, data: bytes) -> bytes:
        """Use a newer charter of the force that holds the unit, or of the unit's own while another holds it."""
        parsed = envelope.parse(data, Kind.CHARTER)
        force = envelope.decode(parsed, Charter).force
        current = self._vault.charter if force == self._vault.force else self._vault.home
        if envelope.encode(current) == parsed.payload:
            self._store.note_charter(self._journal.moment(), force, current.version, parsed.digest())
            return self._accepted(Kind.CHARTER, parsed.digest())
        checked = authority.check_charter(data, self._journal.now(), current)
        self._lending.require_no_older(force, checked.document.version)
        self._vault.replace_charter(checked.document, data)
        self._store.note_charter(self._journal.moment(), force, checked.document.version, checked.digest)
        receipt = self._accepted(Kind.CHARTER, checked.digest)
        self._life.judge_again()
        return receipt

    def _take_assurance(self, data: bytes) -> bytes:
        receipt, held = self._accepted(Kind.ASSURANCE, self._assurances.take(data).digest), self._life.in_hand
        if held is not None and held.order.assurance is not None:
            self._life.judge_again()
        return receipt

    def _take_time(self, data: bytes) -> bytes:
        checked = authority.check_time(data, self._vault.charter, self._vault.config.unit)
        self._timekeeping.take(checked.document)
        return self._accepted(Kind.TIME, checked.digest)

    def _accepted(self, kind: Kind, digest: str, recipient: str | None = None) -> bytes:
        held = self._life.in_hand
        return self._receipt(kind, digest, held.digest if held else None, recipient=recipient)

    def _receipt(
        self,
        kind: Kind,
        digest: str,
        order: str | None,
        *,
        recipient: str | None = None,
        refusal: ProtocolError | None = None,
    ) -> bytes:
        return self._reporter.receipt(kind, digest, order, force=self._sender, recipient=recipient, refusal=refusal)

    def _refuse(self, kind: Kind, data: bytes, error: ProtocolError) -> bytes:
        digest = _identity_of(data)
        held = self._life.in_hand
        if not self._allowed():
            return self._receipt(kind, digest, held.digest if held else None, refusal=error)
        self._journal.note(Event.DOCUMENT_REFUSED, document=kind.value, digest=digest, code=error.code.value)
        log.event("document.refused", "warning", document=kind.value, code=error.code.value)
        receipt = self._receipt(kind, digest, held.digest if held else None, refusal=error)
        self._reporter.post_receipt(receipt, self._sender)
        return receipt

    def _allowed(self) -> bool:
        """Say whether one more refusal may be logged, and log how many could not be."""
        allowed, suppressed = self._refusals.take(time.monotonic())
        if suppressed:
            self._journal.note(Event.DOCUMENTS_REFUSED, count=suppressed)
        return allowed


def _require_size(leaf: Down, data: bytes) -> None:
    most = SEALED_MAX_BYTES if leaf is Down.WATCHLIST else limits.DOCUMENT_MAX_BYTES
    if len(data) > most:
        raise ProtocolError(Refusal.TOO_LARGE, f"expected at most {most:,} bytes, found more")


def _identity_of(data: bytes) -> str:
    """Return the digest by which the sender knows a document, or that of the bytes when they are none."""
    try:
        return envelope.parse(data).digest()
    except (Malformed, ProtocolError):
        return envelope.digest_of(data)


def _busy(detail: str) -> ProtocolError:
    return ProtocolError(Refusal.BUSY, detail)
