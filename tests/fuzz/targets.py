"""What bytes from outside meet first, and what must hold of it: one clear error, or something that is wholly lawful."""

import contextlib
import copy
import json
import random
from collections.abc import Callable
from datetime import timedelta

import msgspec

from overt.protocol import authority, envelope, evidence, limits, logfile, messages, sealing, topics
from overt.protocol.authority import Checked
from overt.protocol.cable.frames import Framer
from overt.protocol.cable.network import Network
from overt.protocol.cable.requests import Question, Reply
from overt.protocol.cable.talk import Answerer
from overt.protocol.documents import (
    Assurance,
    Cancellation,
    Charter,
    Loan,
    Order,
    SignedTime,
    UnitRef,
    Visit,
    Watchlist,
)
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Greeting
from overt.protocol.vocabulary import Act, Category, ClockQuality, Kind, Role
from tests.builders import (
    OFFICERS,
    UNIT,
    make_assurance,
    make_cancellation,
    make_force,
    make_loan,
    make_order,
    make_party,
    make_watchlist,
    utc_now,
)

NOW = utc_now()
FORCE, BORROWER = make_force(), make_force("borrower")
UNIT_REF = UnitRef(unit=UNIT, key=make_party().public)
ORDER = make_order(FORCE, UNIT_REF)
GREETING = Greeting(
    force=FORCE.charter.force,
    unit=UNIT,
    key=UNIT_REF.key,
    session="b" * 64,
    challenge="c" * 64,
    sent=NOW,
    clock=ClockQuality.UNKNOWN,
    version="1",
)
SEEDS: dict[Kind, bytes] = {
    Kind.CHARTER: FORCE.charter_data,
    Kind.ORDER: ORDER.data,
    Kind.WATCHLIST: make_watchlist(FORCE, ORDER.digest),
    Kind.CANCELLATION: make_cancellation(FORCE, ORDER.digest),
    Kind.LOAN: make_loan(FORCE, BORROWER, UNIT_REF),
    Kind.ASSURANCE: make_assurance(FORCE).data,
    Kind.TIME: envelope.sign(
        SignedTime(force=FORCE.charter.force, unit=UNIT, challenge="c" * 64, time=NOW),
        [FORCE[Role.TECHNICIAN].signer],
    ),
    Kind.VISIT: envelope.sign(
        Visit(
            force=FORCE.charter.force,
            key=GREETING.key,
            session=GREETING.session,
            challenge=GREETING.challenge,
            number=1,
            act=Act.ENROL,
            arguments="a" * 64,
            time=NOW,
        ),
        [FORCE[Role.TECHNICIAN].signer],
    ),
}
SIGNERS = {role: FORCE[role].signer for role in Role}
IDENTITY = sealing.new_identity()[0]
_PACKETS = [
    msgspec.msgpack.Decoder(union)
    for union in (
        *(messages.FromVision, messages.FromUplink, messages.FromControl, messages.FromConsole, messages.ToVision),
        *(Question, Reply, Network),
    )
]
_LONGEST_DETAIL = 1000


def feed(data: bytes) -> None:
    """Give some bytes to everything that reads what others wrote."""
    _expect_refusal_or(lambda: envelope.decode_any(envelope.parse(data)))
    _expect_refusal_or(lambda: topics.parse(data.decode(errors="replace")))
    judge(data)
    logfile.check(data.splitlines(keepends=True), UNIT, UNIT_REF.key)
    for packet in _PACKETS:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):  # the channel makes one clear error of these
            packet.decode(data)
    for frame in Framer().feed(data + b"\0"):
        Answerer().take(frame)


def feed_sealed(data: bytes) -> None:
    """Give some bytes to decryption."""
    _expect_refusal_or(lambda: sealing.unseal(data, IDENTITY))


def judge(data: bytes) -> None:
    """Give some bytes to every check that a unit makes of a document, and check what is accepted once more."""
    charter = FORCE.charter
    _expect_refusal_or(lambda: _lawful_charter(authority.check_charter(data, NOW)))
    _expect_refusal_or(lambda: _lawful_order(authority.check_order(data, charter, NOW)))
    _expect_refusal_or(lambda: _lawful_watchlist(authority.check_watchlist(data, charter, ORDER, NOW)))
    _expect_refusal_or(lambda: _lawful_cancellation(authority.check_cancellation(data, charter, ORDER.digest)))
    _expect_refusal_or(lambda: _lawful_loan(authority.check_loan(data, charter, NOW)))
    _expect_refusal_or(lambda: _lawful_report(authority.check_assurance(data, charter, NOW)))
    _expect_refusal_or(lambda: _lawful_time(authority.check_time(data, charter, UNIT)))
    _expect_refusal_or(lambda: _lawful_visit(authority.check_visit(data, charter, GREETING)))


def _expect_refusal_or(act: Callable[[], object]) -> None:
    try:
        act()
    except ProtocolError as error:
        refused = error
    else:
        return
    assert refused.code
    assert 0 < len(refused.detail) <= _LONGEST_DETAIL
    assert len(refused.detail.splitlines()) == 1
    assert refused.detail.isprintable(), "nothing that a terminal would obey comes back"


def _lawful_charter(accepted: Checked[Charter]) -> None:
    charter = accepted.document
    assert charter.expires > NOW
    root = charter.roles[Role.ROOT]
    signed = envelope.parse(accepted.data).signers(charter.keys[keyid].public for keyid in root.keys)
    assert len(signed) >= root.threshold


def _lawful_order(accepted: Checked[Order]) -> None:
    order = accepted.document
    assert order.force == FORCE.charter.force
    assert timedelta(0) < order.window.end - order.window.start <= limits.ORDER_MAX_WINDOW
    assert order.window.end > NOW
    assert limits.THRESHOLD_MIN <= order.threshold <= limits.THRESHOLD_MAX
    assert set(order.categories) == {Category.VOLUNTEER}
    assert _signed(accepted.data, *OFFICERS) == set(OFFICERS)


def _lawful_watchlist(accepted: Checked[Watchlist]) -> None:
    watchlist = accepted.document
    assert (watchlist.order, watchlist.model) == (ORDER.digest, ORDER.document.model)
    assert 0 < len(watchlist.entries) <= ORDER.document.watchlist_max_entries
    assert NOW - watchlist.made <= limits.WATCHLIST_MAX_AGE
    assert all(entry.category in ORDER.document.categories for entry in watchlist.entries)
    assert all(len(template) == limits.TEMPLATE_BYTES for entry in watchlist.entries for template in entry.templates)
    assert _signed(accepted.data, Role.WATCHLIST_OFFICER)


def _lawful_cancellation(accepted: Checked[Cancellation]) -> None:
    assert accepted.document.order == ORDER.digest
    assert _signed(accepted.data, *OFFICERS)


def _lawful_loan(accepted: Checked[Loan]) -> None:
    loan = accepted.document
    assert loan.force == FORCE.charter.force
    assert loan.borrower != loan.force
    assert loan.window.end - loan.window.start <= limits.LOAN_MAX_WINDOW
    assert _signed(accepted.data, *OFFICERS) == set(OFFICERS)


def _lawful_report(accepted: Checked[Assurance]) -> None:
    report = accepted.document
    assert report.issued <= NOW + limits.CLOCK_TOLERANCE < report.expires + limits.CLOCK_TOLERANCE
    assert report.tolerance.recognition_gap <= limits.RECOGNITION_GAP_MAX
    for error in evidence.lacking(ORDER.document, report):
        assert error.detail.isprintable()
    assert _signed(accepted.data, Role.ASSURANCE_BODY)


def _lawful_time(accepted: Checked[SignedTime]) -> None:
    assert (accepted.document.force, accepted.document.unit) == (FORCE.charter.force, UNIT)
    assert _signed(accepted.data, Role.TECHNICIAN)


def _lawful_visit(accepted: Checked[Visit]) -> None:
    visit = accepted.document
    assert (visit.key, visit.session, visit.challenge) == (GREETING.key, GREETING.session, GREETING.challenge)
    assert _signed(accepted.data, Role.TECHNICIAN)


def _signed(data: bytes, *roles: Role) -> set[Role]:
    signers = envelope.parse(data).signers(FORCE[role].public for role in roles)
    return {role for role in roles if FORCE[role].public in signers}


# Lawfully signed nonsense: what an officer's own broken or hostile software would send.

_EXTREMES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1e308,
    "",
    "x" * 300,
    "\x1b[2J",
    "2026-11-23T09:00:00",
    [],
    {},
    [[]],
    "0" * 64,
)


def resigned(seed: int) -> bytes:
    """Return a document with some of its payload altered, signed again by everyone who could."""
    rng = random.Random(seed)  # noqa: S311 - it makes nonsense, no secrets
    kind = rng.choice(list(SEEDS))
    payload = json.loads(envelope.parse(SEEDS[kind]).payload)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        _alter(payload, rng)
    return sign_payload(kind, json.dumps(payload).encode())


def sign_payload(kind: Kind, payload: bytes) -> bytes:
    """Return the envelope of some payload bytes, signed by every role of the force."""
    parsed = envelope.Envelope(kind, payload, {})
    signatures = [
        {"keyid": FORCE[role].keyid, "sig": _base64(bytes.fromhex(signer.sign(parsed.signed_bytes()).signature))}
        for role, signer in SIGNERS.items()
    ]
    wire = {"payload": _base64(payload), "payloadType": envelope.payload_type(kind), "signatures": signatures}
    return json.dumps(wire).encode()


def _base64(data: bytes) -> str:
    return json.loads(msgspec.json.encode(data))  # type: ignore[no-any-return]  # a string


def _alter(node: object, rng: random.Random) -> None:
    """Alter one place somewhere in a JSON tree."""
    if isinstance(node, dict) and node:
        key = rng.choice(list(node))
        if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.6:
            _alter(node[key], rng)
        else:
            _change(node, key, rng)
    elif isinstance(node, list) and node:
        index = rng.randrange(len(node))
        if isinstance(node[index], dict | list) and node[index] and rng.random() < 0.6:
            _alter(node[index], rng)
        else:
            node[index] = copy.deepcopy(rng.choice(_EXTREMES))


def _change(node: dict[str, object], key: str, rng: random.Random) -> None:
    act = rng.randrange(5)
    if act == 0:
        del node[key]
    elif act == 1:
        node[f"{key}x"] = copy.deepcopy(node[key])
    elif act == 2 and isinstance(node[key], str):
        node[key] = str(node[key])[:-1] + chr(rng.randrange(1, 0x3000))
    elif act == 3 and isinstance(node[key], list):
        node[key] = list(node[key]) * rng.choice([2, 50])  # type: ignore[call-overload]  # checked to be a list
    else:
        node[key] = copy.deepcopy(rng.choice(_EXTREMES))
