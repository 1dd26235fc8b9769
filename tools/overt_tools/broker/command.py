"""`overt-tools broker`."""

import argparse
from pathlib import Path

import msgspec

from overt.protocol.fields import Slug
from overt.runtime.cli import BAD_INPUT, UNAVAILABLE, Failure, Parser
from overt.runtime.ending import Ending
from overt_tools.broker.server import KINDS, Server, choose
from overt_tools.broker.settings import Access, BrokerError, Settings

_MAX_PORT = 65535


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `broker`."""
    parser = subparsers.add_parser(
        "broker",
        help="a real MQTT broker on this machine, for demonstrations and tests",
        description=(
            "Runs a broker in the foreground, on 127.0.0.1, until it is interrupted. Clients need a certificate of\n"
            "the authority; its CN says who they are. A unit has its own topics, a control room reads what units\n"
            "publish, the office sends to units and reads receipts."
        ),
        epilog=(
            "example:\n  overt-tools broker --folder state --port 8883 --authority ca.pem --certificate broker.crt \\\n"
            "      --key broker.key --force demonstration-force --unit unit-1 --room control-room-1"
        ),
    )
    parser.add_argument("--folder", type=Path, required=True, help="where it keeps its state, configuration and log")
    parser.add_argument(
        "--port", type=int, default=8883, help="0 takes a free one and prints it (default: %(default)s)"
    )
    parser.add_argument("--kind", choices=("auto", *KINDS), default="auto", help="default: %(default)s")
    parser.add_argument("--authority", type=Path, required=True, help="certificate of the authority, PEM")
    parser.add_argument("--certificate", type=Path, required=True, help="the broker's certificate, PEM")
    parser.add_argument("--key", type=Path, required=True, help="the broker's private key, PEM")
    parser.add_argument("--force", required=True, help="the force whose topics it carries")
    parser.add_argument(
        "--unit", action="append", default=[], metavar="CN", help="a unit; the embedded broker has to know each"
    )
    parser.add_argument("--room", action="append", default=[], metavar="CN", help="a control room")
    parser.add_argument(
        "--office", action="append", default=[], metavar="CN", help="who sends to units (default: office)"
    )
    parser.set_defaults(handler=_broker)


def _broker(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.port <= _MAX_PORT:
        raise Failure(f"expected a port of 0 to {_MAX_PORT}, found {arguments.port}", BAD_INPUT)
    access = Access(
        _slug(arguments.force),
        tuple(map(_slug, arguments.unit)),
        tuple(map(_slug, arguments.room)),
        tuple(map(_slug, arguments.office or ["office"])),
    )
    settings = Settings(
        arguments.folder.resolve(),
        arguments.port,
        arguments.authority.resolve(),
        arguments.certificate.resolve(),
        arguments.key.resolve(),
        access,
    )
    try:
        with Ending() as ending, Server(choose(arguments.kind), settings) as server:
            print(f"broker: {server.software.name} at 127.0.0.1:{server.port}", flush=True)
            while not ending.asked:
                code = server.wait(ending.fileno())
                if code is not None:
                    raise Failure(f"the broker ended by itself with {code}: {server.last_words()}", UNAVAILABLE)
        return ending.exit_code
    except BrokerError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except OSError as error:
        raise Failure(f"cannot run a broker in {arguments.folder}: {error.strerror or error}", UNAVAILABLE) from error


def _slug(text: str) -> str:
    try:
        return msgspec.convert(text, Slug)
    except msgspec.ValidationError as error:
        raise Failure(f"expected a name of lower-case letters, digits and single dashes, found {text!r}") from error
