"""Watchlists: every row is judged, the reason is said, and what leaves the office holds templates alone."""

import json
import shutil
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overt.protocol import authority, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import ForceLimits, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Kind, Refusal
from overt.recognition import catalogue
from overt.runtime import cli
from overt_provisioning.criteria import of_order
from overt_provisioning.drafting import Draft, Drafts, Line
from overt_provisioning.findings import Finding, Reason
from overt_provisioning.stills import Still
from tests.builders import FORCE, Party, make_force, make_order, make_template, utc_now
from tests.provisioning.office import MODELS, STILLS, Office, new_unit, refused, row

needs_models = pytest.mark.skipif(
    not (MODELS / "catalogue.toml").exists() or not STILLS.exists(),
    reason="the models and the demonstration's stills are not there: run 'make models footage'",
)
FACE = "franck_01829.jpg"


def judged(rows: Iterable[dict[str, str]], **changes: object) -> tuple[list[Draft], list[Line]]:
    """Judge rows whose images are all good, each another face unless its name ends in a face's: 'x-alike.jpg'."""
    order = make_order(make_force(FORCE), **changes).document
    seen: dict[str, bytes] = {}

    def enrol(path: Path | None) -> Still | None:
        if path is None:
            return None
        if path.name == "bad.jpg":
            return Still(None, finding=Finding(Reason.NO_FACE, "expected exactly one face, found none"))
        return Still(seen.setdefault(path.name.partition("-")[0], make_template()), 0.9)

    drafts = Drafts(of_order(order, ForceLimits(), utc_now()))
    lines = [one.line for one in drafts.judge_all(rows, Path("stills"), lambda paths: map(enrol, paths))]
    return drafts.entries, lines


def ago(**length: float) -> str:
    return (utc_now() - timedelta(**length)).isoformat()


def test_each_good_row_is_listed_and_images_of_one_person_are_one_entry() -> None:
    drafts, lines = judged([row("a.jpg"), row("b.jpg"), row("c.jpg", "volunteer-2")])
    assert [(entry.row.reference, len(entry.templates)) for entry in drafts] == [("volunteer-1", 2), ("volunteer-2", 1)]
    assert [(line.row, line.accepted) for line in lines] == [(2, True), (3, True), (4, True)]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"category": "missing"}, "(O2)"),
        ({"category": "anyone"}, "category"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"image_source": " "}, "image_source"),
        ({"image_date": "yesterday"}, "image_date"),
        ({"image_date": "2026-01-01T00:00:00"}, "with its zone"),
        ({"reviewed_by": ""}, "reviewed_by"),
        ({"reviewed": ago(hours=25)}, "(O5)"),
        ({"reviewed": ago(hours=-1)}, "(O5)"),
        ({"under_18": "maybe"}, "expected yes or no"),
        ({"under_18": "yes"}, "(O9)"),
        ({"expires": ago(minutes=1)}, "expires"),
        ({"reference": "A Name"}, "reference"),
        ({"reference": ""}, "reference"),
        ({"legal_basis": "two\nlines"}, "legal_basis"),
        ({"image": "../secret.jpg"}, "image"),
        ({"image": ""}, "image"),
        ({"image": "bad.jpg"}, "exactly one face"),
    ],
)
def test_a_row_that_the_law_or_the_unit_would_refuse_is_refused_alone(changes: dict[str, str], word: str) -> None:
    drafts, lines = judged([row(**{"image": "a.jpg", **changes}), row("b.jpg", "volunteer-2")])
    assert not lines[0].accepted
    assert word in str(lines[0].reason)
    assert lines[1].accepted
    assert [entry.row.reference for entry in drafts] == ["volunteer-2"]


def test_someone_under_18_is_listed_with_a_rationale_and_a_second_posts_authority() -> None:
    grounds = {"under_18": "yes", "under_18_rationale": "Significant risk of harm"}
    drafts, _ = judged([row("a.jpg", **grounds, under_18_authorised_by="Superintendent")])
    assert drafts[0].row.under_18_rationale == "Significant risk of harm"
    assert drafts[0].row.under_18_authorised_by == "Superintendent"


def test_rows_of_one_reference_must_say_the_same_of_the_person() -> None:
    _, lines = judged([row("a.jpg"), row("b.jpg", legal_basis="Something else")])
    assert "same particulars" in str(lines[1].reason)


def test_one_person_under_two_references_is_found_out() -> None:
    drafts, lines = judged([row("face-1.jpg"), row("face-2.jpg", "volunteer-2")])
    assert "looks like the person of the entry volunteer-1" in str(lines[1].reason)
    assert len(drafts) == 1


def test_no_more_people_than_the_order_permits() -> None:
    rows = [row(f"{n}.jpg", f"volunteer-{n}") for n in range(4)]
    drafts, lines = judged([*rows, row("again.jpg", "volunteer-0")], watchlist_max_entries=3)
    assert len(drafts) == 3
    assert [line.accepted for line in lines] == [True, True, True, False, True]
    assert "(O19)" in str(lines[3].reason)


def test_no_more_than_eight_images_of_one_person() -> None:
    drafts, lines = judged([row(f"{n}.jpg") for n in range(9)])
    assert len(drafts[0].templates) == 8
    assert "at most 8 images" in str(lines[8].reason)


def ready(office: Office) -> tuple[Checked[Order], Party, str]:
    """An order for the models that are here, and the receipt of its unit."""
    unit = new_unit()
    model = catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest
    order = office.ordered(unit, model)
    office.images.mkdir()
    shutil.copy(STILLS / FACE, office.images)
    return order, unit, office.receive(order, unit)


@needs_models
def test_the_watchlist_is_readable_with_the_units_key_alone_and_the_unit_accepts_it(office: Office) -> None:
    order, _, identity = ready(office)
    said = office.list([row(FACE)])
    assert said.code == cli.OK, said
    assert "listed 1 people from 1 images" in said.out
    sealed = office.watchlist.read_bytes()
    stranger, _ = sealing.new_identity()
    with pytest.raises(ProtocolError, match="does not open"):
        sealing.unseal(sealed, stranger)
    signed = sealing.unseal(sealed, identity)
    checked = authority.check_watchlist(signed, office.charter, order, datetime.now(UTC))
    assert [entry.reference for entry in checked.document.entries] == ["volunteer-1"]
    assert b"volunteer-1" not in sealed
    assert stat.S_IMODE(office.watchlist.stat().st_mode) == 0o600


@needs_models
def test_a_refused_image_stops_the_list_unless_told_to_leave_it_out(office: Office) -> None:
    order, _, identity = ready(office)
    (office.images / "broken.jpg").write_bytes(b"no image")
    rows = [row(FACE), row("broken.jpg", "volunteer-2")]
    said = office.list(rows)
    assert said.code == cli.NEGATIVE
    assert "row 3" in said.out
    assert "1 of 2 images refused; nothing was written" in said.out
    assert not office.watchlist.exists()
    assert office.list(rows, "--leave-out-refused").code == cli.OK
    signed = sealing.unseal(office.watchlist.read_bytes(), identity)
    checked = authority.check_watchlist(signed, office.charter, order, datetime.now(UTC))
    assert len(checked.document.entries) == 1


@needs_models
def test_a_list_of_nobody_is_not_written(office: Office) -> None:
    ready(office)
    said = office.list([row("none.jpg")], "--leave-out-refused", "--json")
    assert said.code == cli.NEGATIVE
    assert said.json["written"] is False
    assert "none of that name" in said.json["images"][0]["reason"]
    assert not office.watchlist.exists()


@needs_models
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "expected the columns"),
        (b"reference,image\nx,y\n", "missing: category"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'"', "CSV"),
    ],
)
def test_what_is_no_manifest_is_refused(office: Office, content: bytes, word: str) -> None:
    ready(office)
    office.manifest.write_bytes(content)
    said = office.build()
    assert said.code == cli.BAD_INPUT
    assert word in said.err
    assert not office.watchlist.exists()


@needs_models
def test_a_manifest_without_rows_is_refused(office: Office) -> None:
    ready(office)
    refused(office.list([]), cli.BAD_INPUT, "at least one row")


@needs_models
def test_changed_or_missing_models_enrol_nobody(office: Office) -> None:
    ready(office)
    other = Path(shutil.copytree(MODELS, office.base / "models"))
    for file in other.glob("*.tflite"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    for models in (other, office.base / "none"):
        said = office.list([row(FACE)], models=models)
        assert said.code == cli.UNAVAILABLE, said
        assert not office.watchlist.exists()


@needs_models
def test_a_list_is_sealed_to_a_unit_of_the_order_that_accepted_it_and_to_nobody_else(office: Office) -> None:
    order, unit, _ = ready(office)
    office.receive(order, new_unit())
    refused(office.list([row(FACE)]), cli.BAD_INPUT, "signature")
    office.receive(order, unit, unit="unit-2")
    refused(office.list([row(FACE)]), cli.BAD_INPUT, "the order does not name")
    office.receive(order, unit, accepted=False, recipient=None, refusal=Refusal.LIMIT)
    refused(office.list([row(FACE)]), cli.BAD_INPUT, "accepts this very order")
    office.receive(order, unit, order="f" * 64)
    refused(office.list([row(FACE)]), cli.BAD_INPUT, "accepts this very order")
    office.receive(order, unit, document=Kind.WATCHLIST, recipient=None)
    refused(office.list([row(FACE)]), cli.BAD_INPUT, "accepts this very order")
    office.receipt.write_bytes(b"{}")
    said = office.list([row(FACE)])
    assert said.code == cli.BAD_INPUT
    assert not office.watchlist.exists()


@needs_models
def test_the_report_says_of_each_image_what_became_of_it_and_is_the_offices_alone(office: Office) -> None:
    ready(office)
    report = office.base / "report.json"
    said = office.list([row(FACE), row("none.jpg", "volunteer-2")], "--report", report)
    assert said.code == cli.NEGATIVE
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    first, second = json.loads(report.read_text())
    assert first["accepted"] is True
    assert 0 < first["quality"] <= 1
    assert second["accepted"] is False
