"""The commands that check and make a watchlist: a manifest and stills in, a report and an encrypted list out."""

import argparse
import json
import resource
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol import authority, envelope, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import ForceLimits, Order
from overt.protocol.envelope import verify
from overt.protocol.errors import NotAuthorised
from overt.protocol.reports import Receipt
from overt.protocol.vocabulary import Kind, Role
from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure
from overt.runtime.files import write_atomically
from overt_provisioning import assurance, criteria, force, form, keys, manifest, report
from overt_provisioning.common import add_home, group, now, passphrase, plainly, read_order, say
from overt_provisioning.criteria import Criteria
from overt_provisioning.drafting import Draft, Drafts, Line, compile_list
from overt_provisioning.manifest import ManifestProblem
from overt_provisioning.progress import shown

_ENDINGS = (*report.HTML_ENDINGS, ".json")
_COLUMNS = (
    f"Columns of the manifest: {', '.join(manifest.COLUMNS)}.\n"
    f"({', '.join(manifest.OPTIONAL)} may be missing when nobody is under 18.) One row for each image; rows with the\n"
    "same reference are one person."
)


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `watchlist`."""
    commands = group(subparsers, "watchlist", "the people looked for in one deployment")
    _add_check(commands)
    _add_build(commands)


def _add_check(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    check = commands.add_parser(
        "check",
        help="say of each row and image whether it could be listed, days before, without any key",
        description=(
            "Judges each row and image of a manifest as `build` does and reports, so that a list can be put in order\n"
            "before the day. It writes the report and nothing else. Reviews may be old: each list is reviewed again\n"
            "for its own deployment, and the report says where that is due. Exit 1: something was refused.\n" + _COLUMNS
        ),
        epilog=(
            "example:\n  overt-provision watchlist check --form order.toml --manifest manifest.csv --images stills \\\n"
            "      --models models --report report.html"
        ),
    )
    source = check.add_mutually_exclusive_group(required=True)
    source.add_argument("--form", type=Path, metavar="F", help="the order form, filled in")
    source.add_argument("--order", type=Path, metavar="F", help="the order, signed or not yet countersigned")
    check.add_argument("--charter", type=Path, metavar="F", help="the force's charter, for the force's own limits")
    _add_common(check)
    check.set_defaults(handler=plainly(_check))


def _add_build(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    build = commands.add_parser(
        "build",
        help="enrol stills and make the encrypted watchlist of a deployment",
        description=(
            "Enrols each image of the manifest, says what became of it, and writes the watchlist: templates only,\n"
            "signed by the watchlist officer, encrypted to the key that the unit made for this deployment. An image\n"
            "that cannot be used stops it, and nothing is written, unless --leave-out-refused is given.\n" + _COLUMNS
        ),
        epilog=(
            "example:\n  overt-provision watchlist build --home office --order order.json --receipt receipt.json \\\n"
            "      --manifest manifest.csv --images stills --models models --out watchlist.age --report report.html"
        ),
    )
    add_home(build)
    build.add_argument("--order", type=Path, required=True, metavar="F")
    build.add_argument(
        "--receipt", type=Path, required=True, action="append", metavar="F", help="the unit's receipt of the order"
    )
    build.add_argument("--out", type=Path, required=True, metavar="F", help="the watchlist to write")
    assurance.add_option(build)
    build.add_argument("--leave-out-refused", action="store_true", help="go on without images that cannot be used")
    _add_common(build)
    build.set_defaults(handler=plainly(_build))


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--manifest", type=Path, required=True, metavar="F", help="CSV, one row for each image")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="where the images are")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="built models with their catalogue")
    parser.add_argument(
        "--report",
        type=_report_path,
        action="append",
        default=[],
        metavar="F",
        help="write what became of each row: F.html with pictures, for the office alone, or F.json; may be given again",
    )
    parser.add_argument(
        "--workers", type=_workers, metavar="N", help="processes that enrol images (default: one for each processor)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _check(arguments: argparse.Namespace) -> int:
    limits = force.read_charter(arguments.charter).limits if arguments.charter else ForceLimits()
    if arguments.order:
        asked = criteria.of_order(read_order(arguments.order).document, limits, now(), reviewed_now=False)
    else:
        asked = _of_form(arguments.form, limits)
    _, lines, tally = _judge(arguments, asked)
    refused = tally.rows - tally.accepted
    text = f"{len(tally.people)} of {len(tally.asked)} people could be listed; {refused} of {tally.rows} rows refused"
    say(arguments, text, summary=tally.summary(), images=msgspec.to_builtins(lines))
    return NEGATIVE if refused else OK


def _of_form(path: Path, limits: ForceLimits) -> Criteria:
    """Return what an order form asks of its list; the rest of it may still be wanting."""
    filled = form.read(path)
    return Criteria(
        categories=tuple(filled.watchlist.categories),
        most_entries=filled.watchlist.maximum_entries,
        operation=filled.operation,
        model=form.find_model(filled.recognition.catalogue, filled.recognition.model, path.parent),
        moment=now(),
        start=form.find_start(filled.window),
        limits=limits,
        reviewed_now=False,
    )


def _build(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    evidence = assurance.given(arguments, charter, now())
    data = arguments.order.read_bytes()
    checked = authority.check_order(data, charter, now(), lambda order: assurance.named_by(order, evidence))
    recipients = [_recipient(path.read_bytes(), checked) for path in arguments.receipt]
    signer = keys.signer(arguments.home, Role.WATCHLIST_OFFICER, passphrase(arguments))
    drafts, lines, tally = _judge(arguments, criteria.of_order(checked.document, charter.limits, now()))
    refused = tally.rows - tally.accepted
    if refused and not arguments.leave_out_refused:
        say(arguments, f"{refused} of {len(lines)} images refused; nothing was written", **_facts(lines, tally, None))
        return NEGATIVE
    if not drafts:
        say(arguments, "no image could be used; nothing was written", **_facts(lines, tally, None))
        return NEGATIVE
    data = envelope.sign(compile_list(drafts, checked, now()), [signer])
    listed = authority.check_watchlist(data, charter, checked, now())
    write_atomically(arguments.out, sealing.seal(data, recipients), mode=0o600)
    text = f"listed {len(drafts)} people from {tally.accepted} images in {arguments.out}"
    say(arguments, text, **_facts(lines, tally, listed.digest))
    return OK


def _judge(arguments: argparse.Namespace, asked: Criteria) -> tuple[list[Draft], list[Line], report.Tally]:
    """Judge the manifest, tell what became of each row, and write the reports."""
    from overt_provisioning import enrolment  # noqa: PLC0415 - heavy, and help must be quick
    from overt_provisioning.stills import ModelProblem  # noqa: PLC0415 - the same

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # templates will be in this process's memory
    pages = [path for path in arguments.report if path.suffix.lower() in report.HTML_ENDINGS]
    workers = arguments.workers or enrolment.usable_workers()
    try:
        rows = manifest.read(arguments.manifest)
        drafts, lines, tally = Drafts(asked), [], report.Tally()

        def enrol_all(paths: Any) -> Any:  # noqa: ANN401 - see drafting.EnrolAll
            return enrolment.enrol_all(
                *(arguments.models, asked.model, paths), count=len(rows), workers=workers, pictures=bool(pages)
            )

        with ExitStack() as open_pages:
            written = [open_pages.enter_context(report.Page(path, asked)) for path in pages]
            for judged in shown(drafts.judge_all(rows, arguments.images, enrol_all), len(rows), "enrolling"):
                lines.append(judged.line)
                tally.count(judged.line)
                for page in written:
                    page.add(judged)
            for page in written:
                page.finish(tally, now())
    except ManifestProblem as error:
        raise Failure(str(error), BAD_INPUT) from error
    except (ModelProblem, enrolment.EnrolmentBroken) as error:
        raise Failure(str(error), UNAVAILABLE) from error
    for path in arguments.report:
        if path not in pages:
            report.write_json(path, lines)
    _tell(arguments, lines)
    return drafts.entries, lines, tally


def _tell(arguments: argparse.Namespace, lines: list[Line]) -> None:
    if arguments.json:
        return
    for line in lines:
        outcome = f"quality {line.quality:.2f}" if line.accepted else f"refused: {line.reason}"
        note = "".join(f" (note: {finding.detail})" for finding in line.notes)
        print(f"row {line.row}: {json.dumps(line.image)}: {outcome}{note}")  # noqa: T201 - a command talks


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


def _report_path(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _ENDINGS:
        raise argparse.ArgumentTypeError(f"expected a name that ends in {', '.join(_ENDINGS)}, found {text!r}")
    return path


def _workers(text: str) -> int:
    from overt_provisioning.enrolment import MOST_WORKERS  # noqa: PLC0415 - heavy, and help must be quick

    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"expected 1 to {MOST_WORKERS} processes, found {text!r}")
    return int(text)


def _facts(lines: list[Line], tally: report.Tally, digest: str | None) -> dict[str, Any]:
    return {
        "written": digest is not None,
        "watchlist": digest,
        "summary": tally.summary(),
        "images": msgspec.to_builtins(lines),
    }
