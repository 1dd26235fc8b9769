"""Whether two rates are equal within a tolerance, unequal, or not known well enough. Pure."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from .findings import Gap, Interval, Needed, Verdict
from .rates import CONFIDENCE
from .statistics import Rate, design_effect, difference

SIGNIFICANT = 1 - CONFIDENCE
_CONFIDENT, _POWER = 1.96, 0.84
"""Of the normal distribution: 95 % two-sided, and 80 % power, the usual choices for sizes of samples."""


def largest_difference(rates: Mapping[str, Rate]) -> tuple[float, Interval]:
    """Return the largest difference of two groups, and within which limits the largest lies.

    Args:
        rates: Of each group, with intervals at a confidence that allows for all pairs (Bonferroni).
    """
    gap, low, high = 0.0, 0.0, 0.0
    for first, second in combinations(rates.values(), 2):
        apart, (below, above) = difference(first, second)
        gap = max(gap, abs(apart))
        low = max(low, below, -above)
        high = max(high, above, -below)
    return gap, (low, high)


def judge(
    of: str,
    rates: Mapping[str, Rate],
    tolerance: float,
    p_adjusted: float,
    least: int,
    obstacles: Sequence[str] = (),
) -> tuple[Verdict, str]:
    """Return the verdict on groups, and why.

    Unequal: they are further apart than the tolerance, and chance does not explain that they are apart. Equal: even the
    limit of the interval is within the tolerance, everyone was counted and every group is large enough. Else: unknown.

    Args:
        of: What the rate is called.
        rates: Of each group, as `largest_difference` takes them.
        tolerance: By how much they may differ.
        p_adjusted: Of the difference, allowing for all comparisons.
        least: Searches that each group must have.
        obstacles: Why equality cannot be shown whatever the rates are.
    """
    gap, (_, high) = largest_difference(rates)
    tolerated = f"the tolerance of {points(tolerance)}"
    if gap > tolerance and p_adjusted < SIGNIFICANT:
        return (
            Verdict.UNEQUAL,
            f"{of}: the groups are {points(gap)} apart, more than {tolerated}; chance does not explain it",
        )
    small = [name for name, rate in rates.items() if rate.trials < least]
    if small:
        return Verdict.UNKNOWN, f"{of}: fewer than {least:,} searches for {', '.join(small)}"
    if obstacles:
        return Verdict.UNKNOWN, f"{of}: {'; '.join(obstacles)}"
    if high <= tolerance:
        return Verdict.EQUAL, f"{of}: the groups are at most {points(high)} apart, within {tolerated}"
    if gap > tolerance:
        return (
            Verdict.UNKNOWN,
            f"{of}: the groups are {points(gap)} apart, more than {tolerated}, but chance could explain it",
        )
    surely = "; that they are apart at all, chance does not explain" if p_adjusted < SIGNIFICANT else ""
    return Verdict.UNKNOWN, f"{of}: the groups are {points(gap)} apart here, but could be {points(high)} apart{surely}"


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on several at once: unequal if one is, equal if all are."""
    if Verdict.UNEQUAL in verdicts:
        return Verdict.UNEQUAL
    return Verdict.EQUAL if verdicts and set(verdicts) == {Verdict.EQUAL} else Verdict.UNKNOWN


def needed(rates: Mapping[str, Rate], people: Mapping[str, int], tolerance: float, least: int) -> tuple[Needed, ...]:
    """Return how many more testers of each group it would take to tell, if the rates stay about as they are.

    Within the tolerance: until the interval of a difference fits into it, supposing that the true one uses up at most
    half of it. Beyond: until a difference of this size is found. Both in 80 % of measurements. Normal approximation
    (Fleiss, Levin and Paik, 2003, ch. 4), times the design effect; rates of 0 and 1 are moved inwards (Agresti and
    Coull, 1998).

    Args:
        rates: Of each group.
        people: How many people stand behind each.
        tolerance: By how much they may differ.
        least: Searches that each group must have anyway.
    """
    gap = largest_difference(rates)[0]
    wanted = gap if gap > tolerance else max(tolerance - gap, tolerance / 2)
    variances = {}
    for name, rate in rates.items():
        share = (rate.hits + 2) / (rate.trials + 4)
        variances[name] = share * (1 - share) * design_effect(rate)
    # Of two groups that are equally large, so take twice the largest variance.
    each = max(least, math.ceil((_CONFIDENT + _POWER) ** 2 * 2 * max(variances.values()) / wanted**2))
    outcome = []
    for name, rate in rates.items():
        missing = each - rate.trials
        if missing > 0:
            outcome.append(
                Needed(group=name, testers=math.ceil(missing * people[name] / rate.trials), searches=missing)
            )
    return tuple(outcome)


def points(rate: float) -> str:
    """Return a difference in words that fit its size."""
    return f"{rate * 100:.1f} points" if rate >= 0.005 else f"{rate * 1000:.2f} in 1,000"  # noqa: PLR2004 - half a point


def nothing_to_compare(of: str, tolerance: float, reason: str) -> Gap:
    """Return the gap of fewer than two groups."""
    return Gap(
        best=None,
        worst=None,
        gap=None,
        interval=None,
        tolerance=tolerance,
        p=None,
        p_adjusted=None,
        table_test=None,
        table_p=None,
        verdict=Verdict.UNKNOWN,
        reason=f"{of}: {reason}",
    )
