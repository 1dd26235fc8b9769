"""`overt-camera console`: the daemon at the technician's cable. `network apply`, `update …`: what root does of it."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Failure, Parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from overt.protocol.reports import Status

_SPOOL = Path("/var/lib/overt-console")
_KEPT = Path("/var/lib/overt-update")
_RUN = Path("/run/overt")


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
    parser.add_argument("--run", type=Path, default=_RUN, metavar="DIR", help="folder of the sockets (%(default)s)")
    parser.add_argument(
        "--spool",
        type=Path,
        default=_SPOOL,
        metavar="DIR",
        help="folder of its own, for network settings and updates (%(default)s)",
    )
    parser.set_defaults(handler=_console)
    _add_network(subparsers)
    _add_update(subparsers)


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


def _add_update(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    about = "The update that came over the cable. Systemd begins both commands; they need root."
    group = subparsers.add_parser("update", help="the update that came over the cable", description=about)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    install = commands.add_parser(
        "install",
        help="write it into the slot that does not run, and start with it (root)",
        description=(
            "Refuses what is not signed for this kind of unit, what is older than the release that runs, and any\n"
            "update during a deployment. Exit code 1 when it is refused; the console tells the technician why."
        ),
        epilog="example:\n  overt-camera update install",
    )
    confirm = commands.add_parser(
        "confirm",
        help="the health gate: judge the release that has started (root)",
        description=(
            "A release on trial that is not as well as the one before it within five minutes never starts again.\n"
            "Exit code 1 when it was given up."
        ),
        epilog="example:\n  overt-camera update confirm",
    )
    for command, handler in ((install, _install), (confirm, _confirm)):
        command.add_argument("--spool", type=Path, default=_SPOOL, metavar="DIR", help="the console's (%(default)s)")
        command.add_argument("--kept", type=Path, default=_KEPT, metavar="DIR", help="its own folder (%(default)s)")
        command.add_argument("--run", type=Path, default=_RUN, metavar="DIR", help="of the sockets (%(default)s)")
        command.set_defaults(handler=handler)


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


def _install(arguments: argparse.Namespace) -> int:
    from overt.console import installing, slots  # noqa: PLC0415 - for this command alone

    stage = _judged(lambda: installing.install(arguments.spool, arguments.kept, slots.Rauc(), _look(arguments.run)))
    return NEGATIVE if stage == "refused" else OK


def _confirm(arguments: argparse.Namespace) -> int:
    from overt.console import installing, slots  # noqa: PLC0415 - for this command alone

    stage = _judged(lambda: installing.confirm(arguments.spool, arguments.kept, slots.Rauc(), _look(arguments.run)))
    return NEGATIVE if stage == "rolled_back" else OK


def _judged(work: "Callable[[], str]") -> str:
    from overt.console.slots import SlotsProblem  # noqa: PLC0415 - for these commands alone
    from overt.runtime.log import name_daemon  # noqa: PLC0415 - as above

    name_daemon("update")
    try:
        stage = work()
    except SlotsProblem as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except OSError as error:
        raise Failure(f"cannot keep what becomes of the update: {error}", UNAVAILABLE) from error
    sys.stdout.write(f"{stage}\n")
    return stage


def _look(run: Path) -> "Callable[[], Status | None]":
    from overt.runtime import control  # noqa: PLC0415 - for these commands alone

    def look() -> "Status | None":
        try:
            return control.ask_status(run)[0]
        except control.NoAnswer:
            return None

    return look
