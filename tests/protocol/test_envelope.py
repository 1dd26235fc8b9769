import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import envelope, keys, limits
from overt.protocol.documents import Cancellation
from overt.protocol.errors import Malformed, NotAuthorised, ProtocolError
from overt.protocol.reports import Checkpoint, Status
from overt.protocol.vocabulary import Kind, Refusal

PRIVATE, OTHER = keys.new_private(), keys.new_private()
PUBLIC = keys.public_of(PRIVATE)
CHECKPOINT = Checkpoint(force="f", unit="u", sent=datetime(2026, 11, 23, tzinfo=UTC), records=3, head="0" * 64)
SIGNED = envelope.sign(CHECKPOINT, [keys.signer_of(PRIVATE)])


def altered(**changes: object) -> bytes:
    return json.dumps(json.loads(SIGNED) | changes).encode()


def test_a_signed_document_is_read_back_by_whoever_has_the_public_key() -> None:
    assert envelope.verify(SIGNED, Checkpoint, PUBLIC) == CHECKPOINT


def test_a_strangers_signature_is_not_enough() -> None:
    with pytest.raises(NotAuthorised):
        envelope.verify(envelope.sign(CHECKPOINT, [keys.signer_of(OTHER)]), Checkpoint, PUBLIC)


def test_a_signature_put_under_another_payload_does_not_verify() -> None:
    other = envelope.sign(CHECKPOINT.__class__(**{**_fields(), "records": 4}), [keys.signer_of(OTHER)])
    with pytest.raises(NotAuthorised):
        envelope.verify(altered(payload=json.loads(other)["payload"]), Checkpoint, PUBLIC)


def test_a_signature_for_one_kind_does_not_pass_for_another() -> None:
    status = altered(payloadType=envelope.payload_type(Kind.STATUS))
    with pytest.raises(NotAuthorised):
        envelope.verify(status, Status, PUBLIC)


def test_a_document_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(Malformed, match="expected a signed status, found a signed checkpoint"):
        envelope.parse(SIGNED, Kind.STATUS)


def test_one_key_signing_twice_is_refused() -> None:
    signature = json.loads(SIGNED)["signatures"][0]
    with pytest.raises(Malformed, match="different key"):
        envelope.parse(altered(signatures=[signature, signature]))


def test_a_key_cannot_have_a_second_id() -> None:
    signature = json.loads(SIGNED)["signatures"][0]
    renamed = altered(signatures=[signature, {**signature, "keyid": "f" * 64}])
    assert envelope.parse(renamed).signers([PUBLIC, PUBLIC]) == {PUBLIC}


def test_countersigning_keeps_the_documents_identity_and_the_first_signature() -> None:
    twice = envelope.countersign(SIGNED, Kind.CHECKPOINT, keys.signer_of(OTHER))
    parsed = envelope.parse(twice)
    assert parsed.digest() == envelope.parse(SIGNED).digest()
    assert parsed.signers([PUBLIC, keys.public_of(OTHER)]) == {PUBLIC, keys.public_of(OTHER)}


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"payload": "***"},
        {"payloadType": "application/json"},
        {"payloadType": "application/vnd.overt.checkpoint.v2+json"},
        {"signatures": [{"keyid": "a", "sig": "not base64!"}]},
        {"signatures": [{"keyid": str(n), "sig": ""} for n in range(limits.SIGNATURES_MAX + 1)]},
    ],
)
def test_a_misshapen_envelope_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        envelope.parse(altered(**changes))


@pytest.mark.parametrize(
    "payload",
    [
        {"records": -1},
        {"head": "0" * 63},
        {"head": "0" * 64 + "\n"},
        {"force": "../etc"},
        {"force": "x" * 33},
        {"sent": "2026-11-23T00:00:00"},
        {"surprise": True},
        {"type": "status"},
    ],
)
def test_a_payload_that_breaks_a_bound_is_refused_without_repeating_it(payload: dict[str, object]) -> None:
    data = _sealed(json.dumps(json.loads(envelope.encode(CHECKPOINT)) | payload).encode())
    with pytest.raises(Malformed) as caught:
        envelope.verify(data, Checkpoint, PUBLIC)
    assert "etc" not in str(caught.value)


def test_a_document_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ProtocolError) as caught:
        envelope.parse(b"[" * (limits.DOCUMENT_MAX_BYTES + 1))
    assert caught.value.code is Refusal.TOO_LARGE


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Malformed):
        envelope.parse(b"[" * 100_000)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused_with_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        envelope.verify(data, Checkpoint, PUBLIC)


@given(st.integers(min_value=0, max_value=len(SIGNED) - 1), st.integers(min_value=1, max_value=255))
def test_no_single_changed_byte_is_accepted_as_another_document(position: int, change: int) -> None:
    data = bytearray(SIGNED)
    data[position] ^= change
    try:
        found = envelope.verify(bytes(data), Checkpoint, PUBLIC)
    except ProtocolError:
        return
    assert found == CHECKPOINT  # JSON has some slack outside the payload; what was signed has none


def _fields() -> dict[str, object]:
    return {name: getattr(CHECKPOINT, name) for name in CHECKPOINT.__struct_fields__}


def _sealed(payload: bytes) -> bytes:
    """Sign arbitrary bytes as a checkpoint, as a holder of the key could."""
    from securesystemslib.dsse import Envelope as Dsse

    dsse = Dsse(payload, envelope.payload_type(Kind.CHECKPOINT), {})
    dsse.sign(keys.signer_of(PRIVATE))
    return json.dumps(dsse.to_dict()).encode()


def test_the_name_of_an_unknown_field_reaches_no_terminal_as_it_came() -> None:
    payload = b'{"type":"cancellation","\x1b[2J\\n\xe2\x80\xae":1}'.replace(b"\x1b", b"\\u001b")
    with pytest.raises(Malformed) as refused:
        envelope.decode(envelope.Envelope(Kind.CANCELLATION, payload, {}), Cancellation)
    assert refused.value.detail.isprintable()
