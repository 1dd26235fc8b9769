"""`overt-camera console`: the daemon at the technician's cable. `network apply`: what root does of it."""

import argparse
import sys
from pathlib import Path

from overt.runtime.cli import OK, UNAVAILABLE, Failure, Parser

_SPOOL = Path("/var/lib/overt-console")


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
        default=_SPOOL,
        metavar="DIR",
        help="folder of its own, for network settings and updates (%(default)s)",
    )
    parser.set_defaults(handler=_console)
    _add_network(subparsers)


def _add_network(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    about = "The network settings that came over the cable."
    group = subparsers.add_parser("network", help="the network settings that came over the cable", description=about)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    apply = commands.add_parser(
        "apply",
        help="write them for NetworkManager (root)",
        description="Writes one file for each way to the network, and removes those of earlier settings.",
        epilog="example:\n  overt-camera network apply && nmcli connection reload",
    )
    apply.add_argument("--spool", type=Path, default=_SPOOL, metavar="DIR", help="the console's folder (%(default)s)")
    apply.add_argument(
        "--folder",
        type=Path,
        default=Path("/etc/NetworkManager/system-connections"),
        metavar="DIR",
        help="NetworkManager's (%(default)s)",
    )
    apply.set_defaults(handler=_apply)


def _console(arguments: argparse.Namespace) -> int:
    from overt.console import requests_known, service  # noqa: PLC0415 - for the daemon alone
    from overt.runtime.log import name_daemon  # noqa: PLC0415 - as above

    name_daemon("console")
    if not arguments.spool.is_dir():
        raise Failure(f"expected a folder of the console's own, found none at {arguments.spool}", UNAVAILABLE)
    settings = service.Settings(arguments.port, arguments.baud, arguments.run, arguments.spool)
    return service.run(settings, requests_known.registry())


def _apply(arguments: argparse.Namespace) -> int:
    from overt.console import network  # noqa: PLC0415 - for this command alone

    try:
        names = network.apply(arguments.spool, arguments.folder)
    except network.SettingsProblem as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except OSError as error:
        raise Failure(f"cannot write into {arguments.folder}: {error.strerror or error}", UNAVAILABLE) from error
    sys.stdout.write("".join(f"wrote {name}\n" for name in names))
    return OK
