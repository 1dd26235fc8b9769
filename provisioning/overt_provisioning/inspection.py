"""`inspect`: any signed document, and who has validly signed it. It judges nothing else."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol import envelope, limits
from overt.protocol.documents import Watchlist
from overt.protocol.envelope import Payload
from overt.protocol.vocabulary import Kind
from overt.runtime.cli import OK, Failure
from overt_provisioning import force
from overt_provisioning.common import plainly, read_file, read_identity, read_order

_AGE = b"age-encryption.org/v1"


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `inspect`."""
    parser = subparsers.add_parser(
        "inspect",
        help="show any signed document and which posts or units have validly signed it",
        description=(
            "Shows a document as JSON. `signed_by` names the posts of the charter, and the units of the order or the\n"
            "identity, whose signatures are valid; it is empty when none of them signed. Templates are never shown."
        ),
        epilog=(
            "examples:\n  overt-provision inspect order.json --charter charter.json\n"
            "  overt-provision inspect receipt.json --order order.json"
        ),
    )
    parser.add_argument("document", type=Path)
    parser.add_argument("--charter", type=Path, metavar="F", help="whose keys to compare the signatures with")
    parser.add_argument("--order", type=Path, metavar="F", help="an order, whose units' keys to compare them with")
    parser.add_argument("--identity", type=Path, metavar="F", help="a unit's identity.json, the same")
    parser.set_defaults(handler=plainly(_inspect))


def _inspect(arguments: argparse.Namespace) -> int:
    data = read_file(arguments.document, limits.WATCHLIST_MAX_BYTES)
    if data.startswith(_AGE):
        raise Failure(
            f"{arguments.document} is encrypted (age): a watchlist opens on its unit alone, an alert in a control room"
        )
    # A watchlist is the one kind that may be larger than the others, so it is tried first as one.
    parsed = envelope.parse(data, Kind.WATCHLIST if _says_watchlist(data) else None)
    shown = {
        "kind": parsed.kind,
        "digest": parsed.digest(),
        "signatures": len(parsed.signatures),
        "signed_by": sorted(name for name, key in _known_keys(arguments) if parsed.signers([key])),
        "document": _plain(envelope.decode_any(parsed)),
    }
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())  # noqa: T201 - a command talks
    return OK


def _says_watchlist(data: bytes) -> bool:
    return envelope.payload_type(Kind.WATCHLIST).encode() in data


def _known_keys(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Return who could have signed, and with which public key."""
    known: list[tuple[str, str]] = []
    if arguments.charter:
        known += [(key.post, key.public) for key in force.read_charter(arguments.charter).keys.values()]
    if arguments.order:
        known += [(unit.unit, unit.key) for unit in read_order(arguments.order).document.units]
    if arguments.identity:
        unit = read_identity(arguments.identity)
        known.append((unit.unit, unit.key))
    return list(dict.fromkeys(known))


def _plain(document: Payload) -> Any:  # noqa: ANN401 - JSON
    """Return a document for showing. Templates must not reach a terminal or what records it."""
    plain = msgspec.to_builtins(document)
    if isinstance(document, Watchlist):
        for entry in plain["entries"]:
            entry["templates"] = f"{len(entry['templates'])} not shown"
    return plain
