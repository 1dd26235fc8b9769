"""Loans as officers make them, and the end that either force can put to one."""

from datetime import timedelta
from pathlib import Path

import pytest

from overt.protocol import authority
from overt.protocol.vocabulary import Role
from overt.runtime import cli
from tests.builders import utc_now
from tests.provisioning.office import PASSPHRASE, Office, Said, new_unit, refused, run


class Lender(Office):
    """An office with a borrower beside it, and the loan's files."""

    def __init__(self, office: Office) -> None:
        super().__init__(office.base)
        self.loan_form, self.loan = self.base / "loan.toml", self.base / "loan.json"
        self.borrower = Office(self.base / "borrower")
        self.borrower.base.mkdir()
        self.borrower.passphrase.write_text(PASSPHRASE)
        self.unit = new_unit()
        created = self.borrower.keyed("force", "create", "--force", "borrower", "--title", "Borrower")
        assert created.code == cli.OK
        self.fill_in(self.unit)
        charter = (self.borrower.home / "charter.json").read_bytes()
        (self.base / "borrower-charter.json").write_bytes(charter)
        assert run("loan", "new", self.loan_form).code == cli.OK

    def alter(self, old: str, new: str) -> None:
        text = self.loan_form.read_text()
        assert old in text
        self.loan_form.write_text(text.replace(old, new))

    def make_loan(self) -> Said:
        return self.keyed("loan", "make", self.loan_form, "--out", self.loan)

    def countersign_loan(self) -> Said:
        return self.keyed("loan", "countersign", self.loan)

    def check_loan(self) -> Said:
        return run("loan", "check", self.loan, "--charter", self.home / "charter.json")


@pytest.fixture
def lender(office: Office) -> Lender:
    return Lender(office)


def test_a_loan_of_two_officers_is_accepted_by_the_units_that_it_names(lender: Lender) -> None:
    assert lender.make_loan().code == cli.OK
    assert lender.countersign_loan().code == cli.OK
    checked = authority.check_loan(lender.loan.read_bytes(), lender.charter, utc_now())
    authority.check_loan_for_unit(checked.document, "unit-1", lender.unit.public)
    assert checked.document.window.end - checked.document.window.start == timedelta(hours=48)
    said = lender.check_loan()
    for words in ("test-force lends unit-1 to borrower", "not a second longer", "can neither order", "wiped"):
        assert words in said.out


def test_one_officers_loan_is_none(lender: Lender) -> None:
    assert lender.make_loan().code == cli.OK
    said = lender.check_loan()
    assert said.code == cli.NEGATIVE
    assert "second_officer" in said.out
    assert lender.countersign_loan().code == cli.OK
    refused(lender.countersign_loan(), cli.BAD_INPUT, "signed this loan already")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("hours = 48", "hours = 745", "window.hours"),
        ("hours = 48", "", "[window]"),
        ("hours = 48", "start = 2023-10-24T08:00:00Z\nend = 2023-10-25T20:00:00Z", "ended"),
        ("hours = 48", "start = 2090-10-24T08:00:00Z\nend = 2090-10-25T20:00:00Z", "31 days"),
        ('"borrower-charter.json"', '"none.json"', "none.json"),
        ('"borrower-charter.json"', '"unit/identity.json"', "not a charter"),
        ('"borrower-charter.json"', '"office/charter.json"', "expected a loan to"),
        ('identity = "unit/identity.json"', 'identity = "none.json"', "none.json"),
        ('agreement = "MUTUAL-AID-1" ', 'agreement = "two words" ', "agreement"),
        ("agreement", "agreemint", "agreemint"),
        ("[window]", "[window", "TOML"),
    ],
)
def test_a_form_that_no_unit_would_accept_makes_no_loan(lender: Lender, old: str, new: str, word: str) -> None:
    lender.alter(old, new)
    said = lender.make_loan()
    assert said.code == cli.BAD_INPUT, said
    assert word in said.err
    assert len(said.err.splitlines()) == 1
    assert not lender.loan.exists()


def test_a_loan_form_is_never_overwritten(lender: Lender) -> None:
    refused(run("loan", "new", lender.loan_form), cli.BAD_INPUT, "never overwritten")


def test_lender_and_borrower_each_end_a_loan_with_one_officer(lender: Lender) -> None:
    assert lender.make_loan().code == cli.OK
    assert lender.countersign_loan().code == cli.OK
    digest = authority.check_loan(lender.loan.read_bytes(), lender.charter, utc_now()).digest
    for office, role in ((lender, Role.AUTHORISING_OFFICER), (lender.borrower, Role.SECOND_OFFICER)):
        out = office.base / "recall.json"
        said = office.keyed("cancel", "--loan", lender.loan, "--out", out, "--as", role.value)
        assert said.code == cli.OK, said
        by = authority.check_end_of_loan(out.read_bytes(), digest, (lender.charter, lender.borrower.charter))
        assert by == office.charter.force


def test_a_cancellation_concerns_an_order_or_a_loan(office: Office, tmp_path: Path) -> None:
    said = office.keyed("cancel", "--out", tmp_path / "cancel.json")
    assert said.code == cli.BAD_INPUT
    assert "--order" in said.err
