"""The warden of a blank unit: it waits for a technician, at the cable alone, until the unit is taken into a force."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from overt.protocol.code import unit_code
from overt.protocol.messages import Denied, FromConsole, FromControl, Hello
from overt.protocol.vocabulary import Refusal
from overt.runtime import log
from overt.runtime.notify import notify
from overt.warden.cable_desk import CableDesk
from overt.warden.database import StorageFailed
from overt.warden.households import BlankHouse
from overt.warden.peers import Peer, Peers
from overt.warden.store import Store
from overt.warden.vault import VaultError
from overt.warden.visitors import Visitors

_TICK_S = 0.2


class Reception:
    """The loop."""

    def __init__(self, state: Path, run: Path, console_uids: frozenset[int]) -> None:
        """Open what there is of a blank unit.

        Raises:
            OSError: The state folder cannot be used.
            StorageCorrupt, StorageFailed, VaultError, ChannelError: Nor its parts.
        """
        self._running = True
        self._house = BlankHouse(state, store := Store(state / "warden.db"))
        self._store = store
        self._desk = CableDesk(Visitors(self._house, store), state, None)
        self._peers = Peers(run)
        self._peers.desk("console", FromConsole, console_uids, self._from_console, self._desk.gone)
        self._peers.desk("control", FromControl, frozenset({0, os.geteuid()}), self._from_control)

    def run(self) -> bool:
        """Serve until the unit is enrolled or to be erased, or until SIGTERM or SIGINT.

        Returns:
            Whether the unit has become something else.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        before = signal.set_wakeup_fd(write_end)
        self._peers.watch(read_end, lambda: os.read(read_end, 64))
        notify("READY=1")
        log.event("warden.ready", state="blank", code=unit_code(self._house.key))
        try:
            while self._running and not self._house.over:
                for act in self._peers.wait(_TICK_S):
                    _guarded(act)
                notify("WATCHDOG=1")
        finally:
            signal.set_wakeup_fd(before)
            os.close(read_end)
            os.close(write_end)
            self._peers.close()
            self._store.close()
        return self._running

    def _from_console(self, peer: Peer, message: FromConsole, descriptors: list[int]) -> None:
        answer = self._desk.answer(peer, message, descriptors)
        if answer is not None:
            peer.send(answer)

    def _from_control(self, peer: Peer, message: FromControl, _: list[int]) -> None:
        if not isinstance(message, Hello):
            peer.send(Denied(code=Refusal.BUSY, detail="this unit is blank: enrol it first"))

    def _end(self, *_: object) -> None:
        self._running = False


def _guarded(act: Callable[[], object]) -> None:
    """Do it. Storage that fails meanwhile is logged, and ends nothing."""
    try:
        with contextlib.suppress(VaultError):
            act()
    except (StorageFailed, OSError) as error:
        log.event("storage.failed", "error", doing="answer a peer", detail=str(error))
