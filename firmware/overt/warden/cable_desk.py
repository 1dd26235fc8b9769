"""The socket of the console: what it asks, it asks for whoever is at the cable, and only once they were let in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from overt.protocol.errors import ProtocolError
from overt.protocol.messages import (
    Answer,
    Ask,
    AskCheckpoint,
    AskLog,
    AskReceipts,
    AskTime,
    Denied,
    FromConsole,
    Greet,
    Hello,
    Inbound,
    Note,
    Perform,
)
from overt.protocol.vocabulary import Act, Refusal
from overt.warden import log_export
from overt.warden.database import StorageFailed
from overt.warden.inbound import read_document
from overt.warden.visitors import Visitors

_LOOKS: dict[type[Any], Act] = {
    Ask: Act.STATUS,
    AskTime: Act.TIME,
    AskCheckpoint: Act.LOG,
    AskLog: Act.LOG,
    AskReceipts: Act.RECEIPTS,
    Inbound: Act.DELIVER,
}


class Reports(Protocol):
    """What an enrolled unit answers with."""

    def status(self) -> bytes:
        """Return the signed status."""

    def checkpoint(self) -> bytes:
        """Return the head of the log, signed, and keep it."""

    def challenge(self) -> bytes:
        """Return a challenge to sign the time for."""

    def receipts(self, after: int) -> bytes:
        """Return receipts and certificates that wait for a network, as many as fit into an answer."""

    def receive(self, topic: str, data: bytes) -> bytes | None:
        """Take a document; return the receipt."""


class CableDesk:
    """Answers the console. A blank unit has no reports."""

    def __init__(self, visitors: Visitors, state: Path, reports: Reports | None) -> None:
        self._visitors, self._state, self._reports = visitors, state, reports

    def answer(self, peer: object, message: FromConsole, descriptors: list[int]) -> Answer | Denied | None:
        """Return what to answer; None for what needs no answer, or gets none."""
        if isinstance(message, Hello):
            return None
        try:
            report = self._report(peer, message, descriptors)
        except ProtocolError as error:
            return Denied(code=error.code, detail=_line(error.detail))
        except (StorageFailed, OSError, log_export.ExportProblem) as error:
            return Denied(code=Refusal.BUSY, detail=_line(f"the unit cannot do it just now: {error}"))
        return None if report is None else Answer(report=report)

    def gone(self, peer: object) -> None:
        """The console hung up: whoever was at its cable has left."""
        self._visitors.left(peer)

    def _report(self, peer: object, message: FromConsole, descriptors: list[int]) -> bytes | None:
        match message:
            case Greet():
                return self._visitors.greet(peer, message.session)
            case Perform():
                arguments = read_document(descriptors) if descriptors else b""
                return None if arguments is None else self._visitors.perform(peer, message.visit, arguments)
            case Note():
                self._visitors.look(peer, message.act)
                return b""
        self._visitors.look(peer, _LOOKS[type(message)])
        if isinstance(message, AskLog):
            return log_export.page(self._state, message.after, datetime.now(UTC))
        return self._report_of(message, descriptors)

    def _report_of(self, message: FromConsole, descriptors: list[int]) -> bytes | None:
        if self._reports is None:
            raise ProtocolError(Refusal.BUSY, "this unit is blank: enrol it first")
        match message:
            case AskTime():
                return self._reports.challenge()
            case AskCheckpoint():
                return self._reports.checkpoint()
            case AskReceipts():
                return self._reports.receipts(message.after)
            case Inbound():
                data = read_document(descriptors)
                return None if data is None else self._reports.receive(message.topic, data)
        return self._reports.status()


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or "no reason was given"
