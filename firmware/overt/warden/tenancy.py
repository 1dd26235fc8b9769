"""What a technician has the warden do at the cable: an identity, an enrolment, an end. For any unit."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from overt.protocol import envelope
from overt.protocol.audit import Event, Moment
from overt.protocol.cable import requests
from overt.protocol.documents import Charter
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.fields import Digest
from overt.protocol.reports import Decommission
from overt.protocol.vocabulary import Act, Kind, Refusal
from overt.runtime.files import write_atomically
from overt.warden import decommission, enrolment
from overt.warden.enrolment import EnrolmentError, Fitted, Identity, Papers
from overt.warden.store import Store
from overt.warden.vault import VaultError
from overt.warden.visitors import Whom

_PACKER = msgspec.msgpack.Encoder()
_RECORDS_SINCE = 30
"""So many records may have come since the log was taken off: the technician's own acts, and what the unit noticed."""
Note = Callable[..., None]


def identify(state: Path, arguments: bytes, note: Note) -> bytes:
    """Give a unit its name and keys, or say which it has.

    Raises:
        ProtocolError: It has another name already, or the name is not fit.
        OSError: It could not be written.
    """
    wanted = _read(arguments, requests.Identify).unit
    try:
        identity = enrolment.read_identity(state) if (state / "identity.json").exists() else None
        if identity is None:
            identity = enrolment.make_identity(state, wanted)
            note(Event.UNIT_IDENTIFIED, unit=identity.unit)
    except EnrolmentError as error:
        raise ProtocolError(Refusal.BUSY, _line(error)) from error
    if identity.unit != wanted:
        raise ProtocolError(
            Refusal.WRONG_UNIT,
            f"this unit is {identity.unit} already, and its name is in its keys: decommission it to give it another",
        )
    return _PACKER.encode(identified(state, identity))


def identified(state: Path, identity: Identity) -> requests.Identified:
    """Return what the force has to know of a unit.

    Raises:
        OSError: The request for its certificate cannot be read.
    """
    request = (state / "uplink" / "unit.csr").read_bytes()
    return requests.Identified(unit=identity.unit, key=identity.key, request=request)


def enrol(state: Path, arguments: bytes, whom: Whom, now: datetime, note: Note) -> bytes:
    """Take the unit into the force whose technician is there. The state folder is held by the caller.

    Raises:
        ProtocolError: Something does not fit, and nothing was changed.
        OSError: It could not be written.
    """
    asked = _read(arguments, requests.Enrol)
    brought = envelope.parse(asked.charter, Kind.CHARTER)
    try:
        fitted = Fitted(
            site=asked.site,
            gps=enrolment.parse_gps(asked.gps) if asked.gps else None,
            lamp=enrolment.parse_lamp(asked.indicator) if asked.indicator else None,
            tamper=enrolment.parse_switch(asked.tamper) if asked.tamper else None,
        )
        if fitted.site is None and fitted.gps is None:
            raise EnrolmentError("expected a site, or a satellite receiver, or both: found neither")
        if envelope.decode(brought, Charter) != whom.charter:
            raise EnrolmentError(
                "expected the charter that the technician was let in by, found another: use the newest"
            )
        papers = Papers(charter=asked.charter, authority=asked.authority, certificate=asked.certificate)
        charter = enrolment.install(state, papers, fitted, enrolment.parse_broker(asked.broker), now)
    except EnrolmentError as error:
        raise ProtocolError(Refusal.LIMIT, _line(error)) from error
    certificate = envelope.digest_of(asked.certificate)
    note(Event.UNIT_ENROLLED, force=charter.force, charter=brought.digest(), certificate=certificate)
    decommission.forget(state)
    return _PACKER.encode(requests.Enrolled(force=charter.force, title=charter.title))


class Ending(msgspec.Struct, frozen=True):
    """What a certificate of decommissioning is made of."""

    force: str | None
    unit: str | None
    key: Digest
    sign: Callable[[envelope.Payload], bytes]
    at: Moment


def end(state: Path, arguments: bytes, whom: Whom, ending: Ending, store: Store, note: Note) -> bytes:
    """Certify that everything will be erased, and make it certain. Whoever holds the state folder then does it.

    Raises:
        ProtocolError: The log has not been taken off. Nothing was changed.
        OSError: It could not be written: nothing will be erased.
    """
    taken = _read(arguments, requests.Farewell)
    length = store.head()[0]
    if store.head_at(taken.records) != taken.head or not length - _RECORDS_SINCE <= taken.records <= length:
        raise ProtocolError(Refusal.BUSY, "the log that was taken off is not the unit's up to now: take it off again")
    signed = ending.sign(
        Decommission(
            force=ending.force,
            unit=ending.unit,
            key=ending.key,
            technician=whom.technician,
            erased=ending.at.time,
            clock=ending.at.clock,
            orders=store.orders_known(),
            log_position=taken.records,
            log_head=taken.head,
        )
    )
    note(Event.UNIT_DECOMMISSIONED, force=ending.force)
    decommission.begin(state, signed)
    return signed


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Turn what storage and the state folder refuse into one sentence for the technician."""
    try:
        yield
    except VaultError as error:
        raise ProtocolError(Refusal.BUSY, _line(error)) from error
    except OSError as error:
        raise ProtocolError(
            Refusal.BUSY, f"the unit cannot store anything just now ({error.strerror or 'unknown'}): try again"
        ) from error


def keep_signing_key(state: Path, private: bytes) -> None:
    """Keep the signing key that a blank unit makes for itself, so that its label can be printed before it has a name.

    Raises:
        OSError: It could not be written.
    """
    (state / "keys").mkdir(mode=0o700, exist_ok=True)
    write_atomically(state / "keys" / "signing.key", private)


def _read(data: bytes, type_: type[requests.A]) -> requests.A:
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("what came with the technician's word is not what belongs to this act") from error


def _line(error: Exception) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(error))[:200]


ACTS = frozenset({Act.IDENTIFY, Act.ENROL, Act.DECOMMISSION})
"""What the warden does itself. Of every other act it only checks and logs the technician's word."""
