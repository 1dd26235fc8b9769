"""Loans of units to another force: the form, the document, and what it means in plain words."""

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from overt.protocol import authority, envelope, limits
from overt.protocol.authority import Checked
from overt.protocol.documents import Charter, Loan
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Kind, Role
from overt.runtime.cli import NEGATIVE, OK
from overt.runtime.files import write_atomically
from overt_provisioning import force, form, keys, wording
from overt_provisioning.common import add_home, add_new, countersigned, group, now, passphrase, plainly, say
from overt_provisioning.form import FormProblem, UnitForm, content_of, unit_of

BLANK = """\
# Mutual aid: units of ours, to another force, for a time. Fill in every field. Then:
#   overt-provision loan make --home OFFICE loan.toml --out loan.json      (authorising officer)
#   overt-provision loan countersign --home OFFICE loan.json               (second officer)
#   overt-provision loan check loan.json --charter charter.json
# From the moment a unit accepts it, our keys can neither order nor read anything there. We can end it at any time.

agreement = "MUTUAL-AID-1"          # the reference of the agreement between the forces
borrower = "borrower-charter.json"  # the borrowing force's charter, as that force handed it to us
legal_basis = \"\"\"
Police Act 1996 s.24: aid of one police force by another. The borrowing force is the controller of what it does.
\"\"\"

[window]                            # start = 2026-11-24T08:00:00Z and end = …; or hours from the moment of signing
hours = 48

[[unit]]                            # one for each unit; or name = … and key = …
identity = "unit/identity.json"
"""


class WindowForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[window]` of a loan: start and end, or hours from the moment of signing."""

    start: datetime | None = None
    end: datetime | None = None
    hours: Annotated[int, Meta(ge=1, le=int(limits.LOAN_MAX_WINDOW.total_seconds()) // 3600)] | None = None


class LoanForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The form of a loan."""

    agreement: str
    borrower: str
    legal_basis: str
    window: WindowForm
    unit: list[UnitForm]


def to_loan(filled: LoanForm, lender: Charter, folder: Path, moment: datetime) -> Loan:
    """Return the loan that a form asks for.

    Args:
        filled: The form.
        lender: The charter of the force whose units they are.
        folder: Where the files that the form names are.
        moment: The time of signing.

    Raises:
        FormProblem: A field is missing or does not fit.
    """
    charter = content_of("borrower", folder, filled.borrower)
    try:
        borrower = authority.check_charter(charter, moment).document
        plain = {
            "type": "loan",
            "force": lender.force,
            "borrower": borrower.force,
            "charter": charter,
            "agreement": filled.agreement,
            "legal_basis": filled.legal_basis.strip(),
            "issued": moment,
            "window": _window(filled.window, moment),
            "units": [unit_of(unit, folder) for unit in filled.unit],
        }
        return msgspec.convert(plain, Loan)
    except ProtocolError as error:
        raise FormProblem(
            f"borrower: {filled.borrower} is not a charter that can be lent to: {error.detail}"
        ) from error
    except msgspec.ValidationError as error:
        raise FormProblem(wording.worded(str(error))) from error


def _window(filled: WindowForm, moment: datetime) -> dict[str, datetime]:
    if filled.hours is not None and filled.start is None and filled.end is None:
        return {"start": moment, "end": moment + timedelta(hours=filled.hours)}
    if filled.start is None or filled.end is None or filled.hours is not None:
        raise FormProblem("[window]: expected start and end, or hours alone")
    return {"start": filled.start, "end": filled.end}


def explain(loan: Loan, digest: str) -> str:
    """Return what a loan means, for the people who sign it."""
    units = ", ".join(unit.unit for unit in loan.units)
    start, end = (f"{time:%Y-%m-%d %H:%M %Z}" for time in (loan.window.start, loan.window.end))
    return "\n".join(
        [
            f"Loan {digest[:12]}…, agreement {loan.agreement}: {loan.force} lends {units} to {loan.borrower}.",
            "",
            "Under this loan",
            f"  - {loan.borrower}'s officers order, from {start} until {end}, and not a second longer,",
            f"  - {loan.borrower} is the controller of what is done; its control rooms alone read the alerts,",
            "  - either force can end it at any time.",
            "",
            "From the moment a unit accepts it",
            f"  - {loan.force}'s keys can neither order, nor list anyone, nor read anything on it,",
            "  - it cannot be lent on.",
            "",
            "When it ends",
            f"  - the unit erases everything of {loan.borrower}'s: orders, watchlist, keys, alerts not delivered,",
            f"  - it is {loan.force}'s again, wiped, and both forces get its signed certificate of that.",
        ]
    )


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `loan`."""
    commands = group(subparsers, "loan", "units lent to another force (mutual aid)")
    add_new(commands, "loan", BLANK)
    make = commands.add_parser(
        "make",
        help="make and sign a loan (authorising officer)",
        epilog="example:\n  overt-provision loan make --home office loan.toml --out loan.json",
    )
    add_home(make)
    make.add_argument("form", type=Path, help="the filled-in form")
    make.add_argument("--out", type=Path, required=True, metavar="F", help="the loan to write")
    make.set_defaults(handler=plainly(_make))
    second = commands.add_parser(
        "countersign",
        help="sign a loan as the second officer",
        epilog="example:\n  overt-provision loan countersign --home office loan.json",
    )
    add_home(second)
    second.add_argument("loan", type=Path, help="the loan; the signature is added to it")
    second.set_defaults(handler=plainly(_countersign))
    check = commands.add_parser(
        "check",
        help="say in plain words what a loan means, and whether a unit would accept it. Exit 1: it would not",
        epilog="example:\n  overt-provision loan check loan.json --charter charter.json",
    )
    check.add_argument("loan", type=Path)
    check.add_argument("--charter", type=Path, required=True, metavar="F", help="the lender's charter")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(handler=plainly(_check))


def read_loan(path: Path) -> Checked[Loan]:
    """Read a loan without judging it.

    Raises:
        ProtocolError: Not a well-formed loan.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    parsed = envelope.parse(data, Kind.LOAN)
    return Checked(envelope.decode(parsed, Loan), parsed.digest(), data)


def _make(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    loan = to_loan(form.load(arguments.form, LoanForm), charter, arguments.form.parent, now())
    authority.check_loan_terms(loan, charter, now())
    data = envelope.sign(loan, [keys.signer(arguments.home, Role.AUTHORISING_OFFICER, passphrase(arguments))])
    write_atomically(arguments.out, data, mode=0o644)
    digest = envelope.parse(data).digest()
    say(arguments, f"made the loan {digest[:12]}… in {arguments.out}; a second officer must countersign it")
    return OK


def _countersign(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    data = countersigned(
        arguments.loan, Kind.LOAN, keys.signer(arguments.home, Role.SECOND_OFFICER, passphrase(arguments))
    )
    checked = authority.check_loan(data, charter, now())
    write_atomically(arguments.loan, data, mode=0o644)
    say(arguments, f"countersigned the loan {checked.digest[:12]}…; units will accept it")
    return OK


def _check(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.charter)
    loan = read_loan(arguments.loan)
    try:
        authority.check_loan(loan.data, charter, now())
    except ProtocolError as error:
        say(arguments, f"a unit would refuse this loan: {error}", accepted=False, code=error.code, detail=error.detail)
        return NEGATIVE
    say(arguments, explain(loan.document, loan.digest), accepted=True, loan=loan.digest)
    return OK
