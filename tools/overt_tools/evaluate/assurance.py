"""The form from which `overt-provision assurance make` signs the assurance report on a measurement.

The laboratory counts and fills in; it holds no key. Who signs does so with the office's own program, in its own
process: docs/adr/0008 says why.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from overt.protocol import evidence, fields, limits
from overt.protocol.documents import Assurance, Group, Measurement, Paper, Tolerance
from overt.protocol.vocabulary import Characteristic

from .errors import EvaluateError
from .groups import Standard
from .report.model import Borne
from .searches import Evidence

_STEP = 1000
"""Thresholds of a report have three decimals: an order's form has to name them exactly."""
_KNOWN = {one.value for one in Characteristic}
_MOST = 16  # measurements of a report


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What only people know of a measurement.

    Attributes:
        reference: The assurance body's own.
        evaluator: Who measured.
        title: Of what was measured.
        valid_days: Then assess again.
    """

    reference: str
    evaluator: str
    title: str
    valid_days: int = 365


def rounded_up(threshold: float) -> float:
    """Return the next threshold that a form can name: at it there are no more alerts than at this one."""
    return math.ceil(round(threshold * _STEP, 6)) / _STEP


def borne(
    evidence_: Evidence,
    characteristics: Sequence[str],
    thresholds: Iterable[float],
    standard: Standard,
    entries: int,
    *,
    exactly: bool = False,
) -> tuple[tuple[Borne, ...], tuple[str, ...]]:
    """Return what an assurance report would hold, and what cannot go into one.

    Args:
        evidence_: What was measured.
        characteristics: By what people are labelled.
        thresholds: Of the comparison; rounded up to what a form can name.
        standard: What groups are measured by.
        entries: How many were listed.
        exactly: Leave thresholds as they are: nothing was measured between them.
    """
    wanted = sorted({threshold if exactly else rounded_up(threshold) for threshold in thresholds})
    fit = [one for one in wanted if limits.THRESHOLD_MIN <= one <= limits.THRESHOLD_MAX][-_MOST:]
    left_out = [
        f"The threshold {one:g} is outside what an order can name, {limits.THRESHOLD_MIN:g} to {limits.THRESHOLD_MAX:g}"
        for one in wanted
        if one not in fit
    ]
    left_out += [
        f"An assurance report has no place for {name}, only for {', '.join(sorted(_KNOWN))}"
        for name in characteristics
        if name not in _KNOWN
    ]
    measured = []
    for threshold in fit:
        groups, missing = _groups(evidence_, characteristics, threshold)
        left_out += [text for text in missing if text not in left_out]
        if groups:
            measured.append(Measurement(threshold=threshold, overall=evidence_.figures(threshold), groups=groups))
    outcome = [
        Borne(threshold=one.threshold, figures=one, refusals=_refusals(one, standard, entries)) for one in measured
    ]
    return tuple(outcome), tuple(left_out)


def _groups(
    evidence_: Evidence, characteristics: Sequence[str], threshold: float
) -> tuple[tuple[Group, ...], list[str]]:
    groups, missing = [], []
    for characteristic in characteristics:
        if characteristic not in _KNOWN:
            continue
        for name in evidence_.groups(characteristic):
            own = evidence_.inside(characteristic, name)
            if not own.passages.subject or not own.faces.subject:
                missing.append(
                    f"An assurance report cannot hold {characteristic} {name}: nobody of it was measured on one side"
                )
                continue
            plain = {
                "characteristic": characteristic,
                "name": name,
                "figures": msgspec.to_builtins(own.figures(threshold)),
            }
            try:
                groups.append(msgspec.convert(plain, Group))
            except msgspec.ValidationError:
                missing.append(
                    f"An assurance report cannot hold the group name {name!r}: it takes letters, digits and , . ( ) "
                    "/ & + -"
                )
    return tuple(groups), missing


def _refusals(measured: Measurement, standard: Standard, entries: int) -> tuple[str, ...]:
    """Ask the unit's own rules."""
    now = datetime.now(UTC)
    report = Assurance(
        force="nobody",
        reference="none",
        evaluator="nobody",
        model="0" * 64,
        data_set=Paper(title="none", digest="0" * 64),
        testers=1,
        watchlist_entries=min(max(entries, 1), limits.WATCHLIST_MAX_ENTRIES),
        issued=now,
        expires=now + timedelta(days=1),
        tolerance=Tolerance(recognition_gap=standard.recognition_gap, false_alert_gap=standard.false_alert_gap),
        measurements=(measured,),
    )
    return tuple(error.detail for error in evidence.weaknesses(report, measured, standard.ceiling))


def form(
    told: Told,
    bears: Sequence[Borne],
    standard: Standard,
    *,
    people: int,
    entries: int,
    model_digest: str,
    data_set_digest: str,
) -> bytes:
    """Return the filled-in form, as `overt-provision assurance make` takes it.

    Args:
        told: What only people know.
        bears: What was measured.
        standard: What groups are measured by.
        people: Who took part.
        entries: How many were listed.
        model_digest: Of the models.
        data_set_digest: Of what was measured.

    Raises:
        EvaluateError: There is nothing that a report could hold, or a text does not fit.
    """
    if not bears:
        raise EvaluateError(
            "expected figures by sex, ethnicity or age at a threshold that an order can name, found none: "
            "label the testers, or give a --threshold"
        )
    for name, text, kind in (
        ("--reference", told.reference, fields.Reference),
        ("--evaluator", told.evaluator, fields.Line),
        ("--title", told.title, fields.Line),
    ):
        try:
            msgspec.convert(text, kind)
        except msgspec.ValidationError as error:
            raise EvaluateError(f"{name}: {error}; found {text!r}") from error
    lines = [
        (
            "# Counted by overt-tools evaluate. Who signs it says that these are consenting testers who described "
            "themselves."
        ),
        "#   overt-provision assurance make --home OFFICE THIS-FILE --out assurance.json      (assurance body)",
        f"reference = {_text(told.reference)}",
        f"evaluator = {_text(told.evaluator)}",
        f"testers = {people}",
        f"watchlist_entries = {entries}",
        f"valid_days = {told.valid_days}",
        f'model = {{ digest = "{model_digest}" }}',
        f'data_set = {{ title = {_text(told.title)}, digest = "{data_set_digest}" }}',
        (
            f"tolerance = "
            f"{{ recognition_gap = {standard.recognition_gap!r}, false_alert_gap = {standard.false_alert_gap!r} }}"
        ),
    ]
    for one in bears:
        lines += _measurement(one)
    return ("\n".join(lines) + "\n").encode()


def _measurement(one: Borne) -> list[str]:
    lines = ["", *(f"# No order may name it: {' '.join(refusal.split())}" for refusal in one.refusals)]
    lines += ["[[measurement]]", f"threshold = {one.threshold!r}", "overall = { " + _counts(one.figures.overall) + " }"]
    for group in one.figures.groups:
        lines += [
            "[[measurement.group]]",
            f'characteristic = "{group.characteristic.value}"',
            f"name = {_text(group.name)}",
            *_counts(group.figures).split(", "),
        ]
    return lines


def _counts(figures: msgspec.Struct) -> str:
    return ", ".join(f"{name} = {value}" for name, value in msgspec.to_builtins(figures).items())


def _text(text: str) -> str:
    """Write a TOML basic string; JSON's escapes are TOML's, but for one."""
    return re.sub("\x7f", r"\\u007F", json.dumps(text, ensure_ascii=False))
