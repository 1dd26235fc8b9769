"""Answers questions: finds the request, has the warden hear the technician's word, does it, says what came of it."""

from pathlib import Path
from typing import Any

import msgspec

from overt.console.registry import Counter, Handed, NotDone, Registry, Request, encoded
from overt.protocol import envelope, limits
from overt.protocol.cable import requests
from overt.protocol.cable.requests import Done, Objection, Question, Reply, Sorry
from overt.protocol.cable.uploads import Upload
from overt.protocol.documents import Visit
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.vocabulary import Act, Kind, Refusal
from overt.runtime import log
from overt.runtime.control import Desk, NoAnswer

_UPLOAD_MOST = limits.WATCHLIST_MAX_BYTES + 2**20  # encryption adds to a watchlist
_OBJECTIONS = {
    Refusal.NO_VISIT: Objection.SESSION_OVER,
    Refusal.LOCKED: Objection.NOT_LET_IN,
    Refusal.REPLAYED: Objection.SESSION_OVER,
}


class Clerk:
    """Sits at the counter. One thread: the warden's desk hears one question at a time."""

    def __init__(self, run: Path, spool: Path, registry: Registry) -> None:
        self._run, self._spool, self._registry = run, spool, registry
        self._desk: Desk | None = None
        self._upload, self._handed = Upload(_UPLOAD_MOST), Handed()

    def greet(self, session: str) -> bytes:
        """Return the unit's signed greeting. Whoever was there before has left.

        Raises:
            NoAnswer: The warden cannot be reached.
            ProtocolError: `BUSY`: too many in this minute.
        """
        for _ in range(2):
            desk = self._desk or Desk(self._run, "console")
            self._desk = desk
            desk.close_lane()
            try:
                return desk.greet(session)
            except NoAnswer:
                self.leave()  # the warden was started anew since: once more
        raise NoAnswer("the warden does not answer")

    def leave(self) -> None:
        """Hang up at the warden's: nobody is at the cable any more."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    def answer(self, message: bytes) -> bytes:
        """Return the reply to a question, whatever it is."""
        reply = self._reply(message)
        if isinstance(reply, Sorry):
            log.event("console.sorry", "warning", cause=reply.cause.value, detail=reply.detail)
        return requests.encode(reply)

    def _reply(self, message: bytes) -> Reply:
        try:
            return Done(data=self._done(requests.read_question(message)))
        except NoAnswer as error:
            self.leave()
            return Sorry(cause=Objection.SESSION_OVER, detail=_line(error))
        except Exception as error:  # the cable is the last way to a unit that is ill: no request may end it
            return _sorry(error)

    def _done(self, question: Question) -> bytes:
        desk = self._desk
        if desk is None:
            raise ProtocolError(Refusal.NO_VISIT, "nobody was greeted at this cable: begin anew")
        if question.name == "visit":
            return desk.perform(_word(question, Act.VISIT), question.arguments)
        request = self._registry.find(question.name)
        if request is None:
            raise NotDone("this unit's release does not know that: bring the unit up to date")
        counter = Counter(desk, self._spool, self._upload, self._handed)
        if request.signed:
            counter.done = desk.perform(_word(question, request.act), question.arguments)
        else:
            desk.note(request.act)
        return encoded(request.answer(counter, _arguments(request, question.arguments)))


def _sorry(error: Exception) -> Sorry:
    match error:
        case msgspec.DecodeError() | UnicodeDecodeError():
            return Sorry(cause=Objection.MALFORMED, detail="what came is no question that this release knows")
        case NotDone():
            return Sorry(cause=Objection.REFUSED, detail=_line(error))
        case ProtocolError():
            return Sorry(cause=_OBJECTIONS.get(error.code, Objection.REFUSED), detail=_line(error))
        case OSError():
            return Sorry(
                cause=Objection.FAILED, detail=_line(f"the unit cannot do it just now: {error.strerror or error}")
            )
    log.event("console.fault", "error", kind=type(error).__name__)
    return Sorry(cause=Objection.FAILED, detail="the unit made a mistake with this: its journal says more")


def _word(question: Question, act: Act) -> bytes:
    """Return the technician's signed word, if it says what the question says. Whether it is good, the warden says."""
    found = envelope.decode(envelope.parse(question.visit, Kind.VISIT), Visit).act
    if found is not act:
        raise Malformed(f"expected a technician's word on '{act.value}', found one on '{found.value}'")
    return question.visit


def _arguments(request: Request[Any], data: bytes) -> Any:  # noqa: ANN401 - what the request takes
    return msgspec.msgpack.decode(data or b"\x80", type=request.takes)


def _line(error: Exception | str) -> str:
    text = error.detail if isinstance(error, ProtocolError) else str(error)
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or "no reason was given"
