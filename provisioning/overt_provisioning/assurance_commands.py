"""`assurance`: the assurance body's report on a model, from a form to a signed document that units check."""

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from overt.protocol import envelope, evidence, limits
from overt.protocol.documents import Assurance, Charter, Figures, Measurement
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Characteristic, Kind, Role
from overt.runtime.cli import NEGATIVE, OK
from overt.runtime.files import write_atomically
from overt_provisioning import assurance, force, form, keys
from overt_provisioning.common import add_home, add_new, countersigned, group, now, passphrase, plainly, say
from overt_provisioning.form import FormProblem, PaperForm, find_model, paper
from overt_provisioning.obligations import legend

BLANK = """\
# An assurance report: how well a model recognises, and whether it treats people equally. Fill in every field. Then:
#   overt-provision assurance make --home OFFICE assurance.toml --out assurance.json      (assurance body)
#   overt-provision assurance check assurance.json --charter charter.json
# Count, do not estimate: all figures are counts of consenting testers, who described themselves. Units divide.

reference = "ASSURANCE-1"           # your reference for this report
evaluator = "Independent laboratory"  # who measured, independently of the force and of the maker
testers = 400                       # people who took part
watchlist_entries = 1000            # on the list while it was measured: orders may allow so many and no more (O19)
valid_days = 365                    # then assess again (O18); at most 366

[model]
catalogue = "models/catalogue.toml" # or digest = "<digest>"

[data_set]                          # what the figures come from: the file, or its digest
title = "Field exercise"
file = "papers/measurements.csv"

[tolerance]                         # how far groups may differ and still count as treated equally (O20)
recognition_gap = 0.05              # of the share of passages recognised; at most 0.05
false_alert_gap = 0.0005            # of false alerts per face seen; at most 0.0005

[[measurement]]                     # one for each threshold; orders may name these thresholds and no others (O18)
threshold = 0.5

[measurement.overall]
passages = 800                      # times that listed testers passed
recognised = 720                    # of these, times that they correctly raised an alert
faces = 12000                       # faces seen of people who were not listed
false_alerts = 4                    # of these, faces that raised an alert

# Each group of testers, at least two by sex and two by ethnicity (O20), each of at least 200 passages and 3,000 faces.
[[measurement.group]]
characteristic = "sex"              # sex, ethnicity, age
name = "women"
passages = 400
recognised = 358
faces = 6000
false_alerts = 2

[[measurement.group]]
characteristic = "sex"
name = "men"
passages = 400
recognised = 362
faces = 6000
false_alerts = 2

[[measurement.group]]
characteristic = "ethnicity"
name = "Black"
passages = 300
recognised = 268
faces = 4500
false_alerts = 2

[[measurement.group]]
characteristic = "ethnicity"
name = "White"
passages = 500
recognised = 452
faces = 7500
false_alerts = 2
"""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ModelForm(_Part, frozen=True, kw_only=True):
    """`[model]`: by the catalogue that has it, or by its digest."""

    catalogue: str | None = None
    digest: str | None = None


class GroupForm(_Part, frozen=True, kw_only=True):
    """`[[measurement.group]]`: a group and its counts."""

    characteristic: Characteristic
    name: str
    passages: int
    recognised: int
    faces: int
    false_alerts: int


class MeasurementForm(_Part, frozen=True, kw_only=True):
    """`[[measurement]]`: what was measured at one threshold."""

    threshold: float
    overall: Figures
    group: list[GroupForm]


class ToleranceForm(_Part, frozen=True, kw_only=True):
    """`[tolerance]`."""

    recognition_gap: float
    false_alert_gap: float


class AssuranceForm(_Part, frozen=True, kw_only=True):
    """The whole form."""

    reference: str
    evaluator: str
    testers: int
    watchlist_entries: int
    valid_days: Annotated[int, Meta(ge=1, le=limits.ASSURANCE_MAX_AGE.days)]
    model: ModelForm
    data_set: PaperForm
    tolerance: ToleranceForm
    measurement: list[MeasurementForm]


def to_assurance(filled: AssuranceForm, charter: Charter, folder: Path, moment: datetime) -> Assurance:
    """Return the report that a form describes.

    Args:
        filled: The form.
        charter: The charter of the force that it is for.
        folder: Where the files that the form names are.
        moment: The time of signing.

    Raises:
        FormProblem: A field is missing or does not fit.
    """
    issued = moment.replace(microsecond=0)
    model = find_model(filled.model.catalogue, filled.model.digest, folder)
    plain = {
        "type": "assurance",
        "force": charter.force,
        "reference": filled.reference,
        "evaluator": filled.evaluator,
        "model": model,
        "data_set": paper("data_set", filled.data_set, folder),
        "testers": filled.testers,
        "watchlist_entries": filled.watchlist_entries,
        "issued": issued,
        "expires": issued + timedelta(days=filled.valid_days),
        "tolerance": msgspec.to_builtins(filled.tolerance),
        "measurements": [_measurement(one) for one in filled.measurement],
    }
    try:
        return msgspec.convert(plain, Assurance)
    except msgspec.ValidationError as error:
        raise FormProblem(str(error)) from error


def _measurement(filled: MeasurementForm) -> dict[str, Any]:
    groups = []
    for one in filled.group:
        figures = msgspec.to_builtins(one)
        named = {"characteristic": figures.pop("characteristic"), "name": figures.pop("name")}
        groups.append({**named, "figures": figures})
    return {"threshold": filled.threshold, "overall": msgspec.to_builtins(filled.overall), "groups": groups}


def explain(report: Assurance, digest: str) -> str:
    """Return what a report means for orders, for the people who sign it and those who rely on it."""
    lines = [
        f"Assurance report {digest[:12]}…, {report.reference}, by {report.evaluator}, for {report.force}.",
        f"On the model {report.model[:12]}…, with {report.watchlist_entries:,} people listed (O19).",
        f"Measured with {report.testers:,} consenting testers: {report.data_set.title}.",
        f"It holds from {report.issued:%d %B %Y} until {report.expires:%d %B %Y} (O18), or until a newer one comes.",
    ]
    for at in sorted(report.measurements, key=lambda one: one.threshold):
        lines += ["", *_explain_threshold(report, at)]
    return "\n".join([*lines, "", *legend("\n".join(lines))])


def _explain_threshold(report: Assurance, at: Measurement) -> list[str]:
    reasons = [error.detail for error in evidence.weaknesses(report, at, limits.FALSE_ALERT_CEILING_MAX)]
    lines = [f"At the threshold {at.threshold:g}: {'an order may name it' if not reasons else 'NO ORDER MAY NAME IT'}"]
    lines.append(f"  - all: {_figures(at.overall)}")
    lines += [f"  - {one.characteristic.value}, {one.name}: {_figures(one.figures)}" for one in at.groups]
    return [*lines, *(f"  ! {reason}" for reason in reasons)]


def _figures(figures: Figures) -> str:
    rate = evidence.false_alert_rate(figures)
    false = f"1 false alert in {float(1 / rate):,.0f} faces" if rate else f"no false alert in {figures.faces:,} faces"
    return f"recognised in {float(evidence.recognition_rate(figures)):.1%} of {figures.passages:,} passages, {false}"


def add_parser(subparsers: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Register `assurance`."""
    commands = group(subparsers, "assurance", "the evidence that an order's model and threshold need")
    add_new(commands, "assurance", BLANK)
    make = commands.add_parser(
        "make",
        help="make and sign a report (assurance body)",
        epilog="example:\n  overt-provision assurance make --home office assurance.toml --out assurance.json",
    )
    add_home(make)
    make.add_argument("form", type=Path, help="the filled-in form")
    make.add_argument("--out", type=Path, required=True, metavar="F", help="the report to write")
    make.set_defaults(handler=plainly(_make))
    second = commands.add_parser(
        "countersign",
        help="sign a report once more, where the charter asks for more than one signature",
        epilog="example:\n  overt-provision assurance countersign --home office assurance.json",
    )
    add_home(second)
    second.add_argument("report", type=Path, help="the report; the signature is added to it")
    second.set_defaults(handler=plainly(_countersign))
    check = commands.add_parser(
        "check",
        help="say in plain words which orders a report bears. Exit 1: none, or a unit would refuse it",
        epilog="example:\n  overt-provision assurance check assurance.json --charter charter.json",
    )
    check.add_argument("report", type=Path)
    check.add_argument("--charter", type=Path, required=True, metavar="F", help="the force's charter")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(handler=plainly(_check))


def _make(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.home / "charter.json")
    report = to_assurance(form.load(arguments.form, AssuranceForm), charter, arguments.form.parent, now())
    for reason in evidence.unfit(report, now()):
        raise reason
    data = envelope.sign(report, [keys.signer(arguments.home, Role.ASSURANCE_BODY, passphrase(arguments))])
    write_atomically(arguments.out, data, mode=0o644)
    say(arguments, f"made the assurance report {envelope.parse(data).digest()[:12]}… in {arguments.out}; check it")
    return OK


def _countersign(arguments: argparse.Namespace) -> int:
    signer = keys.signer(arguments.home, Role.ASSURANCE_BODY, passphrase(arguments))
    write_atomically(arguments.report, countersigned(arguments.report, Kind.ASSURANCE, signer), mode=0o644)
    say(arguments, f"countersigned {arguments.report}; check it")
    return OK


def _check(arguments: argparse.Namespace) -> int:
    charter = force.read_charter(arguments.charter)
    try:
        checked = assurance.read(arguments.report, charter, now())
    except ProtocolError as error:
        say(
            arguments, f"a unit would refuse this report: {error}", accepted=False, code=error.code, detail=error.detail
        )
        return NEGATIVE
    report = checked.document
    bearing = [
        at.threshold
        for at in report.measurements
        if not list(evidence.weaknesses(report, at, limits.FALSE_ALERT_CEILING_MAX))
    ]
    say(arguments, explain(report, checked.digest), accepted=True, report=checked.digest, thresholds=bearing)
    return OK if bearing else NEGATIVE
