"""`clock sign`: a technician's word on the time, for a unit that nothing else tells it."""

import argparse
from pathlib import Path
from typing import Any

from overt.protocol import envelope
from overt.protocol.documents import SignedTime
from overt.protocol.reports import Challenge
from overt.protocol.vocabulary import Role
from overt.runtime.cli import OK, Failure
from overt.runtime.files import write_atomically
from overt_provisioning import force, keys
from overt_provisioning.common import add_home, group, now, passphrase, plainly, read_identity, say


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `clock`."""
    commands = group(subparsers, "clock", "the time, for a unit that neither a network nor satellites tell it")
    sign = commands.add_parser(
        "sign",
        help="sign the time of this machine, in answer to a unit's challenge (technician)",
        description=(
            "Says 'it is now …' to one unit, once. Be sure that this machine's own clock is right: the unit takes it\n"
            "for right within half the time from challenge to delivery, two minutes at most."
        ),
        epilog=(
            "example:\n  overt-provision clock sign --home office challenge.json --identity identity.json \\\n"
            "      --out time.json"
        ),
    )
    add_home(sign)
    sign.add_argument("challenge", type=Path, help="what 'overt-camera challenge' wrote")
    sign.add_argument("--identity", type=Path, required=True, metavar="F", help="the unit's identity.json")
    sign.add_argument("--out", type=Path, required=True, metavar="F", help="the signed time to write")
    sign.add_argument("--json", action="store_true", help="print JSON")
    sign.set_defaults(handler=plainly(_sign))


def _sign(arguments: argparse.Namespace) -> int:
    unit = read_identity(arguments.identity)
    challenge = envelope.verify(arguments.challenge.read_bytes(), Challenge, unit.key)
    charter = force.read_charter(arguments.home / "charter.json")
    if challenge.unit != unit.unit or challenge.force != charter.force:
        raise Failure(
            f"expected a challenge of {unit.unit} in the hands of {charter.force}, "
            f"found one of {challenge.unit} in the hands of {challenge.force}"
        )
    signer = keys.signer(arguments.home, Role.TECHNICIAN, passphrase(arguments))  # may ask: before the time is taken
    time = now()
    signed = SignedTime(force=charter.force, unit=unit.unit, challenge=challenge.number, time=time)
    write_atomically(arguments.out, envelope.sign(signed, [signer]), mode=0o644)
    text = f"signed {time.isoformat(timespec='seconds')} for {unit.unit}: deliver {arguments.out} to it at once"
    say(arguments, text, unit=unit.unit, time=time)
    return OK
