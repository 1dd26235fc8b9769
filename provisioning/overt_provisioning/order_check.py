"""`order check`: what a unit will and will not do under an order, or every reason why it would refuse it."""

import argparse
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any

from overt.protocol import authority, envelope, terms
from overt.protocol.authority import Checked
from overt.protocol.documents import Assurance, Charter, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal
from overt.runtime.cli import NEGATIVE, OK
from overt_provisioning import assurance, force, form
from overt_provisioning.common import now, plainly, read_order, say
from overt_provisioning.explain import explain
from overt_provisioning.form import FormProblem
from overt_provisioning.obligations import legend, named_in

_FORM_ENDING = ".toml"
_COUNTERSIGN = "Whoever else is to sign has read above what it means: sign with\n'overt-provision order countersign'."


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `order check`."""
    check = commands.add_parser(
        "check",
        help="say in plain words what a unit will and will not do under an order, or why it would refuse it",
        description=(
            "Takes an order, or a filled-in form before anyone signs it. Says what it is for, what a unit will do,\n"
            "what it will not, what is left to people, and who has signed; or names every rule that is broken, with\n"
            "the obligation behind it. An order that only wants a signature is explained too: read it, then sign.\n"
            "Exit 1: a unit would refuse it."
        ),
        epilog=(
            "examples:\n  overt-provision order check order.toml --charter charter.json\n"
            "  overt-provision order check order.json --charter charter.json"
        ),
    )
    check.add_argument("order", type=Path, help=f"the order; or the form, if it ends in {_FORM_ENDING}")
    check.add_argument("--charter", type=Path, required=True, metavar="F", help="the force's charter")
    assurance.add_option(check)
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(handler=plainly(_check))


def _check(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.charter)
    report = assurance.given(arguments, charter, now())
    if arguments.order.suffix.lower() == _FORM_ENDING:
        return _check_form(arguments, charter, report)
    order = read_order(arguments.order)
    found = broken_rules(order, charter, now(), report)
    signed_by = _signed_by(order, charter)
    if not found:
        text = f"{_meaning(order.document, order.digest)}\n\n{_signed(signed_by)} A unit accepts it."
        say(arguments, text, accepted=True, order=order.digest, signed_by=signed_by)
        return OK
    first = found[0]
    listed = [{"code": error.code, "detail": error.detail, "obligations": named_in(error.detail)} for error in found]
    text = _refusal("a unit would refuse this order", [error.detail for error in found])
    text = f"{text}\n\n{_signed(signed_by)}"
    if signed_by and {error.code for error in found} == {Refusal.NOT_AUTHORISED}:
        # Whoever is to sign has to be able to read it first.
        text = f"{_meaning(order.document, order.digest)}\n\n{text} {_COUNTERSIGN}"
    say(
        *(arguments, text),
        accepted=False,
        code=first.code,
        detail=first.detail,
        broken=listed,
        signed_by=signed_by,
    )
    return NEGATIVE


def _signed_by(order: Checked[Order], charter: Charter) -> list[str]:
    """Return the posts whose signatures are valid."""
    parsed = envelope.parse(order.data)
    return sorted(key.post for key in charter.keys.values() if parsed.signers([key.public]))


def _signed(posts: list[str]) -> str:
    return f"Validly signed by: {', '.join(posts)}." if posts else "Nobody named in this charter has validly signed it."


def _meaning(order: Order, digest: str | None) -> str:
    text = explain(order, digest)
    return "\n".join([text, "", "The rules behind it", *_legend(text)])


def _legend(text: str) -> list[str]:
    return [line for item in legend(text) for line in textwrap.wrap(item, 110, subsequent_indent="    ")]


def broken_rules(
    order: Checked[Order], charter: Charter, moment: datetime, report: Checked[Assurance] | None = None
) -> list[ProtocolError]:
    """Return every reason why a unit would refuse an order; none when it would not.

    Args:
        order: The order, not judged yet.
        charter: The charter that it stands on.
        moment: The time.
        report: The assurance report that is to be there, if any.
    """
    found = []
    try:
        authority.check_order_signatures(order.data, charter)
    except ProtocolError as error:
        found.append(error)
    # Another force's order fails both ways; once is enough.
    known = {error.code for error in found}
    named = assurance.named_by(order.document, report)
    found.extend(error for error in terms.broken(order.document, charter, moment, named) if error.code not in known)
    return found


def _check_form(arguments: argparse.Namespace, charter: Charter, report: Checked[Assurance] | None) -> int:
    """Check a form as if it were signed at this moment."""
    moment = now()
    filled = form.read(arguments.order)
    try:
        order = form.to_order(filled, charter.force, arguments.order.parent, moment)
    except FormProblem as problem:
        broken = [{"code": "malformed", "detail": text, "obligations": named_in(text)} for text in problem.problems]
        text = _refusal("no order can be made of this form", list(problem.problems))
        say(arguments, text, accepted=False, code="malformed", detail=str(problem), broken=broken)
        return NEGATIVE
    found = list(terms.broken(order, charter, moment, assurance.named_by(order, report)))
    if found:
        listed = [{"code": one.code, "detail": one.detail, "obligations": named_in(one.detail)} for one in found]
        text = _refusal("a unit would refuse an order made of this form", [one.detail for one in found])
        say(arguments, text, accepted=False, code=found[0].code, detail=found[0].detail, broken=listed)
        return NEGATIVE
    say(arguments, _meaning(order, None), accepted=True, order=None)
    return OK


def _refusal(heading: str, reasons: list[str]) -> str:
    lines = [f"{heading}:" if len(reasons) == 1 else f"{heading}, for {len(reasons)} reasons:"]
    lines += [f"  - {reason}" for reason in reasons]
    known = _legend(" ".join(reasons))
    return "\n".join([*lines, *([""] if known else []), *known])
