"""`unit log`, `unit receipts`: what the unit has written and signed, off it."""

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec

from overt.protocol import envelope, logfile
from overt.protocol.audit import Record
from overt.protocol.cable import requests
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt.runtime.files import write_atomically
from overt_provisioning.common import say
from overt_provisioning.unit.session import Session
from overt_provisioning.unit.visiting import Visiting


def take_log(arguments: argparse.Namespace) -> int:
    """Take the log off the unit, and check it."""
    visiting = Visiting(arguments)
    with visiting.session() as session:
        taken = fetch_log(session, visiting.person.tell)
    if arguments.out.exists() and not arguments.replace:
        raise Failure(f"{arguments.out} is there already; give another name, or --replace")
    write_atomically(arguments.out, taken.lines, mode=0o644)
    finding = taken.finding
    text = f"wrote {finding.records} records to {arguments.out}, {finding.sealed} of them under the unit's signature"
    facts = {"records": finding.records, "sealed": finding.sealed, "whole": finding.fault is None}
    if finding.fault is not None:
        text += f"; it is not whole: record {finding.fault.record}: {finding.fault.why}"
    say(arguments, text, file=str(arguments.out), **facts)
    return OK if finding.fault is None else NEGATIVE


def take_receipts(arguments: argparse.Namespace) -> int:
    """Take the receipts and certificates off the unit that wait for a network. They go on waiting."""
    visiting = Visiting(arguments)
    with visiting.session() as session:
        found = fetch_receipts(session)
        key = session.greeting.key
    written = []
    for signed in found:
        parsed = envelope.parse(signed)
        if not parsed.signers([key]):
            raise Failure("the unit gave a receipt that it did not sign: it is not to be trusted", NEGATIVE)
        path = arguments.out / f"{parsed.kind.value}-{parsed.digest()[:12]}.json"
        save(path, signed)
        written.append(str(path))
    say(arguments, "\n".join(written) or "none is waiting", files=written)
    return OK


def fetch_receipts(session: Session) -> list[bytes]:
    """Return what waits, as the unit signed it.

    Raises:
        Failure: It could not be had.
    """
    found: list[requests.Waiting] = []
    while True:
        asked = requests.Receipts(after=found[-1].number if found else 0)
        more = msgspec.msgpack.decode(session.ask("receipts", asked), type=list[requests.Waiting])
        if not more:
            return [one.signed for one in found]
        found += more


class Taken(msgspec.Struct, frozen=True):
    """A log that was taken off.

    Attributes:
        lines: The file.
        finding: What a check of it found.
        records: How many records it has.
        head: The hash of the last.
    """

    lines: bytes
    finding: logfile.Finding
    records: int
    head: str


def fetch_log(session: Session, tell: Callable[[str], None] = lambda _: None) -> Taken:
    """Take the log off, page by page.

    Raises:
        Failure: It could not be done.
    """
    greeting = session.greeting
    if greeting.force is not None:
        session.ask("checkpoint")
    lines, last = bytearray(), None
    told = 0
    while page := session.ask("log", requests.Log(after=last.position if last else 0)):
        lines += page
        found = list(logfile.records_of(page.splitlines()))
        if not found:
            break
        last = found[-1]
        if last.position - told >= 1000:  # noqa: PLR2004 - now and then
            told = last.position
            tell(f"{told} records")
    return _checked(bytes(lines), last, greeting.unit or "", greeting.key)


def _checked(lines: bytes, last: Record | None, unit: str, key: str) -> Taken:
    finding = logfile.check(lines.splitlines(keepends=True), unit, key)
    records, head = (last.position, last.hash) if last else (0, "0" * 64)
    return Taken(lines, finding, records, head)


def save(path: Path, data: bytes) -> None:
    """Write something that was taken off, in a folder that may have to be made.

    Raises:
        OSError: It could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data, mode=0o644)
