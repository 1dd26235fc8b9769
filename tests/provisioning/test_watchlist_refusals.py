"""Every reason to refuse a row or its image is found and named: images made bad on purpose, rows filled in badly.

Images stay where they are: a check writes its report and nothing else.
"""

import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from overt.protocol.documents import ForceLimits
from overt.protocol.vocabulary import Category
from overt.recognition import catalogue
from overt.runtime import cli
from overt_provisioning import manifest
from overt_provisioning.criteria import Criteria, judge
from overt_provisioning.drafting import Line
from overt_provisioning.findings import ADVICE, Reason
from overt_provisioning.stills import Enroller
from tests.builders import utc_now
from tests.provisioning import pictures
from tests.provisioning.office import MODELS, STILLS, Office, new_unit, row, run, snapshot, write_manifest
from tests.provisioning.test_watchlist import judged, needs_models


def ago(**length: float) -> str:
    return (utc_now() - timedelta(**length)).isoformat()


@pytest.fixture(scope="module")
def enroller() -> Enroller:
    digest = catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest
    return Enroller(MODELS, digest, pictures=True)


@needs_models
@pytest.mark.parametrize("name", pictures.MADE)
def test_an_image_that_recognition_could_not_use_is_refused_for_that_reason(
    enroller: Enroller, name: str, tmp_path: Path
) -> None:
    make, reasons = pictures.MADE[name]
    pictures.save(tmp_path / name, make())
    still = enroller.enrol(tmp_path / name)
    assert still.template is None
    assert still.finding is not None
    assert still.finding.reason in reasons
    assert still.picture is not None
    assert still.picture.startswith(b"\xff\xd8\xff")


@needs_models
def test_the_image_that_they_were_made_from_is_good(enroller: Enroller) -> None:
    still = enroller.enrol(STILLS / pictures.GOOD)
    assert still.finding is None
    assert still.quality > 0.8


@needs_models
@pytest.mark.parametrize("degrees", [-30, 30, 40])
def test_a_face_held_a_little_aslant_is_still_good(enroller: Enroller, degrees: float, tmp_path: Path) -> None:
    pictures.save(tmp_path / "aslant.jpg", pictures.tilted(degrees))
    assert enroller.enrol(tmp_path / "aslant.jpg").finding is None


def reasons_of(line: Line) -> set[Reason]:
    return {finding.reason for finding in line.refusals}


CHILD = {"under_18": "yes", "under_18_rationale": "Risk of harm", "under_18_authorised_by": "Superintendent"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"category": "missing"}, Reason.CATEGORY),
        ({"image_source": ""}, Reason.NO_LAWFUL_SOURCE),
        ({"image_source": "N/A"}, Reason.NO_LAWFUL_SOURCE),
        ({"image_source": "unknown."}, Reason.NO_LAWFUL_SOURCE),
        ({"legal_basis": "?"}, Reason.NO_LAWFUL_SOURCE),
        ({"legal_basis": "TBC"}, Reason.NO_LAWFUL_SOURCE),
        ({"reviewed_by": ""}, Reason.NOT_REVIEWED),
        ({"reviewed_by": "-"}, Reason.NOT_REVIEWED),
        ({"reviewed": ""}, Reason.NOT_REVIEWED),
        ({"reviewed": ago(hours=-1)}, Reason.NOT_REVIEWED),
        ({"reviewed": ago(hours=25)}, Reason.REVIEW_TOO_OLD),
        ({"image_date": ago(days=3654)}, Reason.IMAGE_TOO_OLD),
        ({**CHILD, "image_date": ago(days=732)}, Reason.IMAGE_TOO_OLD),
        ({"image_date": ago(days=-1)}, Reason.MALFORMED),
        ({**CHILD, "under_18_rationale": "n/a"}, Reason.UNDER_18),
        ({**CHILD, "under_18_authorised_by": ""}, Reason.UNDER_18),
        ({**CHILD, "under_18_authorised_by": "none"}, Reason.UNDER_18),
        ({**CHILD, "under_18_authorised_by": "WATCHLIST officer"}, Reason.UNDER_18),
        ({"expires": ago(seconds=1)}, Reason.EXPIRED),
        ({"reference": "John Smith"}, Reason.MALFORMED),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_for_that_reason(changes: dict[str, str], reason: Reason) -> None:
    drafts, lines = judged([row("a.jpg", under_18_authorised_by="") | changes])
    assert not drafts
    assert reasons_of(lines[0]) == {reason}


@pytest.mark.parametrize(
    "changes", [{"image_date": ago(days=3652)}, {**CHILD, "image_date": ago(days=730)}, {"reviewed": ago(hours=22)}]
)
def test_a_row_just_within_the_limits_is_accepted(changes: dict[str, str]) -> None:
    drafts, _ = judged([row("a.jpg", under_18_authorised_by="") | changes])
    assert len(drafts) == 1


def test_everything_that_is_wrong_with_a_row_is_said_at_once() -> None:
    bad = {"category": "missing", "image_date": ago(days=9999), "reviewed": ago(days=3), "image": "bad.jpg"}
    _, lines = judged([row("a.jpg") | bad])
    assert reasons_of(lines[0]) == {
        Reason.CATEGORY,
        Reason.IMAGE_TOO_OLD,
        Reason.REVIEW_TOO_OLD,
        Reason.NO_FACE,
    }
    malformed = {"legal_basis": "", "reviewed_by": "", "under_18": "perhaps", "image": "bad.jpg"}
    _, lines = judged([row("a.jpg") | malformed])
    assert reasons_of(lines[0]) == {
        *(Reason.NO_LAWFUL_SOURCE, Reason.NOT_REVIEWED, Reason.MALFORMED, Reason.NO_FACE),
    }


def test_an_entrys_image_is_as_old_as_its_oldest() -> None:
    drafts, _ = judged([row("a.jpg", image_date=ago(days=1)), row("b.jpg", image_date=ago(days=400))])
    assert drafts[0].oldest_image < utc_now() - timedelta(days=399)


def test_an_image_unlike_the_others_of_its_entry_is_accepted_with_a_note() -> None:
    _, lines = judged([row("a-1.jpg"), row("a-2.jpg"), row("b-1.jpg")])
    assert [[note.reason for note in line.notes] for line in lines] == [[], [], [Reason.UNLIKE]]
    assert all(line.accepted for line in lines)


def test_every_reason_has_advice() -> None:
    assert set(ADVICE) == set(Reason)
    assert all(advice.todo.endswith(".") and advice.title for advice in ADVICE.values())


def test_a_manifest_without_the_under_18_column_is_read_and_with_it_too(tmp_path: Path) -> None:
    for changes in ({}, {"under_18_authorised_by": "Superintendent"}):
        write_manifest(tmp_path / "m.csv", [row("a.jpg", **changes)])
        parsed = manifest.parse(manifest.read(tmp_path / "m.csv")[0])
        assert parsed.under_18_authorised_by == changes.get("under_18_authorised_by")


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    header = ",".join([*manifest.COLUMNS, "image"])
    (tmp_path / "m.csv").write_text(f"{header}\n")
    with pytest.raises(manifest.ManifestProblem, match="each once"):
        manifest.read(tmp_path / "m.csv")


@needs_models
def test_check_needs_no_key_and_no_receipt_and_writes_the_report_alone(office: Office) -> None:
    digest = catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest
    office.fill_in(new_unit(), model=digest)
    office.images.mkdir()
    shutil.copy(STILLS / pictures.GOOD, office.images)
    pictures.save(office.images / "none.jpg", pictures.no_face())
    write_manifest(office.manifest, [row(pictures.GOOD, reviewed=ago(days=9)), row("none.jpg", "volunteer-2")])
    shutil.rmtree(office.home / "keys")
    before = snapshot(office.base)
    common = ("--manifest", office.manifest, "--images", office.images, "--models", MODELS)
    report = office.base / "report.json"
    charter = office.home / "charter.json"
    said = run("watchlist", "check", "--form", office.form, *common, "--charter", charter, "--report", report)
    assert said.code == cli.NEGATIVE
    assert "1 of 2 people could be listed; 1 of 2 rows refused" in said.out
    assert "still due" in said.out
    assert "none.jpg" in said.out
    assert set(snapshot(office.base)) == {*before, "report.json"}
    assert {name: data for name, data in snapshot(office.base).items() if name in before} == before


@needs_models
def test_check_takes_an_order_that_is_signed_as_well(office: Office) -> None:
    digest = catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest
    office.ordered(new_unit(), digest)
    office.images.mkdir()
    shutil.copy(STILLS / pictures.GOOD, office.images)
    write_manifest(office.manifest, [row(pictures.GOOD)])
    common = ("--manifest", office.manifest, "--images", office.images, "--models", MODELS)
    said = run("watchlist", "check", "--order", office.order, *common, "--json")
    assert said.code == cli.OK
    assert said.json["summary"]["people_accepted"] == 1
    assert said.json["summary"]["refused_by_reason"] == {}


@pytest.mark.parametrize(("under_18", "days"), [("no", 31), ("yes", 8)])
def test_a_force_can_ask_for_newer_images(under_18: str, days: int) -> None:
    limits = ForceLimits(image_max_age_days=30, image_max_age_days_under_18=7)
    asked = Criteria(categories=(Category.VOLUNTEER,), most_entries=9, model="", moment=utc_now(), limits=limits)
    parsed = manifest.parse(row("a.jpg") | CHILD | {"under_18": under_18, "image_date": ago(days=days)})
    assert [finding.reason for finding in judge(parsed, asked)] == [Reason.IMAGE_TOO_OLD]
    assert not list(judge(parsed, msgspec.structs.replace(asked, limits=ForceLimits())))


def test_an_entry_that_expires_before_the_deployment_starts_is_refused() -> None:
    asked = Criteria(categories=(Category.VOLUNTEER,), most_entries=9, model="", moment=utc_now())
    parsed = manifest.parse(row("a.jpg", expires=ago(hours=-2)))
    assert not list(judge(parsed, asked))
    later = msgspec.structs.replace(asked, start=utc_now() + timedelta(hours=3))
    assert [finding.reason for finding in judge(parsed, later)] == [Reason.EXPIRED]
