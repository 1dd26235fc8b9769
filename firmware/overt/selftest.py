"""`overt-camera selftest`: whether what is installed works on this machine, before anything depends on it."""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from overt import __version__
from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Parser
from overt.runtime.selftest import Finding, Outcome, try_out

_LIBRARIES: Final = {
    "numpy": "numpy",
    "ai_edge_litert.interpreter": "ai-edge-litert",
    "av": "av",
    "cryptography.hazmat.primitives.asymmetric.ed25519": "cryptography",
    "pyrage": "pyrage",
    "msgspec": "msgspec",
    "gpiod": "gpiod",
    "serial": "pyserial",
    "paho.mqtt.client": "paho-mqtt",
}
"""What is loaded, by the module that brings its native part along, and the package that it is of."""
_SECRET_BYTES: Final = 1024 * 1024
_TEXT: Final = b"sealed by the self-test"
_RFC_8032_PRIVATE: Final = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
_RFC_8032_PUBLIC: Final = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
_DESCRIPTION = """Try what is installed, on this machine: libraries, signatures, encryption, the store, protected
memory, the lock that vision puts on itself, and the models, whose digests and results have to be the catalogue's.

Needs no camera, no lamp, no order and no network, looks at nobody, and keeps nothing. Exit code 1: something fails;
3: something is not there, as in an emulator. In both cases no unit should run here."""


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command `selftest`."""
    parser = subparsers.add_parser(
        "selftest",
        help="try whether what is installed works on this machine",
        description=_DESCRIPTION,
        epilog="example:\n  overt-camera selftest --json",
    )
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("/usr/share/overt/models"),
        metavar="DIR",
        help="models and their catalogue (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = []
    for finding in findings(arguments.models):
        found.append(finding)
        if not arguments.json:
            _say(f"{finding.part:10} {finding.outcome}: {finding.detail}")
    wanting = [finding for finding in found if finding.outcome is not Outcome.WORKS]
    if arguments.json:
        checks = [{"part": one.part, "outcome": one.outcome, "detail": one.detail} for one in found]
        machine = {"version": __version__, "python": platform.python_version(), "machine": platform.machine()}
        _say(json.dumps({"fit": not wanting, **machine, "checks": checks}))
    elif wanting:
        _say(f"selftest: no unit should run here: {', '.join(finding.part for finding in wanting)}")
    else:
        _say("selftest: everything works")
    if any(finding.outcome is Outcome.FAILS for finding in wanting):
        return NEGATIVE
    return UNAVAILABLE if wanting else OK


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def findings(models: Path) -> Iterator[Finding]:
    """Try one part after the other.

    Args:
        models: Folder of the models and their catalogue.
    """
    libraries = try_out("libraries", _load_libraries, ImportError, ValueError)
    yield libraries
    if libraries.outcome is not Outcome.WORKS:
        return  # nothing else could be tried
    from overt.protocol.errors import ProtocolError  # noqa: PLC0415 - needs the libraries
    from overt.vision.selftest import try_the_lock, try_the_models  # noqa: PLC0415 - as above
    from overt.warden.selftest import try_the_store  # noqa: PLC0415 - as above

    yield try_out("signing", _sign, ProtocolError, WrongResult)
    yield try_out("sealing", _seal, ProtocolError, WrongResult)
    yield try_the_store()
    yield try_out("memory", _protect, WrongResult)
    yield try_the_lock()
    yield from try_the_models(models)


class WrongResult(Exception):
    """A part did something else than it should."""


def _load_libraries() -> str:
    for module in _LIBRARIES:
        importlib.import_module(module)
    return ", ".join(f"{package} {metadata.version(package)}" for package in _LIBRARIES.values())


def _sign() -> str:
    import msgspec  # noqa: PLC0415 - may not be there

    from overt.protocol import envelope, keys  # noqa: PLC0415 - needs the libraries
    from overt.protocol.reports import Challenge  # noqa: PLC0415 - as above

    if keys.public_of(bytes.fromhex(_RFC_8032_PRIVATE)) != _RFC_8032_PUBLIC:
        raise WrongResult("expected the public key of RFC 8032, test 1, found another")
    private, stranger = keys.new_private(), keys.new_private()
    document = Challenge(force="self", unit="test", number="0" * 64, sent=datetime.now(UTC))
    signed = envelope.parse(envelope.sign(document, [keys.signer_of(private)]))
    altered = msgspec.structs.replace(signed, payload=signed.payload + b" ")
    public, other = keys.public_of(private), keys.public_of(stranger)
    if signed.signers([public, other]) != {public} or altered.signers([public]):
        raise WrongResult("expected one signature, by the key that signed, found something else")
    return "Ed25519 signs; an altered document and a stranger's key are found out"


def _seal() -> str:
    from overt.protocol import sealing  # noqa: PLC0415 - needs the libraries
    from overt.protocol.errors import NotReadable  # noqa: PLC0415 - as above

    (identity, recipient), (stranger, _) = sealing.new_identity(), sealing.new_identity()
    sealed = sealing.seal(_TEXT, [recipient])
    if sealing.unseal(sealed, identity) != _TEXT or _TEXT in sealed:
        raise WrongResult("expected what was sealed to come back, found something else")
    try:
        sealing.unseal(sealed, stranger)
    except NotReadable:
        return "age seals and opens; a stranger's key does not open"
    raise WrongResult("expected a stranger's key to open nothing, found that it does")


def _protect() -> str:
    from overt.runtime.memory import SecretFile, map_sealed  # noqa: PLC0415 - only for this

    with SecretFile("selftest", _SECRET_BYTES) as file:
        file.seal()
        map_sealed(file.descriptor).close()
        try:
            os.write(file.descriptor, b"x")
        except PermissionError:
            return f"{_SECRET_BYTES:,} bytes locked, sealed, and out of core dumps"
    raise WrongResult("expected sealed memory to refuse writing, found that it does not")
