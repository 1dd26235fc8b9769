"""`overt-tools evaluate trial`: a seeded field trial."""

import argparse
from pathlib import Path
from typing import Any

from overt.runtime.cli import Parser
from overt_tools.evaluate import equal

_SLACK_S = 5.0


def add_parser(commands: "argparse._SubParsersAction[Parser]") -> Parser:
    """Register `trial`, without its handler."""
    parser = commands.add_parser(
        "trial",
        help="a field trial: testers' passages against the alerts that came",
        description=(
            "Holds what testers wrote down against what the control room received, and compares groups.\n\n"
            "PASSAGES is a CSV file, a line for each passage: tester (a code, never a name), entry (the tester's "
            "reference\non the list; empty: not listed), unit, time (with its zone), perhaps until, and a column for "
            "each\ncharacteristic, as testers describe themselves: sex, ethnicity, age. The events are what\n"
            "'overt-controlroom watch --json' printed, all of it. An alert within a listed tester's passage that "
            "names\ntheir entry is right; any other is false, also outside any passage."
        ),
        epilog=(
            "example:\n  overt-tools evaluate trial passages.csv --order order.json --events events.jsonl --report "
            "trial.html"
        ),
    )
    parser.add_argument("passages", type=Path, metavar="PASSAGES", help="who passed which unit when")
    parser.add_argument(
        "--order", type=Path, action="append", required=True, metavar="F", help="the trial's order; may be repeated"
    )
    parser.add_argument(
        "--events", type=Path, action="append", required=True, metavar="F", help="the control room's; may be repeated"
    )
    parser.add_argument(
        "--slack",
        type=_seconds,
        default=_SLACK_S,
        metavar="S",
        help="by how many seconds notes and clocks may differ (default: %(default)s)",
    )
    parser.add_argument(
        "--watchlist-size",
        type=_size,
        metavar="N",
        help="people on the list (default: as the erasure certificate says)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON; - prints them in place of words")
    equal.add_options(parser)
    return parser


def evaluate(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Measure a trial.

    Returns:
        What the JSON says, and what the words say.

    Raises:
        EvaluateError: Its files do not fit together.
        Failure: Something could not be written or signed.
    """
    from overt_tools.evaluate.environment import environment  # noqa: PLC0415 - help must be quick

    from .measure import measurement  # noqa: PLC0415 - as above

    equal.check_options(arguments, labelled=True)
    measured = measurement(arguments, environment())
    report, told = equal.conclude(arguments, measured)
    overall = report.groups.overall[0]
    result = {
        "watchlist": report.watchlist,
        "threshold": overall.threshold,
        "passages": overall.tpir.of,
        "recognised": overall.tpir.hits,
        "faces": overall.fpir.of,
        "false_alerts": overall.fpir.hits,
        "stray_alerts": report.groups.stray_alerts,
        "tpir": overall.tpir.rate,
        "fpir": overall.fpir.rate,
        "model_digest": report.model_digest,
        "data_set_digest": report.data_set_digest,
        "groups": equal.as_json(report),
        "environment": report.environment,
    }
    low, high = overall.tpir.interval
    lines = [
        (
            f"passages    {overall.tpir.of} of listed testers, {overall.tpir.hits} recognised: {overall.tpir.rate:.4f} "
            f"({low:.4f} to {high:.4f})"
        ),
        (
            f"faces       {overall.fpir.of} of testers not listed, {overall.fpir.hits} false alerts, of them "
            f"{report.groups.stray_alerts} in nobody's passage"
        ),
        told,
    ]
    return result, "\n".join(lines)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 60:  # noqa: PLR2004 - longer, and passages run into one another
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to 60, found {text!r}")
    return number


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {text!r}")
    return int(text)
