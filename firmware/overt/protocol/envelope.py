"""Signing and checking: DSSE envelopes with Ed25519 keys.

A document's identity (`digest_of`) is the SHA-256 of its payload bytes: adding a countersignature does not change it.
"""

import binascii
import hashlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.signer import Signature, Signer

from overt.protocol import limits
from overt.protocol.documents import Assurance, Cancellation, Charter, Loan, Order, SignedTime, Visit, Watchlist
from overt.protocol.errors import Malformed, NotAuthorised, ProtocolError
from overt.protocol.reports import (
    Alert,
    Challenge,
    Checkpoint,
    Decommission,
    Erasure,
    Greeting,
    HandBack,
    Health,
    Inspection,
    Receipt,
    Status,
)
from overt.protocol.vocabulary import Kind, Refusal

Payload = (
    Charter
    | Order
    | Watchlist
    | Cancellation
    | Loan
    | Assurance
    | SignedTime
    | Receipt
    | Alert
    | Status
    | Health
    | Checkpoint
    | Erasure
    | HandBack
    | Challenge
    | Visit
    | Greeting
    | Decommission
    | Inspection
)
P = TypeVar("P", bound=Payload)

TYPES: dict[Kind, type[Payload]] = {
    Kind.CHARTER: Charter,
    Kind.ORDER: Order,
    Kind.WATCHLIST: Watchlist,
    Kind.CANCELLATION: Cancellation,
    Kind.LOAN: Loan,
    Kind.ASSURANCE: Assurance,
    Kind.TIME: SignedTime,
    Kind.RECEIPT: Receipt,
    Kind.ALERT: Alert,
    Kind.STATUS: Status,
    Kind.HEALTH: Health,
    Kind.CHECKPOINT: Checkpoint,
    Kind.ERASURE: Erasure,
    Kind.HANDBACK: HandBack,
    Kind.CHALLENGE: Challenge,
    Kind.VISIT: Visit,
    Kind.GREETING: Greeting,
    Kind.DECOMMISSION: Decommission,
    Kind.INSPECTION: Inspection,
}
KINDS: dict[type[msgspec.Struct], Kind] = {type_: kind for kind, type_ in TYPES.items()}
"""Which struct each kind of envelope carries, and back."""

_PREFIX, _SUFFIX = "application/vnd.overt.", ".v1+json"
_encoder = msgspec.json.Encoder(order="deterministic")


class _WireSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _WireEnvelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """DSSE's JSON form (github.com/secure-systems-lab/dsse, envelope.md)."""

    payload: bytes
    payloadType: str  # noqa: N815 - the name is the standard's
    signatures: list[_WireSignature]


class Envelope(msgspec.Struct, frozen=True):
    """A parsed envelope whose signatures have not been checked yet.

    Attributes:
        kind: What the envelope says it carries.
        payload: The exact bytes that were signed.
        signatures: Raw Ed25519 signatures by key id; one per key.
    """

    kind: Kind
    payload: bytes
    signatures: dict[str, bytes]

    def signed_bytes(self) -> bytes:
        """Return DSSE's pre-authentication encoding, which is what the signatures cover."""
        return Dsse(self.payload, payload_type(self.kind), {}).pae()

    def signers(self, keys: Iterable[str]) -> frozenset[str]:
        """Return which of these public keys (raw, hexadecimal) have validly signed.

        A key whose signature does not verify simply is not in the answer.
        """
        signed = self.signed_bytes()
        return frozenset(key for key in keys if _verifies(key, self.signatures.get(key_id(key)), signed))

    def digest(self) -> str:
        """Return the document's identity: SHA-256 of the payload, hexadecimal."""
        return digest_of(self.payload)


def payload_type(kind: Kind) -> str:
    """Return the media type that binds a signature to one kind of document."""
    return f"{_PREFIX}{kind.value}{_SUFFIX}"


def key_id(public: str) -> str:
    """Return the id of a raw public key given in hexadecimal: its SHA-256. One key can have no second id."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def digest_of(payload: bytes) -> str:
    """Return the SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def encode(document: Payload) -> bytes:
    """Return a document's payload bytes (deterministic JSON)."""
    return _encoder.encode(document)


def sign(document: Payload, signers: Iterable[Signer]) -> bytes:
    """Return the envelope of a document, signed by each signer, as JSON bytes."""
    dsse = Dsse(encode(document), payload_type(KINDS[type(document)]), {})
    for signer in signers:
        dsse.sign(signer)
    return _wire(dsse)


def countersign(data: bytes, kind: Kind, signer: Signer) -> bytes:
    """Return the envelope with one signature more.

    Raises:
        Malformed: The data is not an envelope of this kind.
    """
    envelope = parse(data, kind)
    signatures = {keyid: Signature(keyid, sig.hex()) for keyid, sig in envelope.signatures.items()}
    dsse = Dsse(envelope.payload, payload_type(kind), signatures)
    dsse.sign(signer)
    return _wire(dsse)


def parse(data: bytes, kind: Kind | None = None) -> Envelope:
    """Parse an envelope without trusting it.

    Args:
        data: JSON bytes.
        kind: The kind expected; None takes any known kind.

    Raises:
        Malformed: Not a DSSE envelope of that kind.
        ProtocolError: Larger than `limits` allow (`Refusal.TOO_LARGE`).
    """
    limit = limits.WATCHLIST_MAX_BYTES if kind is Kind.WATCHLIST else limits.DOCUMENT_MAX_BYTES
    if len(data) > limit:
        raise ProtocolError(Refusal.TOO_LARGE, f"expected at most {limit:,} bytes, found {len(data):,}")
    expected = f"a signed {kind.value}" if kind else "a signed document"
    try:
        wire = msgspec.json.decode(data, type=_WireEnvelope)
        found = Kind(wire.payloadType.removeprefix(_PREFIX).removesuffix(_SUFFIX))
        signatures = {
            signature.keyid: binascii.a2b_base64(signature.sig, strict_mode=True) for signature in wire.signatures
        }
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Malformed(
            f"expected {expected}, found something else: the bytes are not a DSSE envelope of Overt's"
        ) from error
    if wire.payloadType != payload_type(found) or (kind is not None and found is not kind):
        raise Malformed(f"expected {expected}, found a signed {found.value}")
    if len(signatures) != len(wire.signatures) or len(signatures) > limits.SIGNATURES_MAX:
        raise Malformed(f"expected at most {limits.SIGNATURES_MAX} signatures, each by a different key")
    return Envelope(found, wire.payload, signatures)


def decode(envelope: Envelope, type_: type[P]) -> P:
    """Decode an envelope's payload. Call it only once the signatures are known to be good, or to show it to a person.

    Raises:
        Malformed: The payload is not what the envelope says, or breaks a bound.
    """
    if TYPES.get(envelope.kind) is not type_:
        raise Malformed(f"expected a {KINDS[type_].value}, found a {envelope.kind.value}")
    return _decode(envelope, type_)


def decode_any(envelope: Envelope) -> Payload:
    """Decode an envelope's payload, whatever it is, to show it to a person.

    Raises:
        Malformed: The payload is not what the envelope says, or is of a kind that this release does not know.
    """
    type_ = TYPES.get(envelope.kind)
    if type_ is None:
        raise Malformed(f"this release does not know documents of the kind {envelope.kind.value}")
    return _decode(envelope, type_)


def _decode(envelope: Envelope, type_: type[P]) -> P:
    try:
        return msgspec.json.decode(envelope.payload, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Malformed(f"this {envelope.kind.value} is not well formed: {_first_line(error)}") from error


def verify(data: bytes, type_: type[P], key: str) -> P:
    """Check that one key signed a document and return it.

    Args:
        data: Envelope as JSON bytes.
        type_: The struct expected.
        key: Raw Ed25519 public key, hexadecimal.

    Raises:
        ProtocolError: Malformed, or not signed by that key.
    """
    envelope = parse(data, KINDS[type_])
    if not envelope.signers([key]):
        raise NotAuthorised(
            f"expected a {envelope.kind.value} signed by the key {key_id(key)[:12]}…, found no such signature"
        )
    return decode(envelope, type_)


def _verifies(key: str, signature: bytes | None, signed: bytes) -> bool:
    if signature is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _wire(dsse: Dsse) -> bytes:
    signatures = [
        _WireSignature(keyid, binascii.b2a_base64(bytes.fromhex(signature.signature), newline=False).decode())
        for keyid, signature in sorted(dsse.signatures.items())
    ]
    return msgspec.json.encode(_WireEnvelope(dsse.payload, dsse.payload_type, signatures))


def _first_line(error: Exception) -> str:
    """Return what is wrong, fit for a terminal: of the sender's text it may repeat the name of an unknown field."""
    line = (str(error).splitlines() or ["unreadable"])[0][:160]
    return "".join(c if c.isprintable() else "?" for c in line)
