"""The assurance body's report, from the form to an order that stands on it, with the office's command line."""

import re
from pathlib import Path

import pytest

from overt.protocol import authority, envelope
from overt.protocol.documents import Assurance
from overt.protocol.vocabulary import Kind, Role
from overt_provisioning import assurance
from overt_provisioning.assurance_commands import BLANK
from tests.builders import utc_now
from tests.provisioning.office import MODEL, Office, Said, new_unit, refused, run, snapshot

WANTED = ('use_case = "blue_watchlist"', 'use_case = "wanted_persons"', '["volunteer"]', '["wanted_by_court"]')
NAMED = ('# assurance = "assurance.json"', 'assurance = "assurance.json"  #')


@pytest.fixture
def form(office: Office) -> Path:
    """The form as `assurance new` writes it, with the files that it names."""
    path = office.base / "assurance.toml"
    assert run("assurance", "new", path).code == 0
    (office.base / "papers").mkdir(exist_ok=True)
    (office.base / "papers" / "measurements.csv").write_text("counts")
    change(path, 'catalogue = "models/catalogue.toml"', f'digest = "{MODEL}"')
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def make(office: Office, form: Path) -> Said:
    return office.keyed("assurance", "make", form, "--out", office.base / "assurance.json")


def check(office: Office, *more: str) -> Said:
    return run("assurance", "check", office.base / "assurance.json", "--charter", office.home / "charter.json", *more)


def test_the_form_as_it_comes_makes_a_report_that_a_unit_takes(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    data = (office.base / "assurance.json").read_bytes()
    report = authority.check_assurance(data, office.charter, utc_now()).document
    assert report.model == MODEL
    said = check(office)
    assert said.code == 0
    assert "At the threshold 0.5: an order may name it" in said.out
    assert "sex, women: recognised in 89.5% of 400 passages, 1 false alert in 3,000 faces" in said.out
    assert check(office, "--json").json["thresholds"] == [0.5]


def test_a_report_of_unequal_treatment_is_a_report_and_says_that_no_order_may_stand_on_it(
    office: Office, form: Path
) -> None:
    change(form, "recognised = 268", "recognised = 200")
    assert make(office, form).code == 0
    said = check(office)
    assert said.code == 1
    assert "At the threshold 0.5: NO ORDER MAY NAME IT" in said.out
    assert "ethnicity White are recognised in 90.4% of passages, Black in 66.7%" in said.out
    assert "O20: everything reasonable is done" in said.out
    assert check(office, "--json").json["thresholds"] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("recognised = 720", "recognised = 801", "more alerts than there were faces"),
        ("passages = 800", "passages = 799", "there are more passages than of all testers together"),
        ("valid_days = 365", "valid_days = 367", "366"),
        ('characteristic = "sex"', 'characteristic = "height"', "height"),
        ("recognition_gap = 0.05", "recognition_gap = 0.2", "0.05"),
        ("threshold = 0.5", "threshold = 0.1", "threshold"),
        ("testers = 400", "testers = 0", "testers"),
        ("testers = 400", "", "testers"),
        ('file = "papers/measurements.csv"', 'file = "papers/nothing.csv"', "papers/nothing.csv"),
        ('file = "papers/measurements.csv"', "", "either file or digest"),
        ('name = "men"', 'name = "women"', "one group twice"),
        ("[tolerance]", "[tolerances]", "tolerances"),
    ],
)
def test_a_form_that_does_not_fit_is_one_clear_error_and_no_file(
    office: Office, form: Path, old: str, new: str, words: str
) -> None:
    change(form, old, new)
    before = snapshot(office.base)
    refused(make(office, form), 2, words)
    assert snapshot(office.base) == before


def test_a_report_by_another_hand_is_refused(office: Office, form: Path) -> None:
    keys = office.home / "keys"
    (keys / f"{Role.ASSURANCE_BODY.value}.key").write_bytes((keys / f"{Role.TECHNICIAN.value}.key").read_bytes())
    assert make(office, form).code == 0
    said = check(office, "--json")
    assert said.code == 1
    assert said.json["code"] == "not_authorised"


def test_a_report_is_signed_by_the_assurance_body_once(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    refused(office.keyed("assurance", "countersign", office.base / "assurance.json"), 2, "has signed this assurance")


def test_an_order_for_more_than_an_exercise_needs_it_and_stands_on_it(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    office.fill_in(new_unit(), **{f"text{number}": text for number, text in enumerate(WANTED)})
    refused(office.make(), 2, "names no assurance report")
    change(office.form, *NAMED)
    assert office.make().code == 0
    refused(office.countersign(), 2, "is not here")
    report = office.base / "assurance.json"
    assert office.keyed("order", "countersign", office.order, "--assurance", report).code == 0
    assert office.check().code == 1
    said = office.check("--assurance", str(report))
    assert said.code == 0, said
    assert "people wanted by a court" in said.out
    assert report.name not in said.out
    named = office.opened().document.assurance
    assert named == envelope.parse(report.read_bytes(), Kind.ASSURANCE).digest()
    assert named is not None
    assert f"stands on the assurance report {named[:12]}" in said.out


def test_the_form_of_an_order_is_checked_against_the_report_before_anyone_signs(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    office.fill_in(new_unit(), **{f"text{number}": text for number, text in enumerate([*WANTED, *NAMED])})
    charter = office.home / "charter.json"
    command = ("order", "check", office.form, "--charter", charter, "--assurance", office.base / "assurance.json")
    assert run(*command).code == 0
    change(office.form, "threshold = 0.5", "threshold = 0.6")
    said = run(*command)
    assert said.code == 1
    assert "covers the thresholds 0.5, the order names 0.6 (O18)" in said.out
    refused(office.make(), 2, "covers the thresholds 0.5")


def test_what_is_no_report_is_one_clear_error(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    report = office.base / "assurance.json"
    report.write_bytes((office.home / "charter.json").read_bytes())
    assert check(office).code == 1
    office.fill_in(new_unit(), **{f"text{number}": text for number, text in enumerate([*WANTED, *NAMED])})
    refused(office.make(), 2, "assurance", "charter")
    report.unlink()
    refused(office.make(), 2, "assurance.json")


def test_a_form_is_never_overwritten(form: Path) -> None:
    before = form.read_bytes()
    refused(run("assurance", "new", form), 2, "never overwritten")
    assert form.read_bytes() == before


def test_the_blank_form_says_what_a_report_needs() -> None:
    for words in ("consenting testers", "at least two by sex and two by ethnicity", "200 passages and 3,000 faces"):
        assert words in re.sub(r"\s+#?\s*", " ", BLANK)


def test_only_the_report_that_an_order_names_is_looked_at(office: Office, form: Path) -> None:
    assert make(office, form).code == 0
    read = assurance.read(office.base / "assurance.json", office.charter, utc_now())
    office.fill_in(new_unit())
    assert office.make().code == 0
    assert isinstance(read.document, Assurance)
    assert assurance.named_by(office.opened().document, read) is None
