"""`unit test`: the camera on for a while, then what the unit finds of itself, countersigned and written down."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from overt.protocol import envelope
from overt.protocol.cable.aim import View
from overt.protocol.reports import Inspection
from overt.protocol.vocabulary import Act, Kind
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt.runtime.files import write_atomically
from overt_provisioning.unit import acceptance
from overt_provisioning.unit.acceptance import Acceptance
from overt_provisioning.unit.handing import Shown
from overt_provisioning.unit.meters import meters
from overt_provisioning.unit.preview import Connection, Preview
from overt_provisioning.unit.session import UnitSaysNo
from overt_provisioning.unit.visiting import Visiting
from overt_provisioning.unit.watching import Row, show

_LEAST_VIEWS = 3
_MOST_S: Final = 840
"""A preview ends by itself after a minute more."""


def test(arguments: argparse.Namespace) -> int:
    """Have the unit test itself, and write the report."""
    folder: Path = arguments.out
    if not 1 <= arguments.seconds <= _MOST_S:
        raise Failure(f"expected 1 to {_MOST_S} seconds with the camera on, found {arguments.seconds:g}")
    if folder.exists():
        raise Failure(f"{folder} is there already; give the name of a folder to make")
    visiting = Visiting(arguments)
    with visiting.session() as session:
        key = session.greeting.key
        visiting.say(f"the camera is on and the board at work for {arguments.seconds:g} s")
        with Shown(visiting, round(arguments.seconds), "at work", least=0) as shown:
            signed, view = run(session, arguments.seconds, shown.advance)
    found = envelope.verify(signed, Inspection, key)
    countersigned = envelope.countersign(signed, Kind.INSPECTION, visiting.technician.signer)
    report = Acceptance(
        found=found,
        key=key,
        technician=envelope.key_id(visiting.technician.signer.public_key.keyval["public"]),
        digest=envelope.digest_of(envelope.parse(signed, Kind.INSPECTION).payload),
        seen=_seen(view),
    )
    _write(folder, report, countersigned)
    _say(arguments, report)
    return OK if report.well else NEGATIVE


def run(
    connection: Connection, seconds: float, advance: Callable[[int], None] = lambda _: None
) -> tuple[bytes, View | None]:
    """Switch the camera on, and have the unit test itself while it is. A camera that is lost is a finding.

    Args:
        connection: The way to the unit.
        seconds: How long the camera is on first.
        advance: Told how many seconds have passed.

    Returns:
        What the unit signed, and the last view.

    Raises:
        Failure: The unit cannot be asked, or refuses.
    """
    view: View | None = None
    try:
        with Preview(connection) as preview:
            since_s, count = time.monotonic(), 0
            while count < _LEAST_VIEWS or time.monotonic() - since_s < seconds:
                view, count = preview.view(), count + 1
                advance(round(time.monotonic() - since_s))
            return connection.ask("test", act=Act.TEST), view
    except UnitSaysNo as error:
        if "preview" not in str(error) and "camera" not in str(error):
            raise
    return connection.ask("test", act=Act.TEST), None


def _seen(view: View | None) -> tuple[str, ...]:
    if view is None:
        return ("No picture came.",)
    return tuple(f"{meter.name}: {meter.figure}: {meter.advice}" for meter in meters(view))


def _write(folder: Path, report: Acceptance, countersigned: bytes) -> None:
    found = report.found
    files = {
        "acceptance.json": countersigned,
        "report.html": acceptance.page(report).encode(),
        "report.pdf": acceptance.paper(report),
        "label.pdf": acceptance.label(found.unit, found.force, report.key, found.sent),
    }
    folder.mkdir(parents=True)
    for name, data in files.items():
        write_atomically(folder / name, data, mode=0o644)


def _say(arguments: argparse.Namespace, report: Acceptance) -> None:
    rows: list[Row] = [(check.part.value, acceptance.in_words(check), check.well) for check in report.found.checks]
    facts = {"well": report.well, "digest": report.digest, "seen": report.seen, "folder": str(arguments.out)}
    show(arguments, rows, {**facts, "checks": msgspec.to_builtins(report.found.checks)})
    if not arguments.json:
        said = "accepted" if report.well else "not accepted yet"
        print(f"{said}: {arguments.out / 'report.pdf'}, and the label in label.pdf")  # noqa: T201 - a command talks
