"""`unit deliver`, `unit time`: documents to the unit, and their receipts."""

import argparse
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from overt.protocol import envelope, limits
from overt.protocol.cable import requests
from overt.protocol.documents import UnitRef
from overt.protocol.reports import Receipt
from overt.protocol.topics import Down
from overt.runtime.cli import NEGATIVE, OK
from overt.runtime.files import write_atomically
from overt_provisioning import time_signing
from overt_provisioning.common import read_file, say
from overt_provisioning.unit.session import Session, Technician
from overt_provisioning.unit.visiting import Visiting

_WORTH_SHOWING: Final = 4 * requests.PART_BYTES


def deliver(arguments: argparse.Namespace) -> int:
    """Hand the unit a document, and keep its receipt."""
    leaf = Down(arguments.kind)
    most = limits.WATCHLIST_MAX_BYTES + 2**20 if leaf is Down.WATCHLIST else limits.DOCUMENT_MAX_BYTES
    data = read_file(arguments.file, most)
    visiting = Visiting(arguments)
    with visiting.session() as session, Shown(visiting, len(data)) as shown:
        receipt, signed = hand(session, leaf, data, shown.advance)
    if arguments.receipt:
        write_atomically(arguments.receipt, signed, mode=0o644)
    say(arguments, _in_words(receipt), **msgspec.to_builtins(receipt))
    return OK if receipt.accepted else NEGATIVE


def set_time(arguments: argparse.Namespace) -> int:
    """Tell the unit the time of this machine, signed."""
    visiting = Visiting(arguments)
    with visiting.session() as session:
        receipt = tell_time(visiting.technician, session)
    say(arguments, _in_words(receipt), **msgspec.to_builtins(receipt))
    return OK if receipt.accepted else NEGATIVE


def hand(
    session: Session, leaf: Down, data: bytes, advance: Callable[[int], None] = lambda _: None
) -> tuple[Receipt, bytes]:
    """Hand over a document, in parts, from where it was torn.

    Args:
        session: The visit.
        leaf: What it is.
        data: Its bytes.
        advance: Told how many bytes are there.

    Returns:
        The receipt, and as the unit signed it.

    Raises:
        Failure: It could not be handed over.
        ProtocolError: The unit did not sign the receipt.
    """
    digest, held = hashlib.sha256(data).hexdigest(), 0
    part = b""  # first ask how much is there
    while True:
        asked = requests.Part(digest=digest, size=len(data), offset=held, data=part)
        held = session.ask_for(requests.Held, "part", asked).bytes_held
        advance(held)
        if held >= len(data):
            break
        part = data[held : held + requests.PART_BYTES]
    signed = session.ask("deliver", requests.Deliver(kind=leaf, digest=digest))
    return envelope.verify(signed, Receipt, session.greeting.key), signed


def tell_time(technician: Technician, session: Session) -> Receipt:
    """Have the unit make a challenge, sign the time with it, and hand that over.

    Raises:
        Failure: It could not be done.
        ProtocolError: The unit did not sign what it should have.
    """
    greeting = session.greeting
    unit = UnitRef(unit=greeting.unit or "", key=greeting.key)
    challenge = time_signing.checked(session.ask("time"), unit, technician.charter)
    _, signed = time_signing.answer(challenge, technician.signer)
    return hand(session, Down.TIME, signed)[0]


class Shown:
    """How far it is, on a terminal; nothing elsewhere."""

    def __init__(self, visiting: Visiting, total: int, what: str = "to the unit", least: int = _WORTH_SHOWING) -> None:
        self._total, self._what, self._show = total, what, visiting.asks and total > least
        self.advance: Callable[[int], None] = lambda _: None

    def __enter__(self) -> "Shown":
        if self._show:
            from rich.console import Console  # noqa: PLC0415 - heavy, and help must be quick
            from rich.progress import Progress  # noqa: PLC0415 - as above

            self._bar = Progress(console=Console(stderr=True), transient=True)
            task = self._bar.add_task(self._what, total=self._total)
            self._bar.start()
            self.advance = lambda held: self._bar.update(task, completed=held)
        return self

    def __exit__(self, *_: object) -> None:
        if self._show:
            self._bar.stop()


def _in_words(receipt: Receipt) -> str:
    if receipt.accepted:
        reader = f"; its watchlist goes to {receipt.recipient}" if receipt.recipient else ""
        return f"the unit took the {receipt.document.value} {receipt.digest[:12]}…{reader}"
    code = receipt.refusal.value if receipt.refusal else "refused"
    return f"the unit refused the {receipt.document.value} {receipt.digest[:12]}…: {code}: {receipt.detail}"
