"""`clock sign`: a technician's word on the time, for a unit that nothing else tells it."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from securesystemslib.signer import Signer

from overt.protocol import envelope
from overt.protocol.documents import Charter, SignedTime, UnitRef
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
    charter = force.read_charter(arguments.home / "charter.json")
    challenge = checked(arguments.challenge.read_bytes(), unit, charter)
    signer = keys.signer(arguments.home, Role.TECHNICIAN, passphrase(arguments))  # may ask: before the time is taken
    time, signed = answer(challenge, signer)
    write_atomically(arguments.out, signed, mode=0o644)
    text = f"signed {time.isoformat(timespec='seconds')} for {unit.unit}: deliver {arguments.out} to it at once"
    say(arguments, text, unit=unit.unit, time=time)
    return OK


def checked(data: bytes, unit: UnitRef, charter: Charter) -> Challenge:
    """Return a unit's challenge.

    Raises:
        ProtocolError: The unit did not sign it.
        Failure: It is another unit's, or that of one in other hands.
    """
    challenge = envelope.verify(data, Challenge, unit.key)
    if challenge.unit != unit.unit or challenge.force != charter.force:
        raise Failure(
            f"expected a challenge of {unit.unit} in the hands of {charter.force}, "
            f"found one of {challenge.unit} in the hands of {challenge.force}"
        )
    return challenge


def answer(challenge: Challenge, signer: Signer) -> tuple[datetime, bytes]:
    """Return this machine's time, and that signed in answer to a challenge."""
    time = now()
    signed = SignedTime(force=challenge.force, unit=challenge.unit, challenge=challenge.number, time=time)
    return time, envelope.sign(signed, [signer])
