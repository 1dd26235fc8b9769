"""The office's commands, but for the watchlist's."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from overt.protocol import authority, envelope, fields
from overt.protocol.documents import Cancellation, ForceLimits, UnitRef
from overt.protocol.reports import Receipt
from overt.protocol.topics import Down
from overt.protocol.vocabulary import CancellationReason, Kind, Role
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt.runtime.files import write_atomically
from overt_provisioning import assurance, certificates, courier, force, form, key_commands, keys, order_check, renewal
from overt_provisioning.common import (
    add_home,
    add_new,
    countersigned,
    group,
    now,
    opened,
    passphrase,
    plainly,
    read_identity,
    read_order,
    say,
)
from overt_provisioning.loans import read_loan

_LONGEST_WAIT_S = 3600


def add_force(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `force`."""
    commands = group(subparsers, "force", "a force: its keys, its charter, its certificate authority")
    create = commands.add_parser(
        "create",
        help="make a new force",
        description="Makes a key for each role, the charter that names them, and the certificate authority.",
        epilog="example:\n  overt-provision force create --home office --force a-force --title 'A Force'",
    )
    add_home(create)
    create.add_argument("--force", required=True, type=_slug, help="short name: lower-case letters, digits, dashes")
    create.add_argument("--title", required=True, help="the name in full")
    create.add_argument("--valid-days", type=_days, default=365, help="the charter holds (default: %(default)s)")
    create.add_argument("--most-entries", type=int, default=2000, help="largest watchlist (default: %(default)s, O19)")
    create.add_argument("--least-threshold", type=float, default=None, help="lowest threshold that an order may name")
    create.add_argument(
        "--most-image-days", type=int, default=None, help="oldest image of an adult that a watchlist may have, in days"
    )
    create.add_argument("--most-image-days-under-18", type=int, default=None, help="the same for people under 18")
    key_commands.add_places(create)
    create.add_argument("--json", action="store_true", help="print JSON")
    create.set_defaults(handler=plainly(_force_create))
    _add_renew(commands)


def _add_renew(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    renew = commands.add_parser(
        "renew",
        help="make the next charter: a later end, and new keys in the place of lost or revoked ones",
        description=(
            "Makes the next version of the charter, signed by the root key (the old one, and the new one if that is\n"
            "replaced). Give it to every unit (overt-provision send charter) and every control room: from then on\n"
            "they take nothing that a replaced key signed, and end what stands on it. The charter before is kept."
        ),
        epilog=(
            "example:\n  overt-provision force renew --home office --replace second_officer\n"
            "  overt-provision send charter office/charter.json --home office --unit unit-1 \\\n"
            "      --identity unit/identity.json --broker broker.force.example:8883"
        ),
    )
    add_home(renew)
    renew.add_argument(
        "--replace", action="append", default=[], choices=[*Role], help="whose key is replaced; may be given again"
    )
    key_commands.add_places(renew)
    renew.add_argument("--valid-days", type=_days, default=365, help="the charter holds (default: %(default)s)")
    renew.add_argument("--json", action="store_true", help="print JSON")
    renew.set_defaults(handler=plainly(_force_renew))


def _force_renew(arguments: argparse.Namespace) -> int:
    places = key_commands.places(arguments)
    replaced = frozenset(map(Role, arguments.replace)) | frozenset(places)
    charter = renewal.renew(arguments.home, replaced, arguments.valid_days, passphrase(arguments), places)
    keys_made = ", ".join(sorted(role.value for role in replaced)) or "none"
    text = f"made version {charter.version} of the charter of {charter.force}, new keys: {keys_made}; send it to all"
    say(arguments, text, force=charter.force, version=charter.version, expires=charter.expires)
    return OK


def _force_create(arguments: argparse.Namespace) -> int:
    given = {
        "watchlist_max_entries": arguments.most_entries,
        "threshold_min": arguments.least_threshold,
        "image_max_age_days": arguments.most_image_days,
        "image_max_age_days_under_18": arguments.most_image_days_under_18,
    }
    try:
        limits = msgspec.convert({key: value for key, value in given.items() if value is not None}, ForceLimits)
    except msgspec.ValidationError as error:
        raise Failure(f"a force's limits can only be tighter than the product's: {error}") from error
    charter = force.create(
        *(arguments.home, arguments.force, arguments.title, arguments.valid_days, limits, passphrase(arguments)),
        key_commands.places(arguments),
    )
    text = f"made the force {charter.force} in {arguments.home}: {len(charter.keys)} keys, charter.json, pki/ca.pem"
    say(arguments, text, force=charter.force, charter=str(arguments.home / "charter.json"), expires=charter.expires)
    return OK


def add_certificate(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `certificate`."""
    commands = group(subparsers, "certificate", "who is who on the force's broker")
    broker = commands.add_parser(
        "broker",
        help="key and certificate for a broker",
        epilog="example:\n  overt-provision certificate broker --home office --host broker.force.example --out broker",
    )
    add_home(broker)
    broker.add_argument("--host", action="append", required=True, help="name or address; may be given again")
    broker.add_argument("--out", type=Path, required=True, metavar="DIR", help="for broker.key and broker.crt")
    broker.set_defaults(handler=plainly(_certificate_broker))
    client = commands.add_parser(
        "client",
        help="certify a unit or a control room that made its own key",
        epilog="example:\n  overt-provision certificate client --home office --csr unit.csr --out unit.crt",
    )
    add_home(client)
    client.add_argument("--csr", type=Path, required=True, metavar="F", help="the certificate signing request, PEM")
    client.add_argument("--out", type=Path, required=True, metavar="F", help="the certificate to write")
    client.set_defaults(handler=plainly(_certificate_client))
    office = commands.add_parser(
        "office",
        help="the office's own key and certificate",
        epilog="example:\n  overt-provision certificate office --home office",
    )
    add_home(office)
    office.set_defaults(handler=plainly(_certificate_office))


def _certificate_broker(arguments: argparse.Namespace) -> int:
    certificates.make_server(arguments.home, arguments.out, arguments.host, passphrase(arguments))
    say(arguments, f"made {arguments.out / 'broker.key'} and broker.crt for {', '.join(arguments.host)}")
    return OK


def _certificate_client(arguments: argparse.Namespace) -> int:
    name = certificates.certify(arguments.home, arguments.csr.read_bytes(), arguments.out, passphrase(arguments))
    say(arguments, f"certified {name}: {arguments.out}")
    return OK


def _certificate_office(arguments: argparse.Namespace) -> int:
    certificates.make_client(
        arguments.home, certificates.OFFICE, arguments.home / "pki" / "office", passphrase(arguments)
    )
    say(arguments, f"made {arguments.home / 'pki' / 'office.key'} and office.crt")
    return OK


def add_order(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `order`."""
    commands = group(subparsers, "order", "the written authority for a deployment")
    add_new(commands, "order", form.BLANK)
    make = commands.add_parser(
        "make",
        help="make an order from a form and sign it as authorising officer",
        epilog="example:\n  overt-provision order make --home office order.toml --out order.json",
    )
    add_home(make)
    make.add_argument("form", type=Path, help="the filled-in form")
    make.add_argument("--out", type=Path, required=True, metavar="F", help="the order to write")
    make.set_defaults(handler=plainly(_order_make))
    second = commands.add_parser(
        "countersign",
        help="sign an order as second officer",
        epilog="example:\n  overt-provision order countersign --home office order.json",
    )
    add_home(second)
    second.add_argument("order", type=Path, help="the order; the signature is added to it")
    assurance.add_option(second)
    second.set_defaults(handler=plainly(_order_countersign))
    order_check.add_parser(commands)


def _order_make(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    filled = form.read(arguments.form)
    order = form.to_order(filled, charter.force, arguments.form.parent)
    data = envelope.sign(order, [keys.signer(arguments.home, Role.AUTHORISING_OFFICER, passphrase(arguments))])
    made = opened(data)
    report = assurance.named_in_form(filled, arguments.form.parent, charter, now())
    authority.check_order_terms(made.document, charter, now(), report)
    write_atomically(arguments.out, data, mode=0o644)
    say(arguments, f"made the order {made.digest[:12]}… in {arguments.out}; a second officer must countersign it")
    return OK


def _order_countersign(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    signed = countersigned(
        arguments.order, Kind.ORDER, keys.signer(arguments.home, Role.SECOND_OFFICER, passphrase(arguments))
    )
    report = assurance.given(arguments, charter, now())
    checked = authority.check_order(signed, charter, now(), lambda order: assurance.named_by(order, report))
    write_atomically(arguments.order, signed, mode=0o644)
    say(arguments, f"countersigned the order {checked.digest[:12]}…; units will accept it")
    return OK


def add_cancel(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `cancel`."""
    parser = subparsers.add_parser(
        "cancel",
        help="end an order, or a loan, before its time",
        description="Makes a signed cancellation. One officer suffices: stopping is never made hard.",
        epilog="example:\n  overt-provision cancel --home office --order order.json --out cancellation.json",
    )
    add_home(parser)
    ended = parser.add_mutually_exclusive_group(required=True)
    ended.add_argument("--order", type=Path, metavar="F", help="the order to end")
    ended.add_argument(
        "--loan", type=Path, metavar="F", help="the loan to end: the lender recalls, the borrower returns"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="the cancellation to write")
    parser.add_argument(
        "--as",
        dest="role",
        choices=(Role.AUTHORISING_OFFICER.value, Role.SECOND_OFFICER.value),
        default=Role.AUTHORISING_OFFICER.value,
        help="who signs (default: %(default)s)",
    )
    parser.add_argument(
        "--reason", choices=[*CancellationReason], default=CancellationReason.FULFILLED, help="default: %(default)s"
    )
    parser.set_defaults(handler=plainly(_cancel))


def _cancel(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    ended = read_loan(arguments.loan) if arguments.loan else read_order(arguments.order)
    cancellation = Cancellation(
        force=charter.force, order=ended.digest, issued=now(), reason=CancellationReason(arguments.reason)
    )
    data = envelope.sign(cancellation, [keys.signer(arguments.home, Role(arguments.role), passphrase(arguments))])
    write_atomically(arguments.out, data, mode=0o644)
    say(arguments, f"made {arguments.out}: send it with 'overt-provision send cancel'")
    return OK


def add_send(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `send`."""
    parser = subparsers.add_parser(
        "send",
        help="send a document to a unit and wait for its receipt",
        description="Publishes a document over MQTT and waits for the unit's signed receipt. Exit 1: refused.",
        epilog=(
            "example:\n  overt-provision send --home office order order.json --unit unit-1 --order order.json \\\n"
            "      --broker broker.force.example:8883 --wait 20 --receipt receipt.json"
        ),
    )
    add_home(parser)
    parser.add_argument("what", choices=[leaf.value for leaf in Down if leaf is not Down.TIME])
    parser.add_argument("document", type=Path)
    parser.add_argument("--unit", required=True, type=_slug)
    named = parser.add_mutually_exclusive_group(required=True)
    named.add_argument("--order", type=Path, metavar="F", help="the order that it concerns, which names the unit's key")
    named.add_argument("--loan", type=Path, metavar="F", help="or the loan that it concerns")
    named.add_argument("--identity", type=Path, metavar="F", help="or the unit's identity.json (for a charter)")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--wait", type=_seconds, default=20.0, metavar="S", help="for a receipt (default: %(default)s)")
    parser.add_argument("--receipt", type=Path, metavar="F", help="keep the receipt here")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=plainly(_send))


def _send(arguments: argparse.Namespace) -> int:
    if arguments.identity and arguments.what in {Down.WATCHLIST, Down.CANCEL}:
        raise Failure(f"expected --order or --loan with a {arguments.what}: it concerns one")
    concerned, units = _concerned(arguments)
    unit_key = next((unit.key for unit in units if unit.unit == arguments.unit), None)
    if unit_key is None:
        raise Failure(f"the document named with --order, --loan or --identity names no unit {arguments.unit}")
    errand = courier.Errand(
        force=force.read_charter(arguments.home / "charter.json").force,
        unit=arguments.unit,
        unit_key=unit_key,
        what=Down(arguments.what),
        data=arguments.document.read_bytes(),
        order=concerned,
    )
    courier.check(errand)
    data = courier.deliver(errand, courier.office_broker(arguments.home, arguments.broker), arguments.wait)
    if data is None:
        say(arguments, "the broker has it", accepted=None)
        return OK
    if arguments.receipt:
        write_atomically(arguments.receipt, data, mode=0o644)
    receipt = envelope.verify(data, Receipt, unit_key)
    refusal = f"{receipt.refusal}: {receipt.detail}"
    text = f"{arguments.unit} {'accepted' if receipt.accepted else 'refused'} the {arguments.what}"
    say(
        arguments,
        text if receipt.accepted else f"{text} ({refusal})",
        accepted=receipt.accepted,
        refusal=receipt.refusal,
        detail=receipt.detail,
    )
    return OK if receipt.accepted else NEGATIVE


def _concerned(arguments: argparse.Namespace) -> tuple[str | None, Sequence[UnitRef]]:
    """Return the digest of the order or loan that a document concerns, and the units that it names."""
    if arguments.identity:
        return None, (read_identity(arguments.identity),)
    named = read_loan(arguments.loan) if arguments.loan else read_order(arguments.order)
    return named.digest, named.document.units


def _days(text: str) -> int:
    try:
        found: int = msgspec.convert(text, Annotated[int, Meta(ge=1, le=certificates.AUTHORITY_DAYS)], strict=False)
    except msgspec.ValidationError:
        raise argparse.ArgumentTypeError(f"expected 1 to {certificates.AUTHORITY_DAYS} days, found {text!r}") from None
    return found


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= _LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"expected 0 to {_LONGEST_WAIT_S} seconds, found {text!r}")
    return found


def _slug(text: str) -> str:
    try:
        return msgspec.convert(text, fields.Slug)
    except msgspec.ValidationError:
        raise argparse.ArgumentTypeError(
            f"expected lower-case letters, digits and single dashes, found {text!r}"
        ) from None
