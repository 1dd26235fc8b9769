"""`unit decommission`: the log is taken off, everything is erased, and the unit's certificate of that is kept."""

import argparse
import contextlib

import msgspec

from overt.protocol import envelope
from overt.protocol.cable import requests
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Decommission, Greeting
from overt.protocol.vocabulary import Act, Kind
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt_provisioning.common import say
from overt_provisioning.unit.fetching import fetch_log, save
from overt_provisioning.unit.session import Session
from overt_provisioning.unit.visiting import Visiting


def decommission(arguments: argparse.Namespace) -> int:
    """Erase the unit. What was begun is finished when the command is given again."""
    visiting = Visiting(arguments)
    visiting.judge.let_erased_through()
    with visiting.session() as session:
        greeting = session.greeting
        if greeting.unit is None and not greeting.decommissioned:
            raise Failure("this unit is blank already: there is nothing to erase", NEGATIVE)
        farewell = _take_leave(visiting, session, greeting)
        signed = session.ask("decommission", farewell, Act.DECOMMISSION)
        certificate = _checked(visiting, signed, greeting)
        _require_blank(session)
    folder = visiting.known.file(certificate.unit or "unit").parent
    path = arguments.out or folder / "decommission.json"
    save(path, signed)
    with contextlib.suppress(FileNotFoundError):
        (folder / "identity.json").replace(folder / "retired.json")
    text = f"{certificate.unit} is erased and blank again; its certificate is in {path}"
    say(arguments, text, file=str(path), **msgspec.to_builtins(certificate))
    return OK


def _take_leave(visiting: Visiting, session: Session, greeting: Greeting) -> requests.Farewell:
    """Be sure that it is meant, and take the log off. Of a unit that is erased already nothing is left to take."""
    if greeting.unit is None:
        return requests.Farewell(records=0, head="0" * 64)
    if not visiting.arguments.yes:
        if not visiting.asks:
            raise Failure("erasing a unit cannot be undone: give --yes if you mean it")
        options = [f"Erase {greeting.unit}: keys, papers, log", "Stop"]
        if visiting.person.choose("This cannot be undone", options) != 0:
            raise Failure("stopped: nothing was changed", NEGATIVE)
    taken = fetch_log(session)
    path = visiting.known.file(greeting.unit).parent / f"{greeting.unit}.log.jsonl"
    save(path, taken.lines)
    visiting.person.tell(f"the unit's log is in {path}: {taken.records} records")
    return requests.Farewell(records=taken.records, head=taken.head)


def _checked(visiting: Visiting, signed: bytes, greeting: Greeting) -> Decommission:
    """Return the certificate. It is signed with the key that is gone: the one that the unit was known by."""
    try:
        claimed = envelope.decode(envelope.parse(signed, Kind.DECOMMISSION), Decommission)
        known = visiting.known.find(claimed.unit) if claimed.unit else None
        key = greeting.key if greeting.unit else known.key if known else claimed.key
        return envelope.verify(signed, Decommission, key)
    except ProtocolError as error:
        raise Failure(f"the unit's certificate is not good: {error.detail}", NEGATIVE) from error


def _require_blank(session: Session) -> None:
    """See with one's own eyes that it has begun anew, with another key."""
    session.begin_anew()
    greeting = session.greeting
    if greeting.unit is not None or not greeting.decommissioned:
        raise Failure("the unit has signed its certificate, and is not blank yet: run the command again", NEGATIVE)
