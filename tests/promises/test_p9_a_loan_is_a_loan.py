"""Promise 9, played with the commands of docs/loans.md in an empty folder: two forces, one unit, two days."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import envelope, sealing
from overt.protocol.documents import Watchlist
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Erasure, HandBack, Receipt
from overt.protocol.vocabulary import Ending, Kind, Role
from overt.warden.store import Store
from overt_provisioning.keys import Passphrase, signer
from tests.builders import make_entry, make_template, utc_now
from tests.stage import Stage, blocks

LENDER, BORROWER = "lending-force", "borrowing-force"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    for name in ("lender", "borrower"):
        (tmp_path / f"{name}.pass").write_text(f"canary-{name}-passphrase\n")
    yield stage
    stage.close()


@pytest.mark.slow
def test_p9_two_forces_one_unit_as_the_guide_says(stage: Stage) -> None:
    lending, borrowing, loan, handing_over, enrolling, ordering, ending = blocks("loans.md")
    stage.type(*lending, *borrowing, *loan)
    for words in ("lends unit-1 to borrowing-force", "can neither order", "erases everything of borrowing-force's"):
        assert words in stage.said
    stage.start()
    stage.type(*handing_over)
    assert (stage.status()["force"], stage.status()["lender"]) == (BORROWER, LENDER)
    stage.stop()
    stage.type(*enrolling)

    room, recipient = sealing.new_identity()
    stage.type(ordering[0])
    stage.fill_in_the_order(recipient, "a" * 64)
    stage.start()
    stage.type(*ordering[1:])
    template, kept = make_template(), _kept(stage)
    sealed = _watchlist(stage, template)
    (stage.folder / "watchlist.age").write_bytes(sealed)
    stage.type("overt-camera deliver watchlist watchlist.age --run run")
    assert stage.status()["state"] == "armed"
    kept |= _kept(stage)

    stage.type(*ending)
    stage.until(lambda: stage.status()["lender"] is None)
    assert stage.status()["force"] == LENDER
    assert stage.status()["state"] == "idle"
    stage.stop()

    _assert_wiped(stage, template, sealed, room)
    _assert_certified(stage)
    assert "canary-" not in stage.said
    _assert_useless_to_the_lender(kept, stage)


def _kept(stage: Stage) -> set[bytes]:
    """Everything that the unit's disk holds now: what a lender could have copied while it was on loan."""
    return {path.read_bytes() for path in (stage.folder / "unit").rglob("*") if path.is_file()}


def _watchlist(stage: Stage, template: bytes) -> bytes:
    """The borrower's office, without its camera room: a list of one."""
    receipt = envelope.decode(envelope.parse((stage.folder / "receipt.json").read_bytes(), Kind.RECEIPT), Receipt)
    assert receipt.force == BORROWER
    assert receipt.recipient is not None
    listed = Watchlist(
        force=BORROWER,
        order=receipt.digest,
        made=utc_now(),
        model="a" * 64,
        entries=(make_entry(templates=(template,)),),
    )
    role = signer(stage.folder / "borrower", Role.WATCHLIST_OFFICER, Passphrase(stage.folder / "borrower.pass"))
    return sealing.seal(envelope.sign(listed, [role]), [receipt.recipient])


def _assert_wiped(stage: Stage, template: bytes, sealed: bytes, room: str) -> None:
    assert not (stage.folder / "unit" / "loan").exists()
    assert list((stage.folder / "unit" / "deployments").rglob("*")) == []
    for content in _kept(stage):
        assert template[:64] not in content
        assert sealed[-256:] not in content
        assert room.encode() not in content


def _assert_certified(stage: Stage) -> None:
    key = json.loads((stage.folder / "unit" / "identity.json").read_bytes())["key"]
    store = Store(stage.folder / "unit" / "warden.db")
    for force in (LENDER, BORROWER):
        reports = [parcel.payload for parcel in store.waiting(0, 100, force)]
        (back,) = [data for data in reports if envelope.parse(data).kind is Kind.HANDBACK]
        returned = envelope.verify(back, HandBack, key)
        assert (returned.ending, returned.deployments, returned.undelivered) == (Ending.RECALLED, 1, 0)
        erasures = [
            envelope.verify(data, Erasure, key) for data in reports if envelope.parse(data).kind is Kind.ERASURE
        ]
        assert [erasure.ending for erasure in erasures] == ([Ending.LOAN_OVER] if force == BORROWER else [])
    store.close()


def _assert_useless_to_the_lender(kept: set[bytes], stage: Stage) -> None:
    """The lender tries every key that it has on everything that it could have copied: none opens anything."""
    lenders = [path.read_bytes() for path in (stage.folder / "lender").rglob("*") if path.is_file()]
    identities = [data.decode() for data in lenders if data.startswith(b"AGE-SECRET-KEY-")]
    identities.append(sealing.new_identity()[0])
    sealed = [data for data in kept if data.startswith(b"age-encryption.org/")]
    assert len(sealed) >= 2, "the watchlist and the deployment's key"
    for data in sealed:
        for identity in identities:
            with pytest.raises(ProtocolError):
                sealing.unseal(data, identity)


def test_p9_no_key_is_on_both_sides(stage: Stage) -> None:
    lending, borrowing, *_ = blocks("loans.md")
    stage.type(lending[0], *borrowing)
    charters = [json.loads(_payload(stage.folder / name / "charter.json")) for name in ("lender", "borrower")]
    assert not set(charters[0]["keys"]) & set(charters[1]["keys"])


def _payload(path: Path) -> bytes:
    return envelope.parse(path.read_bytes(), Kind.CHARTER).payload
