"""`log verify` and `log show`: a unit's exported log, checked and told, without any unit or network."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from overt.protocol import logfile
from overt.protocol.errors import ProtocolError
from overt.protocol.logfile import Finding, Witness
from overt.runtime.cli import NEGATIVE, OK, Failure
from overt_provisioning import story
from overt_provisioning.common import group, plainly, read_identity, say

_WITNESS_MAX_BYTES = 64 * 1024


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `log`."""
    commands = group(subparsers, "log", "a unit's audit log, as 'overt-camera log export' wrote it")
    verify = commands.add_parser(
        "verify",
        help="check that a log is whole and the unit's own. Exit 1: it is not",
        description=(
            "Checks every record against the chain, every checkpoint against the unit's key, and the log against what\n"
            "others have kept of it: checkpoints, receipts, certificates. Names the first bad record."
        ),
        epilog=(
            "example:\n  overt-provision log verify unit-1.log.jsonl --identity identity.json \\\n"
            "      --kept receipt.json --kept erasure.json"
        ),
    )
    _common(verify)
    verify.set_defaults(handler=plainly(_verify))
    show = commands.add_parser(
        "show",
        help="tell in plain words what a log says. Exit 1: it is not whole",
        description="Checks a log, then tells it in plain words: what was ordered, what the unit did, how it ended.",
        epilog=(
            "examples:\n  overt-provision log show unit-1.log.jsonl --identity identity.json\n"
            "  overt-provision log show unit-1.log.jsonl --identity identity.json --order 3f0a8c"
        ),
    )
    _common(show)
    show.add_argument("--order", metavar="DIGEST", help="this deployment alone; the digest's beginning will do")
    show.set_defaults(handler=plainly(_show))


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("log", type=Path, help="the exported log")
    parser.add_argument("--identity", type=Path, required=True, metavar="F", help="the unit's identity.json")
    parser.add_argument(
        "--kept",
        type=Path,
        action="append",
        default=[],
        metavar="F",
        help="a checkpoint, receipt or certificate of the unit's that somebody kept; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _verify(arguments: argparse.Namespace) -> int:
    found = _check(arguments)
    say(arguments, "\n".join(_words(found)), whole=found.is_whole, **msgspec.to_builtins(found))
    return OK if found.is_whole else NEGATIVE


def _show(arguments: argparse.Namespace) -> int:
    found = _check(arguments)
    with _lines(arguments.log) as lines:
        good = (line for number, line in enumerate(lines, 1) if found.fault is None or number < found.fault.line)
        chapters = story.chapters(logfile.records_of(good))
    if arguments.order:
        chapters = [chapter for chapter in chapters if chapter.order and chapter.order.startswith(arguments.order)]
        if not chapters:
            raise Failure(f"expected a deployment under the order {arguments.order}… in this log, found none")
    text = "\n".join([*story.tell(chapters), "", *_words(found)])
    say(arguments, text, whole=found.is_whole, **msgspec.to_builtins(found), story=msgspec.to_builtins(chapters))
    return OK if found.is_whole else NEGATIVE


def _check(arguments: argparse.Namespace) -> Finding:
    unit = read_identity(arguments.identity)
    kept = [_witness(path, unit.key) for path in arguments.kept]
    with _lines(arguments.log) as lines:
        return logfile.check(lines, unit.unit, unit.key, kept)


def _witness(path: Path, key: str) -> Witness:
    with path.open("rb") as file:
        data = file.read(_WITNESS_MAX_BYTES)
    try:
        return logfile.read_witness(data, key)
    except ProtocolError as error:
        raise Failure(f"{path}: {error.detail}") from error


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a log and yield its lines, none of them longer than shows that it is too long."""
    with path.open("rb") as file:
        yield _bounded(file)


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(logfile.LINE_MAX_BYTES + 1):
        yield line


def _words(found: Finding) -> list[str]:
    lines = []
    if found.first and found.last:
        lines.append(
            f"{found.unit}: {found.records} good records, from {found.first:%Y-%m-%d %H:%M:%S %Z} "
            f"to {found.last:%Y-%m-%d %H:%M:%S %Z}"
        )
    else:
        lines.append(f"{found.unit}: no good record")
    lines.append(
        f"{found.sealed} of them are vouched for by the unit's signature (checkpoints in the file: {found.checkpoints})"
    )
    if found.witnesses:
        lines.append(f"compared with what others have kept of it: {found.witnesses}")
    if found.steps_back:
        lines.append(f"the clock went back {found.steps_back} times, by less than the unit takes for doubtful")
    if found.fault:
        where = f"in line {found.fault.line}" if found.fault.line else "at the end"
        lines.append(f"NOT WHOLE: bad from record {found.fault.record} on ({where}): {found.fault.why}")
    elif not found.sealed:
        lines.append("NOT VOUCHED FOR: no checkpoint in it; export it again with the warden running")
    else:
        lines.append("whole: nothing was changed, added or taken out")
        if found.sealed < found.records:
            rest = found.records - found.sealed
            lines.append(f"the last {rest} are not vouched for yet: a later export will show whether they stayed")
    return lines
