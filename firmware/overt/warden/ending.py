"""The end of a deployment, in an order that a power cut at any point leaves recoverable.

The order is marked as over, its files are overwritten and removed, the erasure is logged and certified. Whatever of it
was not done is done at the next attempt or the next start.
"""

import re
from collections.abc import Callable

from overt.protocol.audit import Event, facts_of
from overt.protocol.vocabulary import Ending
from overt.runtime import log
from overt.warden.database import StorageFailed
from overt.warden.journal import Journal
from overt.warden.reporter import Reporter
from overt.warden.store import Farewell, Store
from overt.warden.vault import Deployment, Vault
from overt.warden.watchlist import Loaded


class Ender:
    """Erases deployments and certifies it."""

    def __init__(self, vault: Vault, store: Store, journal: Journal, reporter: Reporter) -> None:
        self._vault, self._store, self._journal, self._reporter = vault, store, journal, reporter
        self._farewells: dict[str, Farewell] = {}
        self._tried: set[str] = set()

    def mark(self, deployment: Deployment, ending: Ending, loaded: Loaded | None) -> None:
        """Remember that a deployment is over, before anyone is told so: a power cut must not bring it back to life."""
        farewell = self._farewells[deployment.digest] = Farewell(
            deployment.recipient,
            loaded.digest if loaded else None,
            len(loaded.listed) if loaded else 0,
            loaded.templates if loaded else 0,
        )
        self._try("mark as over", lambda: self._spend(deployment.digest, ending, farewell))

    def end(self, deployment: Deployment, ending: Ending) -> bool:
        """Erase a deployment that was marked and whose watchlist is not in memory any more.

        Returns:
            Whether that is done and certified. Once storage has failed, it is tried again when that is sound.
        """
        order = deployment.digest
        if order in self._tried and not self._journal.sound:
            return False
        self._tried.add(order)
        if not self._finish(order, ending, self._farewells[order]):
            return False
        del self._farewells[order]
        self._tried.discard(order)
        return True

    def give_up(self, order: str, ending: Ending) -> None:
        """End a deployment of which what is kept cannot be used."""
        accepted = self._store.find(order, Event.ORDER_ACCEPTED)
        recipient = facts_of(accepted).get("recipient") if accepted else None
        log.event("deployment.unusable", "error", order=order)
        if isinstance(recipient, str):
            self._finish(order, ending, Farewell(recipient, None, 0, 0))
            return
        # Somebody put it there, and the folder may have any name.
        known = order if re.fullmatch("[0-9a-f]{64}", order, re.ASCII) else None
        self._journal.note(Event.DEPLOYMENT_UNKNOWN, order=known)
        with self._journal.guard("erase"):
            self._vault.erase(order)

    def finish(self) -> Ending | None:
        """Finish what was begun before the warden last stopped; return why the last of it had ended."""
        last = None
        for order, ending, farewell in self._store.uncertified():
            self._finish(order, ending, farewell)
            last = ending
        return last

    def _finish(self, order: str, ending: Ending, farewell: Farewell) -> bool:
        # The files go even when nothing can be logged just now: that also makes room on a full disk.
        marked = self._try("mark as over", lambda: self._spend(order, ending, farewell))
        erased = self._try("erase", lambda: self._vault.erase(order))
        if not (erased and marked):
            return False
        if not self._try("certify", lambda: self._reporter.certify(order, ending, farewell)):
            return False
        self._try("compact", self._store.compact)
        log.event("deployment.erased", order=order, ending=ending.value)
        return True

    def _spend(self, order: str, ending: Ending, farewell: Farewell) -> None:
        self._store.spend(self._journal.moment(), order, ending, farewell)

    def _try(self, doing: str, act: Callable[[], None]) -> bool:
        try:
            act()
        except (StorageFailed, OSError) as error:
            self._journal.fail(doing, error)
            return False
        return True
