"""A visit at a unit: encrypted, signed on both sides, and taken up again where it was when the cable is pulled."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import msgspec
from securesystemslib.signer import Signer

from overt.protocol import envelope
from overt.protocol import fields as f
from overt.protocol.cable import requests
from overt.protocol.cable.requests import Objection, Question, Sorry
from overt.protocol.cable.talk import Asker, Refused, Why
from overt.protocol.documents import Charter, Visit
from overt.protocol.errors import Malformed, NotReadable, ProtocolError
from overt.protocol.reports import Greeting
from overt.protocol.vocabulary import Act, Kind
from overt.runtime.cli import NEGATIVE, UNAVAILABLE, Failure
from overt.runtime.line import LineLost
from overt_provisioning.unit.trust import Judge
from overt_provisioning.unit.wire import NoUnit, Patience, Wire

R = TypeVar("R", bound=f.Value)
T = TypeVar("T")
_AGAIN_S: Final = 1.0
_QUIET_S: Final = 3.0
_WHY: Final = {
    Why.VERSION: "the unit's release speaks another version of the cable's language: bring one of the two up to date",
    Why.TOO_MANY: "the unit takes no more connections in this minute: wait a minute",
}


class UnitSaysNo(Failure):
    """The unit was asked and refused; nothing was changed.

    Attributes:
        cause: Why, of the closed list.
    """

    def __init__(self, sorry: Sorry) -> None:
        super().__init__(f"the unit says no: {sorry.detail}", NEGATIVE)
        self.cause = sorry.cause


class _Interrupted(Exception):
    """The conversation broke off; it can be taken up again."""


class Technician(msgspec.Struct, frozen=True):
    """Who visits.

    Attributes:
        charter: The force's charter.
        charter_data: Its envelope, which a blank unit is brought.
        signer: The technician's key.
    """

    charter: Charter
    charter_data: bytes
    signer: Signer


class Session:
    """One technician at one unit. To be closed."""

    def __init__(
        self,
        port: Path,
        technician: Technician,
        judge: Judge,
        *,
        baud: int = 115_200,
        patience: Patience | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare. Nothing is sent before the first question.

        Args:
            port: The serial line.
            technician: Who visits.
            judge: Says whether it is the right unit.
            baud: The line's rate.
            patience: How long to wait.
            tell: Shows the person what they should know, such as that the cable is out.
        """
        self._port, self._technician, self._judge, self._baud = port, technician, judge, baud
        self._patience, self._tell = patience or Patience(), tell
        self._wire: Wire | None = None
        self._asker: Asker | None = None
        self._greeting: Greeting | None = None
        self._number = 0
        self._let_in = self._ever = self._opened = False

    @property
    def greeting(self) -> Greeting:
        """The unit's greeting in the present connection.

        Raises:
            Failure: As `ask`.
        """
        return self._lasting(lambda: self._greeted()[1])

    def ask(self, name: str, arguments: f.Value | bytes = b"", act: Act | None = None) -> bytes:
        """Ask, and ask again after the cable was pulled. What is asked twice has to come to the same.

        Args:
            name: The request.
            arguments: What goes with it.
            act: For what changes the unit: what the technician signs.

        Returns:
            What comes back.

        Raises:
            UnitSaysNo: The unit refused.
            Failure: There is no unit, it is another, or it stayed away for too long.
        """
        data = arguments if isinstance(arguments, bytes) else requests.encode(arguments)
        return self._lasting(lambda: self._ask_once(name, data, act))

    def ask_for(self, type_: type[R], name: str, arguments: f.Value | bytes = b"", act: Act | None = None) -> R:
        """Ask, and return the answer as what it has to be. Raises as `ask`; and `Failure` when it is something else."""
        answer = self.ask(name, arguments, act)
        try:
            return msgspec.msgpack.decode(answer, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Failure(
                f"the unit answered '{name}' with something else: is its release newer?", UNAVAILABLE
            ) from error

    def begin_anew(self) -> None:
        """Hang up. The next question begins a new connection."""
        if self._wire is not None:
            self._wire.close()
        self._wire, self._asker, self._greeting, self._let_in = None, None, None, False

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.begin_anew()

    # Inside

    def _lasting(self, doing: Callable[[], T]) -> T:
        """Do something that may be torn, until it is done or the patience is at its end."""
        began, pause_s, told = time.monotonic(), self._patience.resend, ""
        while True:
            try:
                return doing()
            except (LineLost, NoUnit, NotReadable, _Interrupted) as error:
                self.begin_anew()
                if not self._ever and (isinstance(error, NoUnit) or not self._opened):
                    raise Failure(str(error), UNAVAILABLE) from error
                waited_s = time.monotonic() - began
                if waited_s + pause_s > self._patience.away:
                    raise Failure(f"{error}; gave up, run the command again to go on", UNAVAILABLE) from error
                told = self._explain(error, told, waited_s)
                time.sleep(pause_s)
                pause_s = min(_AGAIN_S, pause_s * 2)

    def _explain(self, error: Exception, told: str, waited_s: float) -> str:
        """Tell the person why it does not go on: once, and not of a short pause. Return what was told."""
        pulled = isinstance(error, LineLost) and not error.in_use
        text = "the cable is out: plug it back in, it goes on by itself" if pulled else str(error)
        if text == told or (waited_s < _QUIET_S and not pulled):
            return told
        self._tell(text)
        return text

    def _ask_once(self, name: str, data: bytes, act: Act | None) -> bytes:
        asker, greeting = self._visited()
        visit = self._sign(greeting, act, data) if act is not None else b""
        return self._exchange(asker, Question(name=name, arguments=data, visit=visit))

    def _visited(self) -> tuple[Asker, Greeting]:
        """Return a conversation in which the technician was let in, and its greeting."""
        asker, greeting = self._greeted()
        if not self._let_in:
            charter = self._technician.charter_data
            visit = self._sign(greeting, Act.VISIT, charter)
            self._exchange(asker, Question(name="visit", arguments=charter, visit=visit))
            self._let_in = True
        return asker, greeting

    def _greeted(self) -> tuple[Asker, Greeting]:
        if self._asker is not None and self._greeting is not None:
            return self._asker, self._greeting
        self._opened = False
        wire = Wire(self._port, self._baud, self._patience)
        self._wire, self._number, self._opened = wire, 0, True
        asker = Asker(secrets.randbits(32))
        answer = wire.exchange(asker)
        if isinstance(answer, Refused):
            raise self._refused(answer)
        greeting = _checked(answer, asker.session)
        self._judge.pass_on(greeting)
        if greeting.locked_s:
            minutes = -(-greeting.locked_s // 60)
            raise Failure(
                f"the unit's cable is locked after too many refused visits: try again in {minutes} min", NEGATIVE
            )
        self._asker, self._greeting, self._ever = asker, greeting, True
        return asker, greeting

    def _exchange(self, asker: Asker, question: Question) -> bytes:
        if self._wire is None:
            raise _Interrupted("the connection broke off")
        asker.ask(requests.encode(question))
        answer = self._wire.exchange(asker)
        if isinstance(answer, Refused):
            raise self._refused(answer)
        try:
            reply = requests.read_reply(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Failure("the unit answered in words that this release does not know", UNAVAILABLE) from error
        if isinstance(reply, Sorry):
            if reply.cause is Objection.SESSION_OVER:
                raise _Interrupted(reply.detail)
            raise UnitSaysNo(reply)
        return reply.data

    def _refused(self, refused: Refused) -> Exception:
        if refused.why in _WHY:
            return Failure(_WHY[refused.why], UNAVAILABLE)
        self._ever = True  # it is a unit: what it lacks may come back
        return _Interrupted("the unit is starting, or its warden does not run")

    def _sign(self, greeting: Greeting, act: Act, arguments: bytes) -> bytes:
        self._number += act is not Act.VISIT
        visit = Visit(
            force=self._technician.charter.force,
            key=greeting.key,
            session=greeting.session,
            challenge=greeting.challenge,
            number=self._number,
            act=act,
            arguments=envelope.digest_of(arguments),
            time=datetime.now(UTC),
        )
        return envelope.sign(visit, [self._technician.signer])


def _checked(data: bytes, session: str) -> Greeting:
    """Return a greeting whose signature and session hold.

    Raises:
        NotReadable: They do not.
    """
    try:
        claimed = envelope.decode(envelope.parse(data, Kind.GREETING), Greeting)
        greeting = envelope.verify(data, Greeting, claimed.key)
    except (Malformed, ProtocolError) as error:
        raise NotReadable(f"what answers did not sign as a unit does: {error.detail}") from error
    if greeting.session != session:
        raise NotReadable("what answers signed for another connection: somebody is in between")
    return greeting
