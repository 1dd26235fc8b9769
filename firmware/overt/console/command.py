"""`overt-camera console`: the daemon at the technician's cable."""

import argparse
from pathlib import Path

from overt.runtime.cli import UNAVAILABLE, Failure, Parser


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `console`."""
    parser = subparsers.add_parser(
        "console",
        help="the daemon at the technician's cable",
        description=(
            "Speaks with a technician's laptop over a serial line: USB gadget or UART. It has no camera, no network\n"
            "and no key. Who is let in, the warden decides; each change is signed by the technician and logged."
        ),
        epilog="example:\n  overt-camera console --port /dev/ttyGS0",
    )
    parser.add_argument("--port", type=Path, required=True, metavar="DEVICE", help="the serial line")
    parser.add_argument("--baud", type=int, default=115_200, metavar="RATE", help="of a UART (%(default)s)")
    parser.add_argument(
        "--run", type=Path, default=Path("/run/overt"), metavar="DIR", help="folder of the sockets (%(default)s)"
    )
    parser.add_argument(
        "--spool",
        type=Path,
        default=Path("/var/lib/overt-console"),
        metavar="DIR",
        help="folder of its own, for network settings and updates (%(default)s)",
    )
    parser.set_defaults(handler=_console)


def _console(arguments: argparse.Namespace) -> int:
    from overt.console import requests_known, service  # noqa: PLC0415 - for the daemon alone
    from overt.runtime.log import name_daemon  # noqa: PLC0415 - as above

    name_daemon("console")
    if not arguments.spool.is_dir():
        raise Failure(f"expected a folder of the console's own, found none at {arguments.spool}", UNAVAILABLE)
    settings = service.Settings(arguments.port, arguments.baud, arguments.run, arguments.spool)
    return service.run(settings, requests_known.registry())
