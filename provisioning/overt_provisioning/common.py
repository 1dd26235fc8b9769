"""What the office's commands share: where its folder is, and how errors become one line."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
from securesystemslib.signer import Signer

from overt.protocol import envelope, limits
from overt.protocol.authority import Checked
from overt.protocol.documents import Order, UnitRef
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Kind
from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser
from overt.runtime.files import write_atomically
from overt.runtime.mqtt import MqttError
from overt_provisioning.certificates import CertificateProblem
from overt_provisioning.courier import AddressProblem, CourierProblem
from overt_provisioning.force import ForceProblem
from overt_provisioning.form import FormProblem
from overt_provisioning.keys import KeyProblem, KeyUnavailable, Passphrase

Handler = Callable[[argparse.Namespace], int]
_BAD = (ProtocolError, AddressProblem, CertificateProblem, ForceProblem, FormProblem, KeyProblem)


def group(subparsers: Any, name: str, text: str) -> Any:  # noqa: ANN401 - argparse keeps the type to itself
    """Add a command that has sub-commands."""
    parser = subparsers.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)


def countersigned(path: Path, kind: Kind, signer: Signer) -> bytes:
    """Return a document with one signature more.

    Raises:
        Failure: This key has signed it already.
        ProtocolError: Not a document of this kind.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    if envelope.parse(data, kind).signers([signer.public_key.keyval["public"]]):
        raise Failure(f"this key has signed this {kind.value} already: another officer must countersign it")
    return envelope.countersign(data, kind, signer)


def add_home(parser: argparse.ArgumentParser) -> None:
    """Add `--home` and what opens the keys in it."""
    parser.add_argument("--home", type=Path, default=Path(), metavar="DIR", help="the office's folder (default: here)")
    add_secrets(parser)


def add_secrets(parser: argparse.ArgumentParser) -> None:
    """Add `--passphrase-file` and `--pin-file`."""
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="F", help="read the passphrase of the keys from here (default: ask)"
    )
    parser.add_argument("--pin-file", type=Path, metavar="F", help="read the PIN of a token from here (default: ask)")


def passphrase(arguments: argparse.Namespace) -> Passphrase:
    """Return the source of passphrase and PINs."""
    return Passphrase(arguments.passphrase_file, pin_file=arguments.pin_file)


def plainly(handler: Handler) -> Handler:
    """Turn a command's expected errors into one line and an exit code."""

    @wraps(handler)
    def run(arguments: argparse.Namespace) -> int:
        try:
            return handler(arguments)
        except KeyUnavailable as error:
            raise Failure(str(error), UNAVAILABLE) from error
        except _BAD as error:
            raise Failure(str(error), BAD_INPUT) from error
        except (CourierProblem, MqttError) as error:
            raise Failure(str(error), UNAVAILABLE) from error
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{what}{error.strerror or error}: nothing was written", UNAVAILABLE) from error

    return run


def read_file(path: Path, limit: int = limits.DOCUMENT_MAX_BYTES) -> bytes:
    """Read a document, and no more of what is none than shows that it is too large.

    Raises:
        Failure: It is a folder, or larger than any such document.
        OSError: It cannot be read.
    """
    if path.is_dir():
        raise Failure(f"expected a document in {path}, found a folder")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Failure(f"expected a document of at most {limit:,} bytes in {path}, found a larger file")
    return data


def read_order(path: Path) -> Checked[Order]:
    """Read an order without judging it.

    Raises:
        ProtocolError: Not a well-formed order.
        OSError: It cannot be read.
    """
    return opened(read_file(path))


def opened(data: bytes) -> Checked[Order]:
    """Open an order without judging it.

    Raises:
        ProtocolError: Not a well-formed order.
    """
    parsed = envelope.parse(data, Kind.ORDER)
    return Checked(envelope.decode(parsed, Order), parsed.digest(), data)


def add_new(commands: Any, what: str, blank: str) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Add `new`, which writes a blank form."""
    name = f"{what}.toml"
    new = commands.add_parser("new", help="write a blank form", epilog=f"example:\n  overt-provision {what} new {name}")
    new.add_argument("form", type=Path, help="the form to write")

    def write(arguments: argparse.Namespace) -> int:
        if arguments.form.exists():
            raise Failure(f"{arguments.form} is there already; it is never overwritten")
        write_atomically(arguments.form, blank.encode(), mode=0o644)
        say(arguments, f"wrote {arguments.form}: fill it in, then 'overt-provision {what} make'")
        return OK

    new.set_defaults(handler=plainly(write))


def read_identity(path: Path) -> UnitRef:
    """Read a unit's identity.json: its name and its public key.

    Raises:
        Failure: It is none.
        OSError: It cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=UnitRef)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(f"expected a unit's identity in {path}: {error}") from error


def say(arguments: argparse.Namespace, text: str, **facts: Any) -> None:  # noqa: ANN401 - JSON
    """Print a result, as text or, with `--json`, as one JSON object."""
    print(json.dumps(facts, default=str) if getattr(arguments, "json", False) else text)  # noqa: T201 - a command talks


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
