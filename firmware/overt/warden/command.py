"""`overt-camera warden`, `identity`, `enrol`, `status`, `deliver`, `challenge`, `seal`, `log`."""

import argparse
import os
import pwd
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from overt.protocol.code import unit_code
from overt.protocol.documents import FixedSite
from overt.protocol.reports import Receipt, Status
from overt.protocol.sentences import SENTENCES
from overt.protocol.topics import Down
from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure, Parser
from overt.warden import log_command

_STATE, _RUN = Path("/var/lib/overt"), Path("/run/overt")
_COOLING = ("full effort", "looks for faces less often", "looks for faces half as often", "too hot to recognise")
_USERS = {"vision": "overt-vision", "uplink": "overt-uplink", "console": "overt-console"}


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register the commands of the warden and of the technician at the unit."""
    _add_warden(subparsers)
    _add_identity(subparsers)
    _add_enrol(subparsers)
    _add_status(subparsers)
    _add_deliver(subparsers)
    _add_challenge(subparsers)
    _add_seal(subparsers)
    log_command.add_parser(subparsers, _STATE, _RUN)


def _add_warden(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "warden",
        help="the daemon that holds authority, keys and the log",
        description=(
            "Decides whether anything is recognised at all: it checks charter, order and watchlist, hands the\n"
            "watchlist to vision while every condition holds, numbers and signs alerts, logs, and erases at the end.\n"
            "It has no network and no camera."
        ),
        epilog="example:\n  overt-camera warden --state /var/lib/overt --run /run/overt",
    )
    _state(parser)
    _run(parser)
    for daemon, user in _USERS.items():
        parser.add_argument(
            f"--{daemon}-user", metavar="USER", default=None, help=f"who may connect as {daemon} ({user}, if it exists)"
        )
    parser.set_defaults(handler=_warden)


def _add_identity(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "identity",
        help="make this unit's keys (once)",
        description=(
            "Makes the unit's signing key, storage key and TLS key, and writes identity.json (its name and public\n"
            "key, for the force's orders) and uplink/unit.csr (for the force to sign). An identity is never replaced."
        ),
        epilog="example:\n  overt-camera identity --state /var/lib/overt --unit unit-1",
    )
    _state(parser)
    parser.add_argument("--unit", required=True, help="the unit's name: a-z, 0-9 and hyphens")
    parser.set_defaults(handler=_identity)


def _add_enrol(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "enrol",
        help="take this unit into a force, at a site",
        description=(
            "Checks the force's charter and the unit's certificate, and installs them with the site that the unit is\n"
            "put up at, or its satellite receiver, or both, which then have to agree. Without --indicator the unit\n"
            "has no lamp, and never recognises."
        ),
        epilog=(
            "example:\n  overt-camera enrol --charter charter.json --site-name 'Market square' --latitude 52.1356 \\\n"
            "      --longitude=-0.4669 --authority ca.pem --certificate unit.crt --broker broker.example.org:8883 \\\n"
            "      --indicator pinctrl-bcm2711:17:27"
        ),
    )
    _state(parser)
    for name, what in (
        ("charter", "the force's charter"),
        ("authority", "certificate of the authority, PEM"),
        ("certificate", "the unit's certificate, PEM"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=what)
    parser.add_argument("--site-name", metavar="NAME", help="what the site is called; none for a unit that moves")
    parser.add_argument("--latitude", type=float, metavar="DEGREES", help="WGS 84, north positive")
    parser.add_argument("--longitude", type=float, metavar="DEGREES", help="WGS 84, east positive")
    parser.add_argument(
        "--gps", metavar="DEVICE[:BAUD]", help="satellite receiver on a serial line, NMEA 0183 (default rate: 9600)"
    )
    parser.add_argument("--broker", required=True, metavar="HOST:PORT", help="the MQTT broker")
    parser.add_argument(
        "--indicator", metavar="CHIP:LAMP:READBACK", help="GPIO chip by its label, and the lamp's two lines on it"
    )
    parser.add_argument(
        "--tamper",
        metavar="CHIP:LINE",
        help="switch that the closed lid presses, on a GPIO line: opened, it ends a deployment",
    )
    parser.set_defaults(handler=_enrol)


def _add_status(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "status",
        help="say what this unit is doing, and why not",
        description="Asks the running warden. Exit code 3 when there is none.",
        epilog="example:\n  overt-camera status --json",
    )
    _run(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object, as published")
    parser.set_defaults(handler=_status)


def _add_deliver(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "deliver",
        help="hand this unit a document by cable, without any network",
        description="Hands a document to the running warden and prints its receipt. Exit code 1 when it is refused.",
        epilog="example:\n  overt-camera deliver order order.json --receipt receipt.json",
    )
    parser.add_argument("kind", choices=[leaf.value for leaf in Down], help="what the document is")
    parser.add_argument("file", type=Path, metavar="FILE", help="the signed (a watchlist: encrypted) document")
    _run(parser)
    parser.add_argument("--receipt", type=Path, metavar="FILE", help="write the signed receipt here too")
    parser.add_argument("--json", action="store_true", help="print the receipt as one JSON object")
    parser.set_defaults(handler=_deliver)


def _add_challenge(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "challenge",
        help="ask this unit for a challenge, to sign the time with",
        description=(
            "For a unit that neither a network nor satellites tell the time. A technician signs the challenge\n"
            "('overt-provision clock sign'); the answer is delivered as a 'time' within two minutes, and is good once."
        ),
        epilog=(
            "example:\n  overt-camera challenge --out challenge.json\n"
            "  (the technician: overt-provision clock sign challenge.json --identity identity.json --out time.json)\n"
            "  overt-camera deliver time time.json"
        ),
    )
    _run(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the challenge to write")
    parser.set_defaults(handler=_challenge)


def _add_seal(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    parser = subparsers.add_parser(
        "seal",
        help="have this machine's TPM keep the storage key (root)",
        description=(
            "Makes the storage key, or takes the one that lies in the state folder, and keeps it so that this\n"
            "machine's TPM alone opens it. Systemd begins it before each start of the warden where there is a TPM."
        ),
        epilog="example:\n  overt-camera seal",
    )
    _state(parser)
    parser.add_argument("--tpm", default="auto", metavar="DEVICE", help="as 'systemd-creds --tpm2-device' takes it")
    parser.set_defaults(handler=_seal)


def _state(parser: Parser) -> None:
    parser.add_argument("--state", type=Path, default=_STATE, metavar="DIR", help="state folder (%(default)s)")


def _run(parser: Parser) -> None:
    parser.add_argument("--run", type=Path, default=_RUN, metavar="DIR", help="folder of the sockets (%(default)s)")


def _warden(arguments: argparse.Namespace) -> int:
    from overt.runtime.log import name_daemon  # noqa: PLC0415 - daemons' parts are loaded by the daemon alone
    from overt.warden import service  # noqa: PLC0415 - as above
    from overt.warden.fitting import fitted  # noqa: PLC0415 - as above

    name_daemon("warden")
    settings = service.Settings(
        state=arguments.state,
        run=arguments.run,
        vision_uids=_uids("vision", arguments.vision_user),
        uplink_uids=_uids("uplink", arguments.uplink_user),
        console_uids=_uids("console", arguments.console_user),
    )
    return service.run(settings, fitted)


def _seal(arguments: argparse.Namespace) -> int:
    from overt.runtime.log import name_daemon  # noqa: PLC0415 - for this command alone
    from overt.warden import seal  # noqa: PLC0415 - as above

    name_daemon("seal")
    try:
        done = seal.ensure(arguments.state, seal.SystemdCreds(arguments.tpm))
    except seal.SealProblem as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except OSError as error:
        raise Failure(f"cannot seal in {arguments.state}: {error.strerror or error}", UNAVAILABLE) from error
    _say(done.value)
    return OK


def _uids(daemon: str, user: str | None) -> frozenset[int]:
    """Return who may connect as a daemon: root, the warden's own user, and the daemon's."""
    try:
        named = {pwd.getpwnam(user or _USERS[daemon]).pw_uid}
    except KeyError:
        if user is not None:
            raise Failure(f"expected a user of this machine for --{daemon}-user, found {user!r}", BAD_INPUT) from None
        named = set()
    return frozenset({0, os.geteuid()} | named)


def _identity(arguments: argparse.Namespace) -> int:
    from overt.warden import enrolment  # noqa: PLC0415 - certificates are for this command alone

    try:
        identity = enrolment.make_identity(arguments.state, arguments.unit)
    except enrolment.EnrolmentError as error:
        raise Failure(str(error), BAD_INPUT) from error
    _say(f"unit {identity.unit}, key {identity.key}")
    _say(f"code, for its label: {unit_code(identity.key)}")
    _say(f"for the force: {arguments.state / 'identity.json'} and {arguments.state / 'uplink' / 'unit.csr'}")
    return OK


def _enrol(arguments: argparse.Namespace) -> int:
    from overt.warden import enrolment  # noqa: PLC0415 - certificates are for this command alone

    try:
        papers = enrolment.Papers(
            charter=enrolment.read_paper(arguments.charter),
            authority=enrolment.read_paper(arguments.authority),
            certificate=enrolment.read_paper(arguments.certificate),
        )
        broker = enrolment.parse_broker(arguments.broker)
        lamp = enrolment.parse_lamp(arguments.indicator) if arguments.indicator else None
        gps = enrolment.parse_gps(arguments.gps) if arguments.gps else None
        tamper = enrolment.parse_switch(arguments.tamper) if arguments.tamper else None
        fitted = enrolment.Fitted(site=_site(arguments), gps=gps, lamp=lamp, tamper=tamper)
        charter = enrolment.enrol(arguments.state, papers, fitted, broker, datetime.now(UTC))
    except enrolment.EnrolmentError as error:
        raise Failure(str(error), BAD_INPUT) from error
    where = arguments.site_name or f"wherever {arguments.gps} measures"
    _say(f"enrolled with {charter.force} ({charter.title}) at {where}")
    if lamp is None:
        _say("without an indicator: this unit will not recognise anyone until it is enrolled again with one")
    return OK


def _site(arguments: argparse.Namespace) -> FixedSite | None:
    given = [value is not None for value in (arguments.site_name, arguments.latitude, arguments.longitude)]
    if not any(given) and arguments.gps:
        return None
    if not all(given):
        raise Failure("expected --site-name, --latitude and --longitude, or --gps, or all of them", BAD_INPUT)
    site = {"type": "fixed_site", "name": arguments.site_name}
    place = {"latitude": arguments.latitude, "longitude": arguments.longitude}
    try:
        return msgspec.convert({**site, **place}, FixedSite)
    except msgspec.ValidationError as error:
        raise Failure(f"the site is not one: {error}", BAD_INPUT) from error


def _status(arguments: argparse.Namespace) -> int:
    from overt.runtime import control  # noqa: PLC0415 - for this command alone

    try:
        status, _ = control.ask_status(arguments.run)
    except control.NoAnswer as error:
        raise Failure(str(error), UNAVAILABLE) from error
    if arguments.json:
        _say(msgspec.json.encode(status).decode())
    else:
        for line in status_lines(status):
            _say(line)
    return OK


def status_lines(status: Status) -> list[str]:
    """Return a status as lines for a person."""
    lines = [
        f"unit        {status.unit} of {status.force}, overt {status.version}",
        f"state       {status.state.value} since {status.since.isoformat(timespec='seconds')}",
        f"indicator   {'lit' if status.indicator_lit else 'dark'}",
        f"clock       {status.clock.value}, {status.sent.isoformat(timespec='seconds')}",
    ]
    if status.temperature_c is not None:
        lines.append(f"temperature {status.temperature_c:.0f} °C, {_COOLING[status.cooling_step]}")
    if status.doubts:
        lines.append(f"doubts      {', '.join(doubt.value for doubt in status.doubts)}")
    lines += [f"{'' if number else 'see to':12}{SENTENCES[cause]}" for number, cause in enumerate(status.causes)]
    if status.lender and status.loan_end:
        lines.append(f"on loan     from {status.lender} until {status.loan_end.isoformat(timespec='seconds')}")
    if status.order:
        lines.append(f"order       {status.order}")
        lines.append(f"alerts      {status.last_sequence}")
        lines.append(f"notice      {status.notice}")
    if status.ending:
        lines.append(f"last ended  {status.ending.value}")
    return lines


def _deliver(arguments: argparse.Namespace) -> int:
    from overt.runtime import control  # noqa: PLC0415 - for this command alone

    try:
        data = control.read_document(arguments.file)
    except OSError as error:
        raise Failure(f"cannot read {arguments.file}: {error.strerror or error}", BAD_INPUT) from error
    try:
        receipt, signed = control.deliver(arguments.run, Down(arguments.kind), data)
    except control.NoAnswer as error:
        raise Failure(str(error), UNAVAILABLE) from error
    if arguments.receipt:
        _write(arguments.receipt, signed)
    _say(msgspec.json.encode(receipt).decode() if arguments.json else _receipt_line(receipt))
    return OK if receipt.accepted else NEGATIVE


def _challenge(arguments: argparse.Namespace) -> int:
    from overt.runtime import control  # noqa: PLC0415 - for this command alone

    try:
        challenge, signed = control.ask_time(arguments.run)
    except control.NoAnswer as error:
        raise Failure(str(error), UNAVAILABLE) from error
    _write(arguments.out, signed)
    _say(f"challenge {challenge.number[:12]}… in {arguments.out}: have the time signed within two minutes")
    return OK


def _write(path: Path, data: bytes) -> None:
    from overt.runtime.files import write_atomically  # noqa: PLC0415 - for the technician's commands alone

    try:
        write_atomically(path, data, 0o644)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror or error}", UNAVAILABLE) from error


def _receipt_line(receipt: Receipt) -> str:
    if receipt.accepted:
        reader = f"; its watchlist goes to {receipt.recipient}" if receipt.recipient else ""
        return f"accepted {receipt.document.value} {receipt.digest}{reader}"
    code = receipt.refusal.value if receipt.refusal else "refused"
    return f"refused {receipt.document.value} {receipt.digest}: {code}: {receipt.detail}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
