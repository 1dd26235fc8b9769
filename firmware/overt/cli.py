"""`overt-camera`: the daemons of a unit, and the few commands a technician types on the unit itself."""

import sys
from collections.abc import Sequence

from overt import __version__
from overt.console.command import add_parser as add_console
from overt.runtime.cli import Parser, run
from overt.selftest import add_parser as add_selftest
from overt.uplink.command import add_parser as add_uplink
from overt.vision.command import add_parser as add_vision
from overt.warden.command import add_parser as add_warden


def parser() -> Parser:
    """Build the command line."""
    top = Parser(
        prog="overt-camera",
        description="The firmware of an Overt unit. Each daemon is its own process; a supervisor keeps them running.",
        epilog="example:\n  overt-camera status",
    )
    top.add_argument("--version", action="version", version=f"overt {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for add in (add_warden, add_vision, add_uplink, add_console, add_selftest):
        add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(run(parser(), arguments))
