"""Sends a document to a unit over MQTT, and waits for the unit's signed answer."""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from overt.protocol import envelope, limits
from overt.protocol.documents import Cancellation
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.reports import Receipt
from overt.protocol.topics import BRINGS, Down, Topic, Up
from overt.protocol.vocabulary import Refusal
from overt.runtime import session
from overt.runtime.broker import Broker, broker_at
from overt.runtime.mqtt import Acknowledged, Received
from overt.runtime.session import Session
from overt_provisioning.certificates import OFFICE

_REFUSED = 0x80
_CONNECT_PATIENCE_S = 10.0
_AGAIN_S = 5.0
_LAST_PORT = 65535
_SEALED = b"age-encryption.org/v1\n"


class CourierProblem(Exception):
    """The document could not be delivered, or no answer came. The message says which."""


class AddressProblem(Exception):
    """The broker's address is none. The message says what was expected."""


class Errand(msgspec.Struct, frozen=True):
    """One document for one unit.

    Attributes:
        force: The force's slug.
        unit: The unit's slug.
        unit_key: The unit's public key, which must have signed the answer.
        what: The topic's last level.
        data: The bytes to send.
        order: The digest of the order or loan concerned; None for a charter.
    """

    force: str
    unit: str
    unit_key: str
    what: Down
    data: bytes
    order: str | None

    def answers(self, receipt: Receipt) -> bool:
        """Say whether a receipt is about this document."""
        if receipt.unit != self.unit or receipt.document is not BRINGS[self.what]:
            return False
        if self.what is Down.WATCHLIST and receipt.accepted:
            return receipt.order == self.order  # its digest is of the plain text, which the courier does not see
        digests = {envelope.digest_of(self.data)}
        if self.what is not Down.WATCHLIST:
            digests.add(envelope.parse(self.data).digest())
        return receipt.digest in digests


def office_broker(home: Path, address: str) -> Broker:
    """Return the broker at HOST:PORT, reached with the office's own certificate.

    Raises:
        AddressProblem: Not an address.
        CourierProblem: A file is missing.
    """
    host, colon, port = address.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= len(str(_LAST_PORT)) else 0
    if not colon or not host or not 0 < number <= _LAST_PORT:
        raise AddressProblem(f"expected a broker as HOST:PORT, found {address!r}")
    try:
        return broker_at(host, number, home / "pki", ("ca.pem", "office.crt", "office.key"))
    except ValueError as error:
        raise CourierProblem(f"{error} (make them with 'overt-provision certificate office')") from error


def check(errand: Errand) -> None:
    """Check that a document is what it is sent as, before anyone is bothered with it.

    Raises:
        ProtocolError: It is not, or it concerns another order.
    """
    if errand.what is Down.WATCHLIST:
        if not errand.data.startswith(_SEALED):
            raise Malformed("expected an encrypted watchlist, found something else; it was not sent")
        return
    parsed = envelope.parse(errand.data, BRINGS[errand.what])
    concerned = parsed.digest()
    if errand.what is Down.CANCEL:
        concerned = envelope.decode(parsed, Cancellation).order
    if errand.order is not None and errand.what is not Down.CHARTER and concerned != errand.order:
        raise ProtocolError(
            Refusal.WRONG_ORDER,
            f"this {errand.what.value} concerns the order {concerned[:12]}…, in hand is {errand.order[:12]}…; "
            "it was not sent",
        )


def deliver(errand: Errand, broker: Broker, seconds: float) -> bytes | None:
    """Publish a document and wait for the unit's receipt.

    Args:
        errand: What to send.
        broker: Through whom.
        seconds: How long to wait for the receipt; 0 waits for the broker's acknowledgement only.

    Returns:
        The receipt's envelope, verified; None when `seconds` is 0 and none was there at once.

    Raises:
        CourierProblem: No broker, refused by the broker, or no answer in time.
    """
    answers = str(Topic(force=errand.force, unit=errand.unit, leaf=Up.RECEIPT))
    line = Session(broker, OFFICE, [answers], max_packet=limits.DOCUMENT_MAX_BYTES)
    try:
        _wait_until_up(line, broker)
        return _exchange(line, errand, seconds)
    finally:
        line.close()


def _wait_until_up(line: Session, broker: Broker) -> None:
    deadline = time.monotonic() + _CONNECT_PATIENCE_S
    last = "no answer"
    while not line.up:
        for happened in line.wait(0.2)[0]:
            if isinstance(happened, session.Down):
                last = happened.detail
                if happened.refused:
                    raise CourierProblem(f"the broker {broker} refuses the office: {last}")
        if time.monotonic() > deadline:
            raise CourierProblem(f"no broker at {broker} ({last}): is it running, and is the address right?")


class _Exchange:
    """One document on its way and the answer to it."""

    def __init__(self, line: Session, errand: Errand) -> None:
        self._line, self._errand = line, errand
        self._topic = str(Topic(force=errand.force, unit=errand.unit, leaf=errand.what))
        self._since = datetime.now(UTC) - limits.CLOCK_TOLERANCE
        self._sent: set[int] = set()
        self._again_at = 0.0
        self.acknowledged = False
        self.answer: bytes | None = None

    def turn(self) -> None:
        """Send when it is due, and take in what has come.

        Raises:
            CourierProblem: Refused by the broker, or the connection broke.
        """
        if not self._sent or (self.acknowledged and time.monotonic() >= self._again_at):
            # A unit that was never on line before has no session at the broker; it takes the same document only once.
            # What the broker is still taking in is not sent a second time on top.
            self._sent.add(self._line.publish(self._topic, self._errand.data, retain=False, expires_in_s=None))
            self._again_at = time.monotonic() + _AGAIN_S
        for happened in self._line.wait(0.2)[0]:
            if isinstance(happened, session.Down):
                raise CourierProblem(f"the connection broke ({happened.detail}): send it again, the unit takes it once")
            if isinstance(happened, Acknowledged) and happened.message_id in self._sent:
                if happened.reason_code >= _REFUSED:
                    raise CourierProblem(f"the broker refuses it (reason {happened.reason_code:#04x})")
                self.acknowledged = True
            elif isinstance(happened, Received):
                self._line.acknowledge(happened)
                if self._is_answer(happened.payload):
                    self.answer = happened.payload

    def _is_answer(self, payload: bytes) -> bool:
        try:
            receipt = envelope.verify(payload, Receipt, self._errand.unit_key)
        except ProtocolError:
            return False  # another report on the same topic, or another unit's word
        return receipt.received >= self._since and self._errand.answers(receipt)


def _exchange(line: Session, errand: Errand, seconds: float) -> bytes | None:
    exchange = _Exchange(line, errand)
    deadline = time.monotonic() + _CONNECT_PATIENCE_S
    while not exchange.acknowledged and exchange.answer is None:
        if time.monotonic() > deadline:
            raise CourierProblem("the broker did not acknowledge it in time: send it again, the unit takes it once")
        exchange.turn()
    deadline = time.monotonic() + seconds
    while exchange.answer is None and seconds > 0:
        if time.monotonic() > deadline:
            raise CourierProblem(
                f"the broker has it, but {errand.unit} did not answer within {seconds:g} s: is the unit on line?"
            )
        exchange.turn()
    return exchange.answer
