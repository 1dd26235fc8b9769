"""Orders as officers make them: from the form to the second signature, and nothing that a unit would refuse."""

import shutil
import stat
from datetime import timedelta

import pytest

from overt.protocol import authority, envelope
from overt.protocol.documents import Cancellation
from overt.protocol.vocabulary import CancellationReason, Kind
from overt.runtime import cli
from tests.builders import utc_now
from tests.provisioning.office import Office, new_unit, refused, run, snapshot


def test_an_order_of_two_officers_is_accepted_under_the_charter(office: Office) -> None:
    unit = new_unit()
    order = office.ordered(unit)
    checked = authority.check_order(office.order.read_bytes(), office.charter, utc_now())
    assert checked.digest == order.digest
    authority.check_for_unit(checked.document, "unit-1", unit.public, checked.document.model)
    assert checked.document.window.end - checked.document.window.start == timedelta(minutes=60)


def test_one_officers_order_is_no_order(office: Office) -> None:
    office.fill_in(new_unit())
    assert office.make().code == cli.OK
    said = office.check()
    assert said.code == cli.NEGATIVE
    assert "expected 1 valid signature(s) of the role second_officer, found 0" in said.out


def test_one_officer_cannot_sign_twice(office: Office) -> None:
    """Not even when the second officer's key file is a copy of the first's."""
    office.fill_in(new_unit())
    assert office.make().code == cli.OK
    keys = office.home / "keys"
    shutil.copy(keys / "authorising_officer.key", keys / "second_officer.key")
    before = office.order.read_bytes()
    refused(office.countersign(), cli.BAD_INPUT, "another officer")
    assert office.order.read_bytes() == before


def test_a_second_countersignature_adds_nothing(office: Office) -> None:
    office.ordered(new_unit())
    before = office.order.read_bytes()
    refused(office.countersign(), cli.BAD_INPUT, "signed this order already")
    assert office.order.read_bytes() == before


def test_check_says_in_plain_words_what_a_unit_will_and_will_not_do(office: Office) -> None:
    office.ordered(new_unit())
    said = office.check()
    assert said.code == cli.OK
    for words in ("unit-1", "consenting volunteers", "at Market square", "control-room-1", "It will not", "lamp"):
        assert words in said.out


def test_an_altered_order_is_refused_and_inspect_names_no_signer(office: Office) -> None:
    office.ordered(new_unit())
    parsed = envelope.parse(office.order.read_bytes(), Kind.ORDER)
    other = Office(office.base / "other")
    other.base.mkdir()
    assert other.create().code == cli.OK
    strangers = run("inspect", office.order, "--charter", other.home / "charter.json")
    assert strangers.json["signed_by"] == []
    ours = run("inspect", office.order, "--charter", office.home / "charter.json")
    assert ours.json["signed_by"] == ["Authorising officer", "Second officer"]
    assert ours.json["digest"] == parsed.digest()
    office.order.write_bytes(office.order.read_bytes().replace(b'"signatures":[{', b'"signatures":[{"x":1,', 1))
    said = office.check()
    assert said.code == cli.BAD_INPUT


def test_a_form_is_never_overwritten(office: Office) -> None:
    assert run("order", "new", office.form).code == cli.OK
    office.form.write_text("filled in by hand")
    refused(run("order", "new", office.form), cli.BAD_INPUT, str(office.form))
    assert office.form.read_text() == "filled in by hand"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("minutes = 60", "minutes = 1500", "window.minutes"),
        ("minutes = 60", "start = 2090-01-01T09:00:00Z\nend = 2090-01-02T10:00:00Z", "24 hours (O21-22)"),
        ("minutes = 60", "start = 2020-01-01T09:00:00Z\nend = 2020-01-01T10:00:00Z", "ended"),
        ("minutes = 60", "start = 2090-01-01T09:00:00Z\nend = 2090-01-01T10:00:00Z", "31 days"),
        ("minutes = 60", "start = 2090-01-01T09:00:00\nend = 2090-01-01T10:00:00Z", "time"),
        ("minutes = 60", "", "[window]"),
        ("threshold = 0.5", "threshold = 0.2", "threshold"),
        ("threshold = 0.5", 'threshold = "high"', "threshold"),
        ("maximum_entries = 20", "maximum_entries = 2001", "2000 entries"),
        ("maximum_entries = 20", "maximum_entries = 0", "watchlist.maximum_entries"),
        ('categories = ["volunteer"]', 'categories = ["missing"]', "volunteers and nobody else"),
        ('categories = ["volunteer"]', 'categories = ["persons of interest"]', "categories"),
        ('use_case = "blue_watchlist"', 'use_case = "wanted_persons"', "volunteers"),
        ('purpose = """', 'reason = "x"\npurpose = """', "reason"),
        ('operation = "EXERCISE-1"', "", "operation"),
        ("alerts_hours = 24", "alerts_hours = 25", "alerts_hours"),
        ("adjudication_minutes = 5", "adjudication_minutes = 11", "adjudication_minutes"),
        ("latitude = 52.1356", "latitude = 92.0", "latitude"),
        ("latitude = 52.1356", "latitude = 52.1\ncorners = [[1.0, 1.0], [2.0, 2.0], [1.0, 2.0]]", "found both"),
        ("latitude = 52.1356", "", "latitude and longitude"),
        ("https://police.example/lfr", "javascript:alert(1)", "address"),
        ('file = "papers/policy.pdf"', 'file = "papers/none.pdf"', "none.pdf"),
        ('file = "papers/policy.pdf"', "", "either file or digest"),
        ('identity = "unit/identity.json"', 'identity = "papers/policy.pdf"', "not a unit's identity"),
        ('identity = "unit/identity.json"', 'identity = "unit/none.json"', "none.json"),
        ("[window]", "[window", "TOML"),
    ],
)
def test_a_form_that_no_unit_would_accept_makes_no_order(office: Office, old: str, new: str, word: str) -> None:
    office.fill_in(new_unit(), old=old, new=new)
    said = office.make()
    assert said.code == cli.BAD_INPUT, said
    assert word in said.err
    assert "Traceback" not in said.err
    assert not office.order.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a = " + b"[" * 20_000, b"x" * 2_000_000, b"\x00"])
def test_what_is_no_form_is_refused(office: Office, content: bytes) -> None:
    office.form.write_bytes(content)
    said = office.make()
    assert said.code == cli.BAD_INPUT
    assert len(said.err.splitlines()) == 1
    assert not office.order.exists()


def test_an_order_that_cannot_be_written_leaves_nothing(office: Office) -> None:
    office.fill_in(new_unit())
    office.order = office.base / "no such folder" / "order.json"
    refused(office.make(), cli.UNAVAILABLE, "no such folder")
    assert not office.order.parent.exists()


def test_either_officer_alone_cancels_an_order(office: Office) -> None:
    order = office.ordered(new_unit())
    for number, by in enumerate(("authorising_officer", "second_officer")):
        out = office.base / f"cancel-{number}.json"
        said = office.keyed("cancel", "--order", office.order, "--out", out, "--as", by, "--reason", "withdrawn")
        assert said.code == cli.OK, said
        checked = authority.check_cancellation(out.read_bytes(), office.charter, order.digest)
        assert checked.document.reason is CancellationReason.WITHDRAWN


def test_a_cancellation_names_its_order_alone(office: Office) -> None:
    order = office.ordered(new_unit())
    out = office.base / "cancel.json"
    assert office.keyed("cancel", "--order", office.order, "--out", out).code == cli.OK
    cancellation = envelope.decode(envelope.parse(out.read_bytes(), Kind.CANCELLATION), Cancellation)
    assert cancellation.order == order.digest


def test_the_keys_are_never_needed_to_look(office: Office) -> None:
    """Checking and inspecting ask for no passphrase."""
    office.ordered(new_unit())
    before = snapshot(office.home)
    shutil.rmtree(office.home / "keys")
    assert office.check().code == cli.OK
    assert run("inspect", office.order).code == cli.OK
    assert {name for name in before if not name.startswith("keys/")} == set(snapshot(office.home))


def test_documents_are_public_and_readable(office: Office) -> None:
    office.ordered(new_unit())
    assert stat.S_IMODE(office.order.stat().st_mode) == 0o644
