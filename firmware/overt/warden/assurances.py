"""The assurance reports that a unit knows: one for each model, the newest. An order stands on one, or on nothing.

A newer report takes the place of the one before whatever it says: when a model turns out to treat people unequally,
what was measured before is no longer evidence, and a deployment that rests on it ends.
"""

from datetime import datetime

from overt.protocol import authority, limits
from overt.protocol.audit import Event
from overt.protocol.authority import Checked
from overt.protocol.documents import Assurance, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal
from overt.runtime import log
from overt.warden.journal import Journal
from overt.warden.store import Store
from overt.warden.vault import Vault


class Assurances:
    """The reports of the force that holds the unit."""

    def __init__(self, vault: Vault, store: Store, journal: Journal) -> None:
        self._vault, self._store, self._journal = vault, store, journal

    def take(self, data: bytes) -> Checked[Assurance]:
        """Keep a report in the place of an older one on the same model.

        Raises:
            ProtocolError: It breaks a rule, is older than one that was known, or there are too many.
            StorageFailed: It could not be logged.
            OSError: It could not be kept.
        """
        now = self._journal.now()
        checked = authority.check_assurance(data, self._vault.charter, now)
        report, kept = checked.document, self._kept(checked.document.model, now)
        issued = int(report.issued.timestamp())
        known, newest = self._store.newest_assurance(report.force, report.model)
        if kept is not None and kept.digest == checked.digest == newest:
            return checked
        if issued <= known and checked.digest != newest:
            raise ProtocolError(
                Refusal.ROLLED_BACK, "expected a report newer than the one on this model that is known, found an older"
            )
        if kept is None and self._vault.assurances_kept() >= limits.ASSURANCES_MAX:
            raise ProtocolError(Refusal.LIMIT, f"this unit keeps reports on at most {limits.ASSURANCES_MAX} models")
        self._vault.keep_assurance(report.model, data)
        facts = {"force": report.force, "model": report.model, "assurance": checked.digest}
        self._store.note(self._journal.moment(), Event.ASSURANCE_ACCEPTED, **facts, issued=issued)
        return checked

    def named_by(self, order: Order) -> Assurance | None:
        """Return the report that a new order names, if it is the newest on its model and holds now."""
        kept = self._kept(order.model, self._journal.now())
        return kept.document if kept is not None and kept.digest == order.assurance else None

    def underlying(self, order: Order, moment: datetime) -> Assurance | None:
        """Return the newest report on the model of an order that was accepted on one."""
        kept = self._kept(order.model, moment) if order.assurance is not None else None
        return kept.document if kept is not None else None

    def _kept(self, model: str, moment: datetime) -> Checked[Assurance] | None:
        """Return the report that is kept on a model, checked again: what the disk says is not believed."""
        data = self._vault.assurance(model)
        if data is None:
            return None
        try:
            checked = authority.check_assurance(data, self._vault.charter, moment)
        except ProtocolError as error:
            log.event("assurance.unusable", "warning", code=error.code.value)
            return None
        return checked if checked.document.model == model else None
