"""What `evaluate` offers on equal treatment, however it was measured: comparison, report, assurance."""

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol import limits
from overt.runtime.cli import UNAVAILABLE, Failure, Parser
from overt.runtime.files import write_atomically

from .errors import EvaluateError
from .groups import SEED, Standard, compare
from .report.model import Report
from .searches import Evidence

_MOST_GROUPS = 20
"""Of a characteristic: with more, each is too small to say anything of."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and all that a report says of it beside the figures.

    Attributes:
        evidence: The searches.
        characteristics: By what people are labelled.
        thresholds: At which groups are compared: names and values.
        exactly: Nothing was measured at any other threshold.
        title: Of the report.
        kind: "stills" or "trial".
        how: What was done, in sentences.
        not_shown: What it cannot show, in sentences.
        watchlist: How many were listed.
        model_set: Name of the models, where it is known.
        model_digest: As an order names it.
        data_set_digest: Of what was measured.
        labels: The file of groups.
        command: How to do it again.
        environment: On what it was done.
    """

    evidence: Evidence = field(repr=False)
    characteristics: tuple[str, ...]
    thresholds: Sequence[tuple[str, float]]
    exactly: bool
    title: str
    kind: str
    how: tuple[str, ...]
    not_shown: tuple[str, ...]
    watchlist: int
    model_set: str | None
    model_digest: str
    data_set_digest: str
    labels: Path
    command: str
    environment: Mapping[str, Any]


def add_options(parser: Parser) -> None:
    """Add what a comparison of groups needs."""
    group = parser.add_argument_group(
        "equal treatment", "Groups are those that testers put themselves in. Nothing is inferred from a picture."
    )
    group.add_argument(
        "--ceiling",
        type=_share(limits.FALSE_ALERT_CEILING_MAX),
        default=limits.FALSE_ALERT_CEILING_MAX,
        metavar="RATE",
        help="false alerts per face that the order allows (default: %(default)s)",
    )
    group.add_argument("--report", type=Path, metavar="FILE.html", help="write a report, and FILE.json beside it")
    group.add_argument("--pdf", type=Path, metavar="FILE.pdf", help="write the report on paper")
    assure = parser.add_argument_group(
        "assurance",
        "The figures as an assurance report. FILE.json is signed with the key in --home, by overt-provision; "
        "FILE.toml is the form, for 'overt-provision assurance make'. Who signs says that these are consenting "
        "testers.",
    )
    assure.add_argument("--assure", type=Path, metavar="FILE", help="write the assurance report, or its form")
    assure.add_argument("--home", type=Path, metavar="DIR", help="the assurance body's folder: charter and keys")
    assure.add_argument("--passphrase-file", type=Path, metavar="F", help="of the key (default: ask)")
    assure.add_argument("--pin-file", type=Path, metavar="F", help="the PIN of a token (default: ask)")
    assure.add_argument("--reference", metavar="TEXT", help="the body's reference (default: made from the date)")
    assure.add_argument("--evaluator", metavar="TEXT", help="who measured; needed with --assure")
    assure.add_argument("--title", metavar="TEXT", help="of what was measured (default: made from the folder's name)")
    assure.add_argument(
        "--valid-days", type=_days, default=365, metavar="N", help="then assess again (default: %(default)s)"
    )


def add_threshold(parser: Parser) -> None:
    """Add `--threshold`, where any can be measured."""
    parser.add_argument(
        "--threshold",
        type=_share(1.0),
        action="append",
        default=[],
        metavar="T",
        help="compare groups at this threshold too; may be repeated",
    )


def check_options(arguments: argparse.Namespace, *, labelled: bool) -> None:
    """Refuse, before anything long is done, what cannot be written afterwards.

    Raises:
        Failure: Options that do not go together, or a place that is none.
    """
    wanted = [
        (name, path)
        for name, path in (("--report", arguments.report), ("--pdf", arguments.pdf), ("--assure", arguments.assure))
        if path is not None
    ]
    if wanted and not labelled:
        raise Failure(f"{wanted[0][0]} compares groups: give the file of labels with --cohorts")
    for name, path in wanted:
        if not path.parent.is_dir():
            raise Failure(f"{name}: expected a folder {path.parent}, found none", UNAVAILABLE)
    if arguments.report is not None and arguments.report.suffix not in {".html", ".htm"}:
        raise Failure(f"--report: expected a name that ends in .html, found {arguments.report.name}")
    if arguments.assure is None:
        return
    if not arguments.evaluator:
        raise Failure("--assure: say with --evaluator who measured, independently of the force and of the maker")
    if arguments.assure.suffix == ".json" and arguments.home is None:
        raise Failure(
            f"--assure: to sign {arguments.assure.name} give --home with the assurance body's key, or write the form: "
            f"{arguments.assure.with_suffix('.toml').name}"
        )
    if arguments.assure.suffix not in {".json", ".toml"}:
        raise Failure(f"--assure: expected a name that ends in .json or .toml, found {arguments.assure.name}")


def conclude(arguments: argparse.Namespace, measured: Measurement) -> tuple[Report, str]:
    """Compare groups, write what is wanted, sign if it is.

    Returns:
        The report, and what was found in a few lines.

    Raises:
        EvaluateError: The figures do not go into an assurance report.
        Failure: Something could not be written or signed.
    """
    report = report_on(arguments, measured)
    told = [_words(report)]
    if arguments.report is not None:
        from .report import html  # noqa: PLC0415 - heavy, and help must be quick

        _write(arguments.report, html.render(report))
        _write(arguments.report.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(report), indent=1))
        told.append(f"report      {arguments.report}, its figures in {arguments.report.with_suffix('.json')}")
    if arguments.pdf is not None:
        from .report import pdf  # noqa: PLC0415 - as above

        _write(arguments.pdf, pdf.render(report))
        told.append(f"report      {arguments.pdf}")
    if arguments.assure is not None:
        from .signing import assure  # noqa: PLC0415 - only here

        told.append(assure(arguments, measured, report, standard_of(arguments)))
    return report, "\n".join(told)


def as_json(report: Report) -> dict[str, Any]:
    """Return what the JSON of an evaluation has under `groups`."""
    built = msgspec.to_builtins(report)
    return {**built["groups"], "bears": built["bears"], "not_in_assurance": built["not_in_assurance"]}


def standard_of(arguments: argparse.Namespace) -> Standard:
    """Return what groups are measured by."""
    return Standard(ceiling=arguments.ceiling)


def report_on(arguments: argparse.Namespace, measured: Measurement) -> Report:
    """Compare the groups and say what came of it.

    Raises:
        EvaluateError: A characteristic has more groups than can be compared.
    """
    from .assurance import borne  # noqa: PLC0415 - help must be quick

    standard = standard_of(arguments)
    evidence = measured.evidence
    for name in measured.characteristics:
        if len(evidence.groups(name)) > _MOST_GROUPS:
            raise EvaluateError(
                f"expected at most {_MOST_GROUPS} groups by {name}, found {len(evidence.groups(name))}: put some "
                "together, or leave the column out"
            )
    bears, left_out = borne(
        evidence,
        measured.characteristics,
        [threshold for _, threshold in measured.thresholds],
        standard,
        measured.watchlist,
        exactly=measured.exactly,
    )
    return Report(
        title=measured.title,
        kind=measured.kind,
        made=datetime.now(UTC).replace(microsecond=0).isoformat(),
        how=measured.how,
        not_shown=measured.not_shown,
        watchlist=measured.watchlist,
        model_set=measured.model_set,
        model_digest=measured.model_digest,
        data_set_digest=measured.data_set_digest,
        labels_digest=hashlib.sha256(measured.labels.read_bytes()).hexdigest(),
        command=measured.command,
        environment=dict(measured.environment),
        groups=compare(evidence, measured.characteristics, measured.thresholds, standard, SEED),
        bears=bears,
        not_in_assurance=left_out,
    )


def _words(report: Report) -> str:
    from .report.blocks import plain  # noqa: PLC0415 - help must be quick
    from .report.comparison import sentences  # noqa: PLC0415 - as above

    lines = [f"equal?      {report.groups.headline}", *(f"            {plain(one)}" for one in sentences(report))]
    bearing = [f"{one.threshold:g}" for one in report.bears if not one.refusals]
    lines.append(f"orders      {'may name ' + ', '.join(bearing) if bearing else 'none may stand on it'}")
    return "\n".join(lines)


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data, mode=0o644)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}; choose another place", UNAVAILABLE) from error


def _share(most: float) -> Any:  # noqa: ANN401 - argparse's own type
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 < number <= most:
            raise argparse.ArgumentTypeError(f"expected a number above 0, at most {most:g}, found {text!r}")
        return number

    return read


def _days(text: str) -> int:
    most = limits.ASSURANCE_MAX_AGE.days
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected days from 1 to {most}, found {text!r}")
    return int(text)
