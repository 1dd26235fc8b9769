"""How sure a rate is, and a difference between groups of people, when one person is seen more than once.

The exact interval takes every search for a trial of its own. Images of one person are not: who is hard to recognise
once is hard to recognise again. So whole people are resampled (the bootstrap over clusters; Davison and Hinkley, 1997,
3.8) or change groups (permutation), and the wider of two intervals counts. All is seeded: the same trials give the
same figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rates import CONFIDENCE, interval

Counts = NDArray[np.float64]
Numbers = NDArray[np.int64]
Interval = tuple[float, float]

RESAMPLES = 2000
PERMUTATIONS = 9999
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class People:
    """Who was searched for, each person once.

    Attributes:
        group: (S,) int: the group of each person, as a number.
        hits: (S, T) float64: how many of a person's searches raised an alert, at each of T thresholds.
        trials: (S,) float64: how many searches there were.
    """

    group: NDArray[np.int64]
    hits: Counts
    trials: Counts

    def of(self, group: int) -> "People":
        """Return the people of one group alone."""
        inside = self.group == group
        return People(self.group[inside], self.hits[inside], self.trials[inside])

    def kinds(self) -> tuple[Counts, Numbers, Numbers]:
        """Put people together whose counts are the same.

        Returns:
            (kinds, T + 1) float64: hits and, last, trials of each kind; (S,) int: each person's kind; (kinds,) int: how
            many people are of it.
        """
        counted = np.column_stack([self.hits, self.trials])
        kinds, kind_of, sizes = np.unique(counted, axis=0, return_inverse=True, return_counts=True)
        return kinds, kind_of.reshape(-1), sizes


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of searches, and between what limits it may lie.

    Attributes:
        hits: Searches that raised an alert.
        trials: All searches.
        exact: Interval as if searches were independent (Clopper and Pearson, 1934).
        resampled: Interval from resampling whole people.
    """

    hits: int
    trials: int
    exact: Interval
    resampled: Interval

    @property
    def share(self) -> float:
        """The rate."""
        return self.hits / self.trials

    @property
    def limits(self) -> Interval:
        """The wider of both intervals."""
        return min(self.exact[0], self.resampled[0]), max(self.exact[1], self.resampled[1])


def rates_of(people: People, seed: int, confidences: Sequence[float] = (CONFIDENCE,)) -> list[list[Rate]]:
    """Return the rate of some people at each threshold.

    Args:
        people: Anybody; their groups do not matter here.
        seed: Of the resampling.
        confidences: That an interval holds the true rate.

    Returns:
        For each confidence, a rate for each threshold.
    """
    drawn = resampled_rates(people, seed)
    of = int(people.trials.sum())
    counts = [int(number) for number in people.hits.sum(axis=0)]
    outcome = []
    for confidence in confidences:
        tail = (1 - confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        outcome.append(
            [
                Rate(number, of, interval(number, of, confidence), (float(low[at]), float(high[at])))
                for at, number in enumerate(counts)
            ]
        )
    return outcome


def resampled_rates(people: People, seed: int, resamples: int = RESAMPLES) -> Counts:
    """Draw as many people as there are, with replacement, again and again.

    People with the same counts are drawn together: how many of each kind come is multinomial.

    Returns:
        (resamples, T) float64: the rate in each draw.
    """
    random = np.random.default_rng(seed)
    kinds, _, sizes = people.kinds()
    often = random.multinomial(sizes.sum(), sizes / sizes.sum(), resamples)
    return _rates(often, kinds)


def spread_p_values(people: People, groups: int, seed: int, permutations: int = PERMUTATIONS) -> list[float]:
    """Return how often chance alone would set groups as far apart as they are, at each threshold.

    The distance is that between the highest and the lowest rate. Group labels are dealt out anew among the people, each
    of whom keeps all their searches; how many of each kind a group gets is hypergeometric.
    p = (1 + as far or farther) / (1 + permutations): never nought (Phipson and Smyth, 2010).

    Args:
        people: Everyone who is in a group.
        groups: How many groups there are, numbered from 0.
        seed: Of the permutation.
        permutations: How many times.
    """
    random = np.random.default_rng(seed)
    kinds, kind_of, sizes = people.kinds()
    members = [np.bincount(kind_of[people.group == group], minlength=len(kinds)) for group in range(groups)]
    seen = _spread([_rates(one[None], kinds) for one in members])[0]
    left = np.tile(sizes, (permutations, 1))
    dealt = []
    for one in members[:-1]:
        hands = _hands(random, left, int(one.sum()))
        left = left - hands
        dealt.append(_rates(hands, kinds))
    spreads = _spread([*dealt, _rates(left, kinds)])
    farther = (spreads >= seen - _ROUNDING).sum(axis=0)
    return [float(p) for p in (1 + farther) / (1 + permutations)]


def _hands(random: np.random.Generator, left: Numbers, size: int) -> Numbers:
    """Take `size` people out of each row of those that are left (n, kinds)."""
    if (left == left[0]).all():
        return random.multivariate_hypergeometric(left[0], size, len(left), method="marginals")
    return np.stack([random.multivariate_hypergeometric(row, size, method="marginals") for row in left])


def _rates(often: Numbers, kinds: Counts) -> Counts:
    """Return (n, T): the rates of n crowds, each made of so many people of each kind (n, kinds)."""
    sums = often.astype(np.float64) @ kinds
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def _spread(rates: Sequence[Counts]) -> Counts:
    """Return highest less lowest of the groups' rates, each (n, T)."""
    stacked = np.stack(rates)
    return np.asarray(stacked.max(axis=0) - stacked.min(axis=0))


def table_p_value(rates: Sequence[Rate]) -> tuple[str, float]:
    """Test a difference as if searches were independent: Fisher's exact test of two groups, chi-square of more.

    Returns:
        The test's name and its p-value; 1 where all searches of all groups ended alike.
    """
    from scipy.stats import chi2_contingency, fisher_exact  # noqa: PLC0415 - heavy, and help must be quick

    table = np.array([[rate.hits, rate.trials - rate.hits] for rate in rates])
    name = "Fisher's exact test" if len(rates) == 2 else "chi-square test"  # noqa: PLR2004 - a pair
    if not table.sum(axis=0).all():
        return name, 1.0
    outcome = fisher_exact(table) if len(rates) == 2 else chi2_contingency(table, correction=False)  # noqa: PLR2004
    return name, float(outcome.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that allow for how many were looked at (Holm, 1979): among many, one is small by chance."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = highest
    return [float(p) for p in adjusted]


def difference(first: Rate, second: Rate) -> tuple[float, Interval]:
    """Return the difference of two rates and its interval, from the two rates' own (Newcombe, 1998, method 10)."""
    apart = first.share - second.share
    low_1, high_1 = first.limits
    low_2, high_2 = second.limits
    low = apart - float(np.hypot(first.share - low_1, high_2 - second.share))
    high = apart + float(np.hypot(high_1 - first.share, second.share - low_2))
    return apart, (max(-1.0, low), min(1.0, high))


def design_effect(rate: Rate) -> float:
    """Return how many times more searches are needed because people were seen repeatedly: at least 1 (Kish, 1965)."""
    exact = rate.exact[1] - rate.exact[0]
    return max(1.0, ((rate.resampled[1] - rate.resampled[0]) / exact) ** 2)
