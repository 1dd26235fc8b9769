"""One rate of the groups of a characteristic: what was counted of each, and how far apart they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overt.protocol import limits

from . import rates
from .findings import Gap, Share, Verdict
from .searches import Searches
from .statistics import Rate, rates_of, spread_p_values, table_p_value
from .verdict import judge, largest_difference, needed, nothing_to_compare

TPIR, FPIR = "recognition", "false alerts"
"""What the two rates are called in words."""

PAIR = 2


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of searches of a characteristic, before it is known how many tests there are."""

    of: str
    tolerance: float
    least: int
    shares: Mapping[str, Sequence[Share]]  # by group, at each threshold
    wide: Mapping[str, Sequence[Rate]]  # the same, at a confidence that allows for all pairs
    p: Sequence[float]
    unstated: float

    def at(self, group: str, index: int) -> Share | None:
        """Return what was counted of a group at a threshold; None: nobody of it was measured."""
        return self.shares[group][index] if group in self.shares else None


def side_of(
    of: str,
    searches: Searches,
    characteristic: str,
    groups: Sequence[str],
    values: Sequence[float],
    tolerance: float,
    seed: int,
) -> Side:
    """Count one kind of searches by group.

    Args:
        of: `TPIR` or `FPIR`.
        searches: Those of that kind.
        characteristic: What to compare by.
        groups: Its groups.
        values: The thresholds.
        tolerance: By how much groups may differ.
        seed: Of resampling and permutation.
    """
    labelled = searches.labelled(characteristic)
    present = [group for group in groups if labelled.inside(characteristic, group).subject]
    pairs = max(1, len(present) * (len(present) - 1) // 2)
    confidences = (rates.CONFIDENCE, 1 - (1 - rates.CONFIDENCE) / pairs)
    shares: dict[str, list[Share]] = {}
    wide: dict[str, list[Rate]] = {}
    p: list[float] = []
    if present:
        people = labelled.by_person(values, characteristic, present)
        for number, group in enumerate(present):
            own, wide[group] = rates_of(people.of(number), seed, confidences)
            size = int((people.group == number).sum())
            shares[group] = [as_share(rate, size) for rate in own]
        if len(present) >= PAIR:
            p = spread_p_values(people, len(present), seed)
    return Side(
        of=of,
        tolerance=tolerance,
        least=limits.GROUP_MIN_PASSAGES if of == TPIR else limits.GROUP_MIN_FACES,
        shares=shares,
        wide=wide,
        p=p,
        unstated=1 - len(labelled.subject) / max(1, len(searches.subject)),
    )


def gap_at(side: Side, adjusted: Sequence[float], index: int, groups: Sequence[str]) -> Gap:
    """Say how far apart the groups are at a threshold.

    Args:
        side: What was counted.
        adjusted: p-values that allow for all comparisons, at each threshold.
        index: The place of the threshold.
        groups: All groups of the characteristic, those of which nobody was measured here too.
    """
    if len(side.shares) < PAIR:
        return nothing_to_compare(side.of, side.tolerance, "fewer than two groups were measured")
    found = {group: values[index] for group, values in side.wide.items()}
    obstacles = [f"nobody of {group} was measured" for group in groups if group not in found]
    if side.unstated > limits.GROUP_UNSTATED_MAX:
        obstacles.append(f"{side.unstated:.0%} of the searches are for people in no group")
    gap, interval = largest_difference(found)
    verdict, reason = judge(side.of, found, side.tolerance, adjusted[index], side.least, obstacles)
    by_rate = sorted(found, key=lambda group: found[group].share, reverse=side.of == TPIR)
    test, table_p = table_p_value(list(found.values()))
    people = {group: side.shares[group][index].people for group in found}
    return Gap(
        best=by_rate[0],
        worst=by_rate[-1],
        gap=gap,
        interval=interval,
        tolerance=side.tolerance,
        p=side.p[index],
        p_adjusted=adjusted[index],
        table_test=test,
        table_p=table_p,
        verdict=verdict,
        reason=reason,
        needed=needed(found, people, side.tolerance, side.least) if verdict is Verdict.UNKNOWN else (),
    )


def shares_of(searches: Searches, values: Sequence[float], seed: int) -> list[Share]:
    """Count everyone together, at each threshold."""
    people = searches.by_person(values)
    return [as_share(rate, searches.people()) for rate in rates_of(people, seed)[0]]


def as_share(rate: Rate, people: int) -> Share:
    """Write a rate as the JSON has it."""
    return Share(
        hits=rate.hits,
        of=rate.trials,
        people=people,
        rate=rate.share,
        interval=rate.limits,
        exact=rate.exact,
        resampled=rate.resampled,
    )


def with_stray(share: Share, stray: int) -> Share:
    """Count false alerts that belong to nobody measured among everyone's."""
    if not stray:
        return share
    hits, more = share.hits + stray, stray / share.of
    low, high = share.resampled
    rate = Rate(hits, share.of, rates.interval(hits, share.of), (min(1.0, low + more), min(1.0, high + more)))
    return as_share(rate, share.people)
