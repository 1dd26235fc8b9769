"""`key`: keys on a token, and what a charter needs to know of a key that is kept elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from overt.protocol.envelope import key_id
from overt.protocol.vocabulary import Role
from overt.runtime.cli import OK, Failure
from overt_provisioning import force, keyring, keys, tokens
from overt_provisioning.common import add_home, add_secrets, group, passphrase, plainly, say

_URI = "pkcs11:token=office;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so"


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `key`."""
    commands = group(subparsers, "key", "keys on a hardware token or kept elsewhere, and their public parts")
    new = commands.add_parser(
        "generate",
        help="make an Ed25519 key on a token, from which it can never be taken, or in a file",
        description=(
            "Makes a key on a token named by a PKCS#11 URI (RFC 7512), or in a file, encrypted with a passphrase, and\n"
            "prints its public part. For a key that the office is not to hold, its keeper does this on another machine."
        ),
        epilog=(
            f"examples:\n  overt-provision key generate '{_URI}'\n"
            "  overt-provision key generate file:second/keys/second_officer.key"
        ),
    )
    new.add_argument("where", type=_place, help="pkcs11:token=…;object=…?module-path=… or file:…")
    add_secrets(new)
    new.add_argument("--json", action="store_true", help="print JSON")
    new.set_defaults(handler=plainly(_generate))
    show = commands.add_parser(
        "show",
        help="print the public part of a key",
        description=(
            "Prints the public part of a role's key, or of a key on a token. Give it to the office that makes the\n"
            "charter: `force create --key second_officer=public:…`."
        ),
        epilog=(
            "examples:\n  overt-provision key show --home office --role second_officer\n"
            f"  overt-provision key show --uri '{_URI}'"
        ),
    )
    add_home(show)
    which = show.add_mutually_exclusive_group(required=True)
    which.add_argument("--role", choices=[*Role], help="the key of this role")
    which.add_argument("--uri", type=_token, help="pkcs11:token=…;object=…?module-path=…")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(handler=plainly(_show))


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add `--key ROLE=WHERE`, for commands that make a charter."""
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="ROLE=WHERE",
        help="a key that exists already: pkcs11:… on a token, public:HEX kept elsewhere; may be given again",
    )


def places(arguments: argparse.Namespace) -> dict[Role, str]:
    """Return where the keys are that were named with `--key`.

    Raises:
        Failure: Not a role and a place, or a role twice.
        KeyProblem: Not a place of a key.
    """
    found: dict[Role, str] = {}
    for text in arguments.key:
        name, equals, where = text.partition("=")
        if not equals or name not in set(Role) or Role(name) in found:
            raise Failure(f"expected each --key as ROLE=WHERE, with a role once: {', '.join(Role)}")
        keyring.check(Role(name), where)
        found[Role(name)] = where
    return found


def _generate(arguments: argparse.Namespace) -> int:
    secrets = passphrase(arguments)
    if arguments.where.startswith(keyring.FILE):
        public = keys.generate(Path(arguments.where.removeprefix(keyring.FILE)), secrets)
    else:
        public = tokens.generate(tokens.parse(arguments.where), secrets.pin)
    _print(arguments, public)
    return OK


def _show(arguments: argparse.Namespace) -> int:
    if arguments.uri:
        public = tokens.public_of(tokens.parse(arguments.uri), passphrase(arguments).pin)
    else:
        role = Role(arguments.role)
        where = keyring.read(arguments.home).get(role, f"file:{Path('keys') / role.value}.key")
        public = force.public_at(arguments.home, role, where, passphrase(arguments))
    _print(arguments, public)
    return OK


def _print(arguments: argparse.Namespace, public: str) -> None:
    say(arguments, f"public:{public}\nkey id {key_id(public)}", public=public, keyid=key_id(public))


def _place(text: str) -> str:
    """Check the shape early."""
    return text if text.removeprefix(keyring.FILE) and text.startswith(keyring.FILE) else _token(text)


def _token(text: str) -> str:
    """Check the shape early; a URI with a PIN in it is never repeated."""
    if not text.startswith(f"{tokens.SCHEME}:"):
        raise argparse.ArgumentTypeError("expected a PKCS#11 URI: pkcs11:token=…;object=…?module-path=…")
    return text
