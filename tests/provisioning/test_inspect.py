"""`inspect` shows any signed document and who has signed it, and never a template, whatever it is given."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overt.protocol import envelope, limits, sealing
from overt.protocol.documents import SignedTime, UnitRef, Visit
from overt.protocol.reports import Check
from overt.protocol.vocabulary import Act, Category, ClockQuality, Ending, Kind, Part, State
from overt.runtime import cli
from tests import builders
from tests.builders import UNIT, make_cancellation, make_entry, make_force, make_order, make_template, make_watchlist
from tests.provisioning.office import Office, new_unit, refused, run

FORCE, BORROWER, UNIT_KEY = make_force(), make_force("borrower"), builders.make_party()
REF = UnitRef(unit=UNIT, key=UNIT_KEY.public)
ORDER = make_order(FORCE, REF)
NOW = builders.utc_now()
DIGESTS = ("order", "digest", "model", "watchlist", "loan", "head", "log_head", "number", "challenge", "session")
FACTS: dict[str, Any] = {
    **dict.fromkeys(DIGESTS, "a" * 64),
    **dict.fromkeys(("sent", "since", "captured", "decided", "published", "erased", "ended", "received"), NOW),
    "expires": NOW + timedelta(hours=1),
    "force": "test-force",
    "unit": UNIT,
    "lender": "test-force",
    "borrower": "borrower",
    "document": Kind.ORDER,
    "accepted": True,
    "state": State.IDLE,
    "ending": Ending.CANCELLED,
    "clock": ClockQuality.SYNCHRONISED,
    "recipient": sealing.new_identity()[1],
    "id": "0192f0c1-2345-7abc-8def-0123456789ab",
    "entry": "v-1",
    "category": Category.VOLUNTEER,
    "score": 0.6,
    "threshold": 0.5,
    "runner_up_margin": None,
    "quality": 0.5,
    "place": builders.SITE,
    "face_px": 40.0,
    "key": UNIT_KEY.public,
    "technician": UNIT_KEY.keyid,
    "version": "1.0",
    "checks": (Check(part=Part.CAMERA, found="25 pictures a second", limit="at least 5", well=True),),
}
"""Values for the fields of what units sign; what is not here is a count."""


def report(kind: Kind) -> bytes:
    """What a unit signs."""
    type_ = envelope.TYPES[kind]
    required = [field.name for field in msgspec.structs.fields(type_) if field.required]
    return envelope.sign(type_(**{name: FACTS.get(name, 1) for name in required}), [UNIT_KEY.signer])


DOCUMENTS: dict[Kind, tuple[bytes, set[str]]] = {
    Kind.CHARTER: (FORCE.charter_data, {"root"}),
    Kind.ORDER: (ORDER.data, {"authorising_officer", "second_officer"}),
    Kind.WATCHLIST: (make_watchlist(FORCE, ORDER.digest), {"watchlist_officer"}),
    Kind.CANCELLATION: (make_cancellation(FORCE, ORDER.digest), {"authorising_officer"}),
    Kind.LOAN: (builders.make_loan(FORCE, BORROWER, REF), {"authorising_officer", "second_officer"}),
    Kind.ASSURANCE: (builders.make_assurance(FORCE).data, {"assurance_body"}),
    Kind.TIME: (
        envelope.sign(
            SignedTime(force="test-force", unit=UNIT, challenge="c" * 64, time=NOW),
            [FORCE[builders.Role.TECHNICIAN].signer],
        ),
        {"technician"},
    ),
    Kind.VISIT: (
        envelope.sign(
            Visit(
                force="test-force",
                key=UNIT_KEY.public,
                session="a" * 64,
                challenge="c" * 64,
                number=0,
                act=Act.VISIT,
                arguments="b" * 64,
                time=NOW,
            ),
            [FORCE[builders.Role.TECHNICIAN].signer],
        ),
        {"technician"},
    ),
}
REPORTS = [kind for kind in Kind if kind not in DOCUMENTS]


def known(folder: Path) -> tuple[object, ...]:
    """Everybody who could have signed."""
    (folder / "charter.json").write_bytes(FORCE.charter_data)
    (folder / "order.json").write_bytes(ORDER.data)
    return "--charter", folder / "charter.json", "--order", folder / "order.json"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_shown_with_those_who_signed_it(tmp_path: Path, kind: Kind) -> None:
    data, signers = DOCUMENTS[kind] if kind in DOCUMENTS else (report(kind), {UNIT})
    (tmp_path / "x.json").write_bytes(data)
    said = run("inspect", tmp_path / "x.json", *known(tmp_path))
    assert (said.code, said.err) == (cli.OK, "")
    shown = said.json
    assert (shown["kind"], set(shown["signed_by"])) == (kind, signers)
    assert shown["signatures"] == len(signers)
    assert shown["digest"] == envelope.parse(data).digest()
    expected = json.loads(envelope.parse(data).payload)
    if kind is not Kind.WATCHLIST:
        assert expected.items() <= shown["document"].items()


@pytest.mark.parametrize("kind", [*DOCUMENTS, *REPORTS])
def test_what_was_altered_is_signed_by_nobody(tmp_path: Path, kind: Kind) -> None:
    data = DOCUMENTS[kind][0] if kind in DOCUMENTS else report(kind)
    wire = json.loads(data)
    payload = msgspec.json.encode({**json.loads(envelope.parse(data).payload), "force": "another-force"})
    wire["payload"] = msgspec.to_builtins(payload)
    (tmp_path / "x.json").write_text(json.dumps(wire))
    assert run("inspect", tmp_path / "x.json", *known(tmp_path)).json["signed_by"] == []


def test_a_watchlist_is_shown_without_its_templates(tmp_path: Path) -> None:
    force = make_force()
    order = make_order(force, REF)
    template = make_template()
    path = tmp_path / "watchlist.json"
    entries = [make_entry(f"v-{n}", templates=(template,) * 2) for n in range(200)]
    path.write_bytes(make_watchlist(force, order.digest, *entries))
    assert path.stat().st_size > limits.DOCUMENT_MAX_BYTES
    (tmp_path / "charter.json").write_bytes(force.charter_data)
    said = run("inspect", path, "--charter", tmp_path / "charter.json")
    assert said.json["kind"] == "watchlist"
    assert said.json["signed_by"] == ["watchlist_officer"]
    assert said.json["document"]["entries"][7]["templates"] == "2 not shown"
    for shown in (msgspec.to_builtins(template)[:40], template.hex()[:40], repr(template)[:40]):
        assert shown not in said.out + said.err


def test_a_units_signature_is_recognised_by_the_order_or_its_identity(office: Office) -> None:
    unit = new_unit()
    order = office.ordered(unit)
    office.receive(order, unit)
    assert run("inspect", office.receipt).json["signed_by"] == []
    assert run("inspect", office.receipt, "--order", office.order).json["signed_by"] == ["unit-1"]
    identity = office.base / "unit" / "identity.json"
    assert run("inspect", office.receipt, "--identity", identity).json["signed_by"] == ["unit-1"]
    office.receive(order, new_unit())
    assert run("inspect", office.receipt, "--identity", identity).json["signed_by"] == []
    identity.write_bytes(b"{}")
    refused(run("inspect", office.receipt, "--identity", identity), cli.BAD_INPUT, "identity")


def test_an_encrypted_document_is_said_to_be_one(tmp_path: Path) -> None:
    sealed = sealing.seal(b"x", [sealing.new_identity()[1]])
    (tmp_path / "watchlist.age").write_bytes(sealed)
    refused(run("inspect", tmp_path / "watchlist.age"), cli.BAD_INPUT, "encrypted")


FOREIGN = b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}'


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[" * 50_000, b"-----BEGIN PRIVATE KEY-----", FOREIGN, b"\0" * 99]
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    refused(run("inspect", tmp_path / "x.json"), cli.BAD_INPUT, "expected a signed document")


@pytest.mark.parametrize("told", [{"type": "watchlist"}, {"templates": ["AAAA"]}, {"entries": [{"templates": "x"}]}])
def test_a_watchlist_that_is_none_is_refused_and_nothing_of_it_is_shown(tmp_path: Path, told: object) -> None:
    """Whatever says that it is a watchlist and cannot be read as one could hold templates anywhere."""
    payload = msgspec.json.encode({"canary": "secret-template", **(told if isinstance(told, dict) else {})})
    wire = {
        "payload": msgspec.to_builtins(payload),
        "payloadType": envelope.payload_type(Kind.WATCHLIST),
        "signatures": [],
    }
    (tmp_path / "x.json").write_text(json.dumps(wire))
    said = run("inspect", tmp_path / "x.json")
    refused(said, cli.BAD_INPUT, "watchlist is not well formed")
    assert "secret-template" not in said.err


@pytest.mark.parametrize("name", ["charter.json", "order.json", "x.json"])
def test_a_file_of_any_size_is_refused_without_being_read_whole(tmp_path: Path, name: str) -> None:
    """A file of a terabyte, without a single block on the disk."""
    known_ones = known(tmp_path)
    (tmp_path / "x.json").write_bytes(ORDER.data)
    with (tmp_path / name).open("wb") as file:
        file.truncate(10**12)
    refused(run("inspect", tmp_path / "x.json", *known_ones), cli.BAD_INPUT, "expected a document of at most", name)


def test_a_document_of_another_kind_may_not_be_as_large_as_a_watchlist(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b" " * (limits.DOCUMENT_MAX_BYTES + 1) + ORDER.data)
    refused(run("inspect", tmp_path / "x.json"), cli.BAD_INPUT, "262,144 bytes")


def test_a_folder_or_nothing_is_one_clear_error(tmp_path: Path) -> None:
    refused(run("inspect", tmp_path), cli.BAD_INPUT, "found a folder")
    refused(run("inspect", tmp_path / "none.json"), cli.UNAVAILABLE, "No such file")
