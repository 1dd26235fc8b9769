"""Whether groups of people are treated equally: TPIR and FPIR of each, how sure that is, and a verdict.

Groups are those that testers put themselves in; nothing here looks at a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from overt.protocol import limits

from . import rates
from .ceilings import ceilings
from .findings import AtThreshold, Comparison, Findings, GroupShares, Overall, Verdict
from .searches import Evidence
from .sides import FPIR, TPIR, Side, gap_at, shares_of, side_of, with_stray
from .statistics import PERMUTATIONS, RESAMPLES, holm
from .verdict import together

SEED = 1
GIVEN = "given"
"""The name of a threshold that somebody asked for."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What groups are measured by.

    Attributes:
        ceiling: False alerts per face seen that an order allows [O19].
        recognition_gap: By how much the TPIR of groups may differ [O20].
        false_alert_gap: By how much their FPIR may [O20].
    """

    ceiling: float = limits.FALSE_ALERT_CEILING_MAX
    recognition_gap: float = limits.RECOGNITION_GAP_MAX
    false_alert_gap: float = limits.FALSE_ALERT_GAP_MAX


def thresholds_of(evidence: Evidence, given: Sequence[float] = ()) -> list[tuple[str, float]]:
    """Return the thresholds to compare at: those of `rates.POINTS` for everyone together, and those given."""
    points = [(point, rates.threshold_at(evidence.faces.scores, point)) for point in rates.POINTS]
    return [*points, *((GIVEN, threshold) for threshold in given)]


def compare(
    evidence: Evidence,
    characteristics: Sequence[str],
    thresholds: Sequence[tuple[str, float]],
    standard: Standard | None = None,
    seed: int = SEED,
) -> Findings:
    """Compare the groups of every characteristic at every threshold.

    Args:
        evidence: What was measured; at least one search of each kind.
        characteristics: By what the people are labelled.
        thresholds: Names and values.
        standard: What they are measured by; None: the limits of the protocol.
        seed: Of resampling and permutation.
    """
    standard = standard or Standard()
    overall = _overall(evidence, thresholds, standard, seed)
    values = [threshold for _, threshold in thresholds]
    sides = {name: _sides(evidence, name, values, standard, seed) for name in characteristics}
    tests = [p for pair in sides.values() for side in pair for p in side.p]
    adjusted = iter(holm(tests))
    comparisons = []
    for name in characteristics:
        found = [[next(adjusted) for _ in side.p] for side in sides[name]]
        at = [
            _at(evidence.groups(name), sides[name], found, index, threshold)
            for index, threshold in enumerate(thresholds)
        ]
        comparisons.append(
            Comparison(
                characteristic=name,
                groups=tuple(evidence.groups(name)),
                unstated_passages=sides[name][0].unstated,
                unstated_faces=sides[name][1].unstated,
                at=tuple(at),
                ceilings=ceilings(evidence, name, standard.ceiling),
                verdict=_main([one.verdict for one in at], overall),
            )
        )
    verdict = together([one.verdict for one in comparisons])
    return Findings(
        verdict=verdict,
        headline=HEADLINES[verdict],
        ceiling=standard.ceiling,
        recognition_tolerance=standard.recognition_gap,
        false_alert_tolerance=standard.false_alert_gap,
        confidence=rates.CONFIDENCE,
        resamples=RESAMPLES,
        permutations=PERMUTATIONS,
        comparisons_made=len(tests),
        seed=seed,
        listed_people=evidence.passages.people(),
        other_people=evidence.faces.people(),
        stray_alerts=evidence.stray_alerts,
        main=_first_shown(overall),
        overall=overall,
        comparisons=tuple(comparisons),
    )


HEADLINES = {
    Verdict.EQUAL: "Equal treatment is shown, within the stated tolerance.",
    Verdict.UNEQUAL: "Unequal treatment is shown.",
    Verdict.UNKNOWN: "There is not enough evidence to say whether people are treated equally.",
}


def _main(verdicts: Sequence[Verdict], overall: Sequence[Overall]) -> Verdict:
    """Judge by the thresholds that were asked for, or else by those that an order may name, or else by all."""
    given = [verdict for verdict, at in zip(verdicts, overall, strict=True) if at.name == GIVEN]
    usable = [verdict for verdict, at in zip(verdicts, overall, strict=True) if at.usable]
    return together(given or usable or verdicts)


def _first_shown(overall: Sequence[Overall]) -> int:
    """Return the place of the threshold that was asked for, or of the lowest that an order may name."""
    places = sorted(range(len(overall)), key=lambda at: overall[at].threshold)
    for wanted in (
        [at for at in places if overall[at].name == GIVEN and overall[at].usable],
        [at for at in places if overall[at].name == GIVEN],
        [at for at in places if overall[at].usable],
    ):
        if wanted:
            return wanted[0]
    return places[-1]


def _overall(
    evidence: Evidence, thresholds: Sequence[tuple[str, float]], standard: Standard, seed: int
) -> tuple[Overall, ...]:
    values = [threshold for _, threshold in thresholds]
    tpir = shares_of(evidence.passages, values, seed)
    fpir = shares_of(evidence.faces, values, seed)
    stray = evidence.stray_alerts
    outcome = []
    for at, (name, threshold) in enumerate(thresholds):
        false = with_stray(fpir[at], stray)
        usable = Fraction(false.hits, false.of) <= Fraction(str(standard.ceiling))
        outcome.append(Overall(name=name, threshold=threshold, tpir=tpir[at], fpir=false, usable=usable))
    return tuple(outcome)


def _sides(
    evidence: Evidence, characteristic: str, values: Sequence[float], standard: Standard, seed: int
) -> tuple[Side, Side]:
    groups = evidence.groups(characteristic)
    return (
        side_of(TPIR, evidence.passages, characteristic, groups, values, standard.recognition_gap, seed),
        side_of(FPIR, evidence.faces, characteristic, groups, values, standard.false_alert_gap, seed),
    )


def _at(
    groups: Sequence[str],
    sides: tuple[Side, Side],
    adjusted: Sequence[Sequence[float]],
    index: int,
    threshold: tuple[str, float],
) -> AtThreshold:
    tpir, fpir = (gap_at(side, adjusted[at], index, groups) for at, side in enumerate(sides))
    return AtThreshold(
        name=threshold[0],
        threshold=threshold[1],
        groups=tuple(
            GroupShares(name=group, tpir=sides[0].at(group, index), fpir=sides[1].at(group, index)) for group in groups
        ),
        tpir=tpir,
        fpir=fpir,
        verdict=together([tpir.verdict, fpir.verdict]),
    )
