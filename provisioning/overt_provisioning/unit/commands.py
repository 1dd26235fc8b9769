"""`overt-provision unit …`: at a unit, over its cable."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from overt.protocol.topics import Down
from overt.runtime.cli import Failure, Parser
from overt.runtime.files import write_atomically
from overt_provisioning.common import Handler, plainly, say
from overt_provisioning.unit.visiting import add_cable


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `unit`."""
    about = "at a unit, over its cable (technician)"
    parser = subparsers.add_parser(
        "unit",
        help=about,
        description="At a unit, over its cable (technician). At a terminal, without a command: asks.",
    )
    parser.set_defaults(handler=_chosen_by(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    _add_enrol(commands)
    _add_network(commands)
    _add_watching(commands)
    _add_checking(commands)
    _add_deliver(commands)
    _add_time_and_log(commands)
    _add_update(commands)
    _add_decommission(commands)


def _chosen_by(parser: Parser) -> Handler:
    """Return a handler that asks what is to be done, and does it."""

    def handler(_: argparse.Namespace) -> int:
        from overt_provisioning.unit import asking, menu  # noqa: PLC0415 - for whoever is at a terminal

        chosen = parser.parse_args(menu.choose(asking.Person()))
        return int(chosen.handler(chosen))

    return handler


def _add(commands: Any, name: str, text: str, about: str, example: str, does: str) -> Any:  # noqa: ANN401 - argparse
    parser = commands.add_parser(
        name, help=text, description=about, epilog=f"example:\n  overt-provision unit {example}"
    )
    add_cable(parser)
    parser.set_defaults(handler=plainly(_later(does)))
    return parser


def _later(does: str) -> Handler:
    """Return a handler whose module is loaded when it is called: help must be quick."""
    module, _, function = does.partition(".")

    def handler(arguments: argparse.Namespace) -> int:
        found = importlib.import_module(f"overt_provisioning.unit.{module}")
        return int(getattr(found, function)(arguments))

    return handler


def _add_enrol(commands: Any) -> None:  # noqa: ANN401 - as above
    parser = _add(
        commands,
        "enrol",
        "take a unit into the force, at a site",
        "The unit makes its keys, which never leave it; its certificate is made here, or its request is carried to\n"
        "the office. Then it gets charter, network, broker, site and, if nothing tells it, the time. At a terminal\n"
        "what is missing is asked for. Torn half-way: give the same command again.",
        "enrol --home office --unit unit-1 --broker broker.force.example:8883 \\\n"
        "      --site-name 'Market square' --latitude 52.1356 --longitude=-0.4669 --indicator pinctrl-bcm2711:17:27",
        "enrolling.enrol",
    )
    parser.add_argument("--unit", metavar="NAME", help="a blank unit's name: a-z, 0-9 and hyphens")
    parser.add_argument("--broker", metavar="HOST:PORT", help="the MQTT broker")
    parser.add_argument("--site-name", metavar="NAME", help="what the site is called; none for a unit that moves")
    parser.add_argument("--latitude", type=float, metavar="DEGREES", help="WGS 84, north positive")
    parser.add_argument("--longitude", type=float, metavar="DEGREES", help="WGS 84, east positive")
    parser.add_argument("--gps", metavar="DEVICE[:BAUD]", help="satellite receiver on a serial line of the unit")
    parser.add_argument(
        "--indicator", metavar="CHIP:LAMP:READBACK", help="GPIO chip by its label, the lamp's two lines"
    )
    parser.add_argument("--tamper", metavar="CHIP:LINE", help="the switch that tells an open enclosure")
    parser.add_argument("--network", type=Path, metavar="F", help="network settings (see 'unit network --blank')")
    parser.add_argument("--certificate", type=Path, metavar="F", help="the unit's, when the office has made it")
    parser.add_argument("--authority", type=Path, metavar="F", help="the authority's (default: pki/ca.pem of --home)")


def _add_network(commands: Any) -> None:  # noqa: ANN401 - as above
    parser = _add(
        commands,
        "network",
        "give a unit its network settings",
        "Sends the ways to the network: Ethernet, Wi-Fi, mobile, with 802.1X or without. They take the place of those\n"
        "before. --blank writes a form to fill in; it is deleted by whoever has filled it in.",
        "network --blank network.toml\n  overt-provision unit network --home office network.toml",
        "enrolling.send_network",
    )
    parser.add_argument("form", type=Path, metavar="FORM", help="the settings, TOML")
    parser.add_argument("--blank", action="store_true", help="write a blank form there, and talk to no unit")
    send = parser.get_default("handler")

    def handler(arguments: argparse.Namespace) -> int:
        return int(plainly(_write_blank)(arguments) if arguments.blank else send(arguments))

    parser.set_defaults(handler=handler)


def _write_blank(arguments: argparse.Namespace) -> int:
    from overt_provisioning.unit.network_form import BLANK  # noqa: PLC0415 - for this command alone

    if arguments.form.exists():
        raise Failure(f"{arguments.form} is there already; it is never overwritten")
    write_atomically(arguments.form, BLANK.encode(), 0o600)
    say(
        arguments,
        f"wrote {arguments.form}: fill it in, then give the command without --blank",
        form=str(arguments.form),
    )
    return 0


def _add_watching(commands: Any) -> None:  # noqa: ANN401 - as above
    _add(
        commands,
        "status",
        "say what a unit is doing, and why not",
        "Asks the unit; what it says is signed by it.",
        "status --home office",
        "watching.status",
    )
    _add(
        commands,
        "diagnose",
        "say what is well with a unit, and what to look at",
        "State, doubts, time, temperature, memory, disk, network. Exit code 1 when something is to be looked at.",
        "diagnose --home office --json",
        "watching.diagnose",
    )


def _add_checking(commands: Any) -> None:  # noqa: ANN401 - as above
    aim = _add(
        commands,
        "aim",
        "see what the lens sees, with meters for focus and light",
        "Shows a coarse picture, outlines faces with the pixels between their eyes, and says what to do. Nothing is\n"
        "recognised meanwhile, nothing is kept, and the unit's lamp is lit. It ends by itself after 15 minutes.\n"
        "With --json: one object for each view, without a picture.",
        "aim --home office\n  overt-provision unit aim --home office --terminal",
        "aiming.aim",
    )
    aim.add_argument("--terminal", action="store_true", help="meters in the terminal, without a picture")
    aim.add_argument("--page-port", type=int, default=0, metavar="PORT", help="of the page (default: any)")
    aim.add_argument("--views", type=int, metavar="N", help="end after so many views")
    test = _add(
        commands,
        "test",
        "have a unit test itself, and write the acceptance report",
        "Puts camera and board to work for a while, then has the unit measure camera, light, indicator, place, clock,\n"
        "storage, lid, network, broker, temperature and supply, and sign that; the technician's key countersigns.\n"
        "Writes report.html, report.pdf, acceptance.json and label.pdf. Exit code 1 when something is to be done.",
        "test --home office --out acceptance",
        "testing.test",
    )
    test.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    test.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="at work for so long; 600 for the heat (%(default)g)"
    )


def _add_deliver(commands: Any) -> None:  # noqa: ANN401 - as above
    parser = _add(
        commands,
        "deliver",
        "hand a unit a document, without any network",
        "Hands over a document and brings back the unit's signed receipt. What is torn goes on where it was. Exit\n"
        "code 1 when the unit refuses it.",
        "deliver order order.json --home office --receipt receipt.json",
        "handing.deliver",
    )
    parser.add_argument("kind", choices=[leaf.value for leaf in Down if leaf is not Down.TIME], help="what it is")
    parser.add_argument("file", type=Path, metavar="FILE", help="the signed (a watchlist: encrypted) document")
    parser.add_argument("--receipt", type=Path, metavar="F", help="write the signed receipt here")


def _add_time_and_log(commands: Any) -> None:  # noqa: ANN401 - as above
    receipts = _add(
        commands,
        "receipts",
        "take receipts and certificates off a unit that has no network",
        "Writes what the unit has signed and no broker has taken: receipts, erasure certificates.",
        "receipts --home office --out receipts",
        "fetching.take_receipts",
    )
    receipts.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write into")
    _add(
        commands,
        "time",
        "tell a unit the time of this machine, signed",
        "For a unit that neither a network nor satellites tell the time. Be sure that this machine's clock is right.",
        "time --home office",
        "handing.set_time",
    )
    log = _add(
        commands,
        "log",
        "take a unit's log off it, and check it",
        "Every record and every signed checkpoint. Exit code 1 when it is not whole.",
        "log --home office --out unit-1.log.jsonl",
        "fetching.take_log",
    )
    log.add_argument("--out", type=Path, required=True, metavar="F", help="the file to write")
    log.add_argument("--replace", action="store_true", help="overwrite an earlier one")


def _add_update(commands: Any) -> None:  # noqa: ANN401 - as above
    parser = _add(
        commands,
        "update",
        "bring a unit another release, without any network",
        "Brings a signed bundle, has the unit install it, and waits until it has started with it and found itself\n"
        "well, or has gone back. Torn half-way: give the same command again. Without a bundle: how the last one went.",
        "update overt-0.2.0.raucb --home office",
        "updating.update",
    )
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="the signed RAUC bundle")
    parser.add_argument(
        "--wait", type=float, default=900.0, metavar="S", help="wait so long for its end; 0: do not wait (%(default)g)"
    )


def _add_decommission(commands: Any) -> None:  # noqa: ANN401 - as above
    parser = _add(
        commands,
        "decommission",
        "erase a unit for good, and keep its certificate of that",
        "Takes the log off, then has the unit erase its keys, papers, log and network settings. It signs for that\n"
        "with its last breath and is blank again, with a new code. No deployment and no loan may be in hand.\n"
        "Torn half-way: give the same command again.",
        "decommission --home office",
        "ending.decommission",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--out", type=Path, metavar="F", help="the certificate to write (default: beside the identity)")
