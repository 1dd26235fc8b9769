"""`overt-camera log export`: take the log off the unit."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser


def add_parser(subparsers: "argparse._SubParsersAction[Parser]", state: Path, run: Path) -> None:
    """Register `log`."""
    log = subparsers.add_parser("log", help="this unit's audit log", description="This unit's audit log.")
    commands = log.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    export = commands.add_parser(
        "export",
        help="write the whole log to a file that anyone with the unit's public key can check",
        description=(
            "Writes every record and every signed checkpoint. A running warden signs the end of the log first;\n"
            "without one, the records since the last checkpoint are vouched for by nobody yet."
        ),
        epilog=(
            "example:\n  overt-camera log export --out unit-1.log.jsonl\n"
            "  (anywhere: overt-provision log verify unit-1.log.jsonl --identity identity.json)"
        ),
    )
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    export.add_argument("--state", type=Path, default=state, metavar="DIR", help="state folder (%(default)s)")
    export.add_argument("--run", type=Path, default=run, metavar="DIR", help="folder of the sockets (%(default)s)")
    export.add_argument("--json", action="store_true", help="print JSON")
    export.set_defaults(handler=_export)


def _export(arguments: argparse.Namespace) -> int:
    from overt.runtime import control  # noqa: PLC0415 - for this command alone
    from overt.warden import log_export  # noqa: PLC0415 - for this command alone

    try:
        control.ask_checkpoint(arguments.run)
    except control.NoAnswer as error:
        sys.stderr.write(f"without a fresh checkpoint: {error}\n")
    try:
        done = log_export.export(arguments.state, arguments.out, datetime.now(UTC))
    except log_export.ExportProblem as error:
        raise Failure(str(error), BAD_INPUT) from error
    except OSError as error:
        raise Failure(f"cannot write {arguments.out}: {error.strerror or error}", UNAVAILABLE) from error
    facts = {"records": done.records, "sealed": done.sealed, "file": str(arguments.out)}
    text = f"wrote {done.records} records to {arguments.out}, {done.sealed} of them under a checkpoint of the unit's"
    sys.stdout.write((json.dumps(facts) if arguments.json else text) + "\n")
    return OK
