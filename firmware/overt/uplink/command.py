"""`overt-camera uplink`."""

import argparse
from pathlib import Path

from overt.runtime.cli import BAD_INPUT, Failure, Parser


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `uplink`."""
    parser = subparsers.add_parser(
        "uplink",
        help="the daemon that carries messages between the warden and the broker",
        description=(
            "Carries messages between the warden and the MQTT broker, over TLS with the unit's certificate, at least\n"
            "once. It keeps nothing on disk and cannot open what it carries. It waits for the warden and for the\n"
            "broker, whichever is away. A broker without TLS is spoken to on this machine alone, and only when the\n"
            "state folder holds no certificates at all."
        ),
        epilog="example:\n  overt-camera uplink --state /var/lib/overt/uplink --run /run/overt",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("/var/lib/overt/uplink"),
        help="folder of uplink.json, ca.pem, unit.crt and unit.key (default: %(default)s)",
    )
    parser.add_argument(
        "--run", type=Path, default=Path("/run/overt"), help="folder of the warden's uplink.sock (default: %(default)s)"
    )
    parser.set_defaults(handler=_uplink)


def _uplink(arguments: argparse.Namespace) -> int:
    # Imported here: the other daemons share this command line and never load an MQTT library.
    from overt.runtime.ending import Ending  # noqa: PLC0415 - as above
    from overt.runtime.log import event, name_daemon  # noqa: PLC0415 - as above
    from overt.runtime.memory import harden_process  # noqa: PLC0415 - as above
    from overt.uplink import settings  # noqa: PLC0415 - as above
    from overt.uplink.core import Own  # noqa: PLC0415 - as above
    from overt.uplink.service import Uplink  # noqa: PLC0415 - as above

    name_daemon("uplink")
    try:
        chosen, broker = settings.read(arguments.state)
    except settings.BadSettings as error:
        raise Failure(str(error), BAD_INPUT) from error
    harden_process()
    event("uplink.started", broker=str(broker), tls=broker.tls is not None)
    with Ending() as ending:
        Uplink(Own(chosen.force, chosen.unit), broker, arguments.run, ending).run()
    event("uplink.ended")
    return ending.exit_code
