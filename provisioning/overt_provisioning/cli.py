"""`overt-provision`: the force office's commands."""

import sys
from collections.abc import Sequence

from overt import __version__
from overt.runtime.cli import Parser, run
from overt_provisioning import (
    assurance_commands,
    commands,
    inspection,
    key_commands,
    loans,
    log_commands,
    time_signing,
    watchlist,
)
from overt_provisioning.unit import commands as unit_commands


def parser() -> Parser:
    """Build the command line."""
    top = Parser(
        prog="overt-provision",
        description="Makes, checks, signs and sends the documents of a deployment.",
        epilog="example:\n  overt-provision order check order.json --charter charter.json",
    )
    top.add_argument("--version", action="version", version=f"overt {__version__}")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    commands.add_force(subparsers)
    key_commands.add_parser(subparsers)
    commands.add_certificate(subparsers)
    commands.add_order(subparsers)
    watchlist.add_parser(subparsers)
    assurance_commands.add_parser(subparsers)
    time_signing.add_parser(subparsers)
    log_commands.add_parser(subparsers)
    loans.add_parser(subparsers)
    commands.add_send(subparsers)
    commands.add_cancel(subparsers)
    inspection.add_parser(subparsers)
    unit_commands.add_parser(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(run(parser(), arguments))
