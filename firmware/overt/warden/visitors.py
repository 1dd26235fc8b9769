"""Technicians at the cable: greeted, let in when the charter knows their key, heard one at a time, and logged.

The console that carries their words is not believed: each change of the unit is signed by the technician for this unit,
this session and these arguments, with a number that rises. Refused visits are counted on the disk; after a few in a row
the cable is locked for a while.
"""

import secrets
import time
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from overt import __version__
from overt.protocol import authority, envelope, limits
from overt.protocol.audit import Event, Fact, Moment
from overt.protocol.authority import Checked
from overt.protocol.documents import Charter, Visit
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Greeting
from overt.protocol.vocabulary import Act, Kind, Refusal
from overt.runtime import log
from overt.warden.allowance import Allowance
from overt.warden.store import Store

IDLE_S: Final = 600.0
"""A visit in which nothing happens is over after so long."""
_BUSY_S: Final = 60.0


class Whom(msgspec.Struct, frozen=True):
    """Who is at the cable, and what they stand on.

    Attributes:
        technician: The id of their key.
        charter: The charter that names it: the unit's, or the one that they have brought to a blank unit.
        time: What their machine takes the time for, as they have signed it.
    """

    technician: str
    charter: Charter
    time: datetime


class House(Protocol):
    """The unit, as far as visitors have to do with it: an enrolled one, or a blank one."""

    @property
    def key(self) -> str:
        """The unit's public key."""

    @property
    def name(self) -> str | None:
        """Its name, once it has one."""

    @property
    def charter(self) -> Charter | None:
        """The charter that governs it; None while it is blank."""

    @property
    def decommissioned(self) -> bool:
        """Whether it keeps the certificate of its own erasure."""

    def sign(self, report: envelope.Payload) -> bytes:
        """Sign with the unit's key."""

    def moment(self) -> Moment:
        """Return the time, and how well it is known."""

    def elapsed(self) -> float:
        """Return seconds that only ever grow."""

    def note(self, event: Event, **facts: Fact) -> None:
        """Append to the audit log."""

    def take_charter(self, data: bytes) -> None:
        """Take a newer charter that a technician has brought, as if it had been delivered."""

    def perform(self, act: Act, arguments: bytes, whom: Whom) -> bytes:
        """Do what is the warden's to do of an act; return what comes back of it.

        Raises:
            ProtocolError: It cannot be done, and nothing was changed.
        """


class _Session(msgspec.Struct):
    greeting: Greeting
    whom: Whom | None = None
    number: int = 0
    last_s: float = 0.0
    noted: set[Act] = msgspec.field(default_factory=set)


class Visitors:
    """All who are at a cable of the unit. `peer` is whatever stands for the console that they came through."""

    def __init__(self, house: House, store: Store) -> None:
        self._house, self._store = house, store
        self._sessions: dict[Any, _Session] = {}
        self._greetings = Allowance(limits.CABLE_HELLOS_A_MINUTE)
        self._failures = store.cable_failures()
        self._locked_until = 0.0
        if self._failures >= limits.CABLE_FAILURES_MAX:
            self._lock()

    def greet(self, peer: Any, session: str) -> bytes:  # noqa: ANN401 - any key will do
        """Return a signed greeting; whoever was there before at this cable has left.

        Raises:
            ProtocolError: `BUSY`: too many in this minute.
        """
        self.left(peer)
        if not self._greetings.take(time.monotonic())[0]:
            raise ProtocolError(Refusal.BUSY, "too many connections in this minute: wait a minute")
        house, at = self._house, self._house.moment()
        greeting = Greeting(
            force=house.charter.force if house.charter else None,
            unit=house.name,
            key=house.key,
            session=session,
            challenge=secrets.token_hex(32),
            sent=at.time,
            clock=at.clock,
            version=__version__,
            locked_s=self._locked_s(),
            decommissioned=house.decommissioned,
        )
        self._sessions[peer] = _Session(greeting)
        return house.sign(greeting)

    def perform(self, peer: Any, visit: bytes, arguments: bytes) -> bytes:  # noqa: ANN401 - as above
        """Hear a technician's word: let them in, or do what they say.

        Args:
            peer: The console that it came through.
            visit: The signed word.
            arguments: What came with it.

        Returns:
            What the act gives back.

        Raises:
            ProtocolError: With the rule that is broken.
        """
        session = self._sessions.get(peer)
        if session is None:
            raise ProtocolError(Refusal.NO_VISIT, "nobody was greeted at this cable: begin anew")
        self._require_unlocked()
        try:
            checked, whom = self._check(session, visit, arguments)
        except ProtocolError as error:
            self._fail(peer, error)
            raise
        if session.whom is None:
            self._let_in(peer, session, whom)
        session.number, session.last_s, session.whom = checked.document.number, self._house.elapsed(), whom
        act = checked.document.act
        if act is Act.VISIT:
            return b""
        self._house.note(Event.TECHNICIAN_ACTED, technician=whom.technician, act=act.value)
        return self._house.perform(act, arguments, whom)

    def look(self, peer: Any, act: Act) -> None:  # noqa: ANN401 - as above
        """Demand that somebody was let in, and log once in a visit that they look at something.

        Raises:
            ProtocolError: `NO_VISIT`.
        """
        session = self._sessions.get(peer)
        if session is None or session.whom is None or self._house.elapsed() - session.last_s > IDLE_S:
            raise ProtocolError(Refusal.NO_VISIT, "nobody is let in at this cable: begin anew")
        session.last_s = self._house.elapsed()
        if act not in session.noted:
            session.noted.add(act)
            self._house.note(Event.TECHNICIAN_ACTED, technician=session.whom.technician, act=act.value)

    def left(self, peer: Any) -> None:  # noqa: ANN401 - as above
        """End a visit, if there is one."""
        session = self._sessions.pop(peer, None)
        if session is not None and session.whom is not None:
            self._house.note(Event.TECHNICIAN_LEFT, technician=session.whom.technician)

    # Inside

    def _check(self, session: _Session, visit: bytes, arguments: bytes) -> tuple[Checked[Visit], Whom]:
        known = session.whom and (self._house.charter or session.whom.charter)  # a key may have been revoked meanwhile
        charter = known or self._charter_for(arguments)
        checked = authority.check_visit(visit, charter, session.greeting)
        word = checked.document
        if word.arguments != envelope.digest_of(arguments):
            raise ProtocolError(Refusal.MALFORMED, "what came with the technician's word is not what was signed")
        if (word.act is Act.VISIT) != (session.whom is None) or word.number < session.number + (
            session.whom is not None
        ):
            raise ProtocolError(Refusal.REPLAYED, "this word of the technician's was heard before: begin anew")
        return checked, Whom(authority.technician_of(visit, charter), charter, word.time)

    def _charter_for(self, brought: bytes) -> Charter:
        """Return the charter that decides who is let in. A newer one that the technician has brought is taken first."""
        house = self._house
        if house.charter is None:
            if not brought:
                raise ProtocolError(Refusal.NOT_AUTHORISED, "this unit is blank: bring the force's charter")
            return authority.check_charter(brought, house.moment().time).document
        if brought:
            offered = envelope.decode(envelope.parse(brought, Kind.CHARTER), Charter)
            if offered.force == house.charter.force and offered.version > house.charter.version:
                house.take_charter(brought)
        return house.charter

    def _let_in(self, peer: Any, session: _Session, whom: Whom) -> None:  # noqa: ANN401 - as above
        now_s = self._house.elapsed()
        for other, beside in self._sessions.items():
            if other is peer or beside.whom is None:
                continue
            if beside.whom.technician != whom.technician and now_s - beside.last_s < _BUSY_S:
                raise ProtocolError(
                    Refusal.BUSY, "another technician is at work at this unit's other cable: wait until they are done"
                )
        session.noted.clear()
        self._count(0)
        self._house.note(Event.TECHNICIAN_CAME, technician=whom.technician)

    def _fail(self, peer: Any, error: ProtocolError) -> None:  # noqa: ANN401 - as above
        self._house.note(Event.TECHNICIAN_REFUSED, code=error.code.value)
        log.event("technician.refused", "warning", code=error.code.value)
        self._count(self._failures + 1)
        self.left(peer)
        if self._failures >= limits.CABLE_FAILURES_MAX:
            self._lock()
            self._house.note(Event.CABLE_LOCKED, failures=self._failures)

    def _count(self, failures: int) -> None:
        if failures != self._failures:
            self._failures = failures
            self._store.count_cable_failures(failures)

    def _lock(self) -> None:
        self._locked_until = self._house.elapsed() + limits.CABLE_LOCK.total_seconds()

    def _locked_s(self) -> int:
        return max(0, round(self._locked_until - self._house.elapsed()))

    def _require_unlocked(self) -> None:
        left = self._locked_s()
        if left:
            minutes = -(-left // 60)
            raise ProtocolError(
                Refusal.LOCKED,
                f"the cable is locked after {self._failures} refused visits: try again in {minutes} min",
            )
