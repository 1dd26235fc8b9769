"""Makes a watchlist: manifest and stills in, a report of each image, and an encrypted list of templates out."""

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from overt.protocol import authority, envelope, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import Entry, Order, Watchlist
from overt.protocol.envelope import verify
from overt.protocol.errors import NotAuthorised
from overt.protocol.limits import WATCHLIST_MAX_AGE, WATCHLIST_MAX_TEMPLATES_PER_ENTRY
from overt.protocol.reports import Receipt
from overt.protocol.vocabulary import Kind, Role
from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure
from overt.runtime.files import write_atomically
from overt_provisioning import force, keys, manifest
from overt_provisioning.common import add_home, group, now, passphrase, plainly, say
from overt_provisioning.manifest import ManifestProblem, Row, RowProblem

if TYPE_CHECKING:
    from overt_provisioning.stills import Faces

SAME_PERSON = 0.6
"""Cosine from which two entries' templates are taken for the same person's: well above SFace's published 0.363."""


class Line(msgspec.Struct, frozen=True):
    """What became of one row of the manifest."""

    row: int
    reference: str
    image: str
    accepted: bool
    reason: str | None = None
    quality: float | None = None


class Draft(msgspec.Struct):
    """One entry in the making."""

    row: Row
    templates: list[bytes]
    quality: float


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `watchlist`."""
    commands = group(subparsers, "watchlist", "the people looked for in one deployment")
    build = commands.add_parser(
        "build",
        help="enrol stills and make the encrypted watchlist of a deployment",
        description=(
            "Enrols each image of the manifest, says what became of it, and writes the watchlist: templates only,\n"
            "signed by the watchlist officer, encrypted to the key that the unit made for this deployment. An image\n"
            "that cannot be used stops it, and nothing is written, unless --leave-out-refused is given.\n"
            f"Columns of the manifest: {', '.join(manifest.COLUMNS)}."
        ),
        epilog=(
            "example:\n  overt-provision watchlist build --home office --order order.json --receipt receipt.json \\\n"
            "      --manifest manifest.csv --images stills --models models --out watchlist.age"
        ),
    )
    add_home(build)
    build.add_argument("--order", type=Path, required=True, metavar="F")
    build.add_argument(
        "--receipt", type=Path, required=True, action="append", metavar="F", help="the unit's receipt of the order"
    )
    build.add_argument("--manifest", type=Path, required=True, metavar="F", help="CSV, one row for each image")
    build.add_argument("--images", type=Path, required=True, metavar="DIR", help="where the images are")
    build.add_argument("--models", type=Path, required=True, metavar="DIR", help="built models with their catalogue")
    build.add_argument("--out", type=Path, required=True, metavar="F", help="the watchlist to write")
    build.add_argument("--report", type=Path, metavar="F", help="write what became of each image here, as JSON")
    build.add_argument("--leave-out-refused", action="store_true", help="go on without images that cannot be used")
    build.add_argument("--json", action="store_true", help="print JSON")
    build.set_defaults(handler=plainly(_build))


def _build(arguments: argparse.Namespace) -> int:
    from overt_provisioning.stills import Enroller, ModelProblem  # noqa: PLC0415 - heavy, and help must be quick

    charter = force.read_charter(arguments.home / "charter.json")
    checked = authority.check_order(arguments.order.read_bytes(), charter, now())
    recipients = [_recipient(path.read_bytes(), checked) for path in arguments.receipt]
    signer = keys.signer(arguments.home, Role.WATCHLIST_OFFICER, passphrase(arguments))
    try:
        rows = manifest.read(arguments.manifest)
        enroller = Enroller(arguments.models, checked.document.model)
    except ManifestProblem as error:
        raise Failure(str(error), BAD_INPUT) from error
    except ModelProblem as error:
        raise Failure(str(error), UNAVAILABLE) from error
    drafts, lines = draft(_with_progress(rows), arguments.images, checked.document, enroller.enrol)
    _report(arguments, lines)
    refused = [line for line in lines if not line.accepted]
    if refused and not arguments.leave_out_refused:
        say(arguments, f"{len(refused)} of {len(lines)} images refused; nothing was written", **_facts(lines, None))
        return NEGATIVE
    if not drafts:
        say(arguments, "no image could be used; nothing was written", **_facts(lines, None))
        return NEGATIVE
    data = envelope.sign(compile_list(drafts, checked, now()), [signer])
    listed = authority.check_watchlist(data, charter, checked, now())
    write_atomically(arguments.out, sealing.seal(data, recipients), mode=0o600)
    text = f"listed {len(drafts)} people from {len(lines) - len(refused)} images in {arguments.out}"
    say(arguments, text, **_facts(lines, listed.digest))
    return OK


def draft(
    rows: Iterable[tuple[int, dict[str, str]]],
    images: Path,
    order: Order,
    enrol: Any,  # noqa: ANN401 - see Enroller.enrol
) -> tuple[list[Draft], list[Line]]:
    """Enrol every row that can be used, and say of each what became of it.

    Args:
        rows: Numbered rows of the manifest.
        images: The folder of the images.
        order: What the watchlist is for.
        enrol: Path -> (template, quality); raises StillProblem.

    Returns:
        Entries in the making, and a line for each row.
    """
    from overt_provisioning.images import StillProblem  # noqa: PLC0415 - heavy, and help must be quick
    from overt_provisioning.stills import Faces  # noqa: PLC0415 - the same

    faces = Faces()
    drafts: dict[str, Draft] = {}
    lines: list[Line] = []
    for number, plain in rows:
        shown = (number, str(plain.get("reference", ""))[:64], str(plain.get("image", ""))[:255])
        try:
            row = manifest.parse(plain)
            _check_row(row, order, drafts)
            template, quality = enrol(images / row.image)
            _check_person(row, template, faces)
        except (RowProblem, StillProblem) as error:
            lines.append(Line(*shown, accepted=False, reason=str(error)))
            continue
        entry = drafts.setdefault(row.reference, Draft(row, [], 0.0))
        entry.templates.append(template)
        faces.add(row.reference, template)
        entry.quality = max(entry.quality, quality)
        lines.append(Line(*shown, accepted=True, quality=round(quality, 3)))
    return list(drafts.values()), lines


def compile_list(drafts: list[Draft], order: Checked[Order], made: datetime) -> Watchlist:
    """Return the watchlist of these entries."""
    entries = tuple(
        Entry(
            reference=item.row.reference,
            category=item.row.category,
            legal_basis=item.row.legal_basis,
            image_source=item.row.image_source,
            image_date=item.row.image_date,
            reviewed_by=item.row.reviewed_by,
            reviewed=item.row.reviewed,
            under_18=item.row.under_18,
            under_18_rationale=item.row.under_18_rationale,
            expires=item.row.expires,
            quality=item.quality,
            templates=tuple(item.templates),
        )
        for item in drafts
    )
    return Watchlist(
        force=order.document.force, order=order.digest, made=made, model=order.document.model, entries=entries
    )


def _check_row(row: Row, order: Order, drafts: dict[str, Draft]) -> None:
    """Refuse what the unit would refuse, and say which obligation it breaks."""
    moment = now()
    known = drafts.get(row.reference)
    if row.category not in order.categories:
        raise RowProblem(f"category {row.category.value}: the order permits {', '.join(order.categories)} only (O2)")
    if row.under_18 and not row.under_18_rationale:
        raise RowProblem("under_18: expected a rationale (O9), found none")
    if row.expires <= moment:
        raise RowProblem("expires: expected a time to come, found one that is past")
    if row.reviewed > moment:
        raise RowProblem("reviewed: expected a time that is past (O5), found one to come")
    if moment - row.reviewed > WATCHLIST_MAX_AGE:
        raise RowProblem(
            "reviewed: expected a review for this deployment, of the last 24 hours (O5), found an older one"
        )
    if known is None and len(drafts) >= order.watchlist_max_entries:
        raise RowProblem(f"expected at most {order.watchlist_max_entries} people, the order's limit (O19)")
    if known is not None and len(known.templates) >= WATCHLIST_MAX_TEMPLATES_PER_ENTRY:
        raise RowProblem(f"expected at most {WATCHLIST_MAX_TEMPLATES_PER_ENTRY} images of one person")
    if known is not None and msgspec.structs.replace(known.row, image=row.image, image_date=row.image_date) != row:
        raise RowProblem("expected the same particulars in every row of one reference, found others")


def _check_person(row: Row, template: bytes, faces: "Faces") -> None:
    """Refuse an image that is nearer to another entry than two people are."""
    other, likeness = faces.nearest(template, but=row.reference)
    if other is not None and likeness >= SAME_PERSON:
        raise RowProblem(f"looks like the person of the entry {other}: one person, one entry")


def _recipient(data: bytes, order: Checked[Order]) -> str:
    """Return the key that a unit made for this deployment, if the receipt is one of the order's units' for it."""
    parsed = envelope.decode(envelope.parse(data, Kind.RECEIPT), Receipt)
    key = next((unit.key for unit in order.document.units if unit.unit == parsed.unit), None)
    if key is None:
        raise NotAuthorised(f"the receipt is of the unit {parsed.unit}, which the order does not name")
    receipt = verify(data, Receipt, key)
    if not receipt.accepted or receipt.order != order.digest or receipt.recipient is None:
        raise NotAuthorised("expected a receipt in which the unit accepts this very order, found another")
    return receipt.recipient


def _with_progress(rows: list[dict[str, str]]) -> Iterable[tuple[int, dict[str, str]]]:
    """Number the rows from 2, as a spreadsheet does, and show how far it is on long work."""
    for number, row in enumerate(rows, start=2):
        done = number - 2
        if done and done % 100 == 0:
            print(f"{done} of {len(rows)} images", file=sys.stderr, flush=True)  # noqa: T201 - progress
        yield number, row


def _report(arguments: argparse.Namespace, lines: list[Line]) -> None:
    if arguments.report:
        write_atomically(arguments.report, msgspec.json.format(msgspec.json.encode(lines), indent=1), mode=0o600)
    if not arguments.json:
        for line in lines:
            outcome = f"quality {line.quality:.2f}" if line.accepted else f"refused: {line.reason}"
            print(f"row {line.row}: {json.dumps(line.image)}: {outcome}")  # noqa: T201 - a command talks


def _facts(lines: list[Line], digest: str | None) -> dict[str, Any]:
    return {"written": digest is not None, "watchlist": digest, "images": msgspec.to_builtins(lines)}
