"""Intervals, tests and verdicts, against slow and obvious ways of getting them."""

from collections import Counter
from itertools import permutations, product
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt_tools.evaluate import statistics as stats
from overt_tools.evaluate.ceilings import lowest, lowest_shown
from overt_tools.evaluate.findings import Verdict
from overt_tools.evaluate.rates import interval
from overt_tools.evaluate.statistics import People, Rate
from overt_tools.evaluate.verdict import judge, largest_difference, needed, together

few_examples = settings(deadline=None, derandomize=True, max_examples=60)
shares_of_one = st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.3])


def people(hits: list[int], trials: list[int], group: list[int] | None = None) -> People:
    column = np.array(hits, np.float64)[:, None]
    return People(np.array(group or [0] * len(hits), np.int64), column, np.array(trials, np.float64))


def rate(hits: int, of: int) -> Rate:
    exact = interval(hits, of)
    return Rate(hits, of, exact, exact)


# Resampling people


def test_resampling_draws_whole_people_and_each_as_often_as_another() -> None:
    hits, trials = [0, 2, 3], [1, 2, 4]
    drawn = stats.resampled_rates(people(hits, trials), seed=3, resamples=4000)[:, 0]
    ways = Counter(
        round(sum(hits[who] for who in way) / sum(trials[who] for who in way), 9) for way in product(range(3), repeat=3)
    )
    found = Counter(np.round(drawn, 9).tolist())
    assert set(found) == set(ways)
    for value, ways_to in ways.items():
        assert found[value] / 4000 == pytest.approx(ways_to / 27, abs=0.03)


def test_ten_pictures_of_each_person_are_not_ten_times_the_evidence() -> None:
    once, ten = people([0, 1] * 50, [1] * 100), people([0, 10] * 50, [10] * 100)
    (alone,), (repeated,) = stats.rates_of(once, 1)[0], stats.rates_of(ten, 1)[0]
    assert alone.resampled == repeated.resampled
    assert repeated.exact[1] - repeated.exact[0] < 0.4 * (alone.exact[1] - alone.exact[0])
    assert repeated.limits == repeated.resampled, "the wider one counts"
    assert stats.design_effect(repeated) == pytest.approx(10, rel=0.2)


def test_an_interval_holds_both_others_and_is_the_same_each_time() -> None:
    some = people([0, 1, 1, 0, 2], [1, 2, 1, 3, 2])
    (found,) = stats.rates_of(some, 1)[0]
    assert found.limits[0] <= min(found.exact[0], found.resampled[0])
    assert found.limits[1] >= max(found.exact[1], found.resampled[1])
    assert stats.rates_of(some, 1) == stats.rates_of(some, 1)


# Tests for difference


def test_the_permutation_test_is_what_dealing_out_groups_in_every_way_gives() -> None:
    hits, trials, group = [1, 2, 0, 3, 0, 1], [1, 2, 2, 3, 1, 1], [0, 0, 1, 0, 1, 1]

    def spread(dealt: tuple[int, ...]) -> float:
        sums = [(sum(h for h, g in zip(hits, dealt, strict=True) if g == one),
                 sum(t for t, g in zip(trials, dealt, strict=True) if g == one)) for one in (0, 1)]  # fmt: skip
        return abs(sums[0][0] / sums[0][1] - sums[1][0] / sums[1][1])

    every = [spread(tuple(group[at] for at in way)) for way in permutations(range(6))]
    exact = sum(one >= spread(tuple(group)) - 1e-12 for one in every) / len(every)
    assert stats.spread_p_values(people(hits, trials, group), 2, seed=1)[0] == pytest.approx(exact, abs=0.02)


def test_chance_is_never_said_to_be_impossible() -> None:
    p = stats.spread_p_values(people([1] * 30 + [0] * 30, [1] * 60, [0] * 30 + [1] * 30), 2, 1, permutations=99)
    assert p == [0.01]


@few_examples
@given(st.tuples(*[st.integers(0, 8)] * 4).filter(lambda t: t[0] + t[1] > 0 and t[2] + t[3] > 0))
def test_fishers_test_adds_up_the_tables_that_are_no_likelier(table: tuple[int, int, int, int]) -> None:
    a, b, c, d = table
    rows, hits, total = (a + b, c + d), a + c, a + b + c + d
    ways = {
        x: comb(rows[0], x) * comb(rows[1], hits - x) for x in range(hits + 1) if x <= rows[0] and hits - x <= rows[1]
    }
    expected = sum(way for way in ways.values() if way <= ways[a] * (1 + 1e-7)) / comb(total, hits)
    name, p = stats.table_p_value([rate(a, a + b), rate(c, c + d)])
    assert name == "Fisher's exact test"
    assert p == pytest.approx(expected)


@few_examples
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_p_values_are_those_of_stepping_down(p_values: list[float]) -> None:
    found = stats.holm(p_values)
    ordered = sorted(p_values)
    for p, adjusted in zip(p_values, found, strict=True):
        below = [min(1.0, (len(ordered) - rank) * q) for rank, q in enumerate(ordered) if q <= p]
        assert adjusted == pytest.approx(max(below))
        assert adjusted >= p or adjusted == pytest.approx(p)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """56 of 70 against 48 of 80, with Wilson's intervals: 0.0524 to 0.3339 (Newcombe, 1998, table II, method 10)."""

    def wilson(hits: int, of: int) -> Rate:
        z, share = 1.959964, hits / of
        middle, half = share + z**2 / (2 * of), z * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
        limits = ((middle - half) / (1 + z**2 / of), (middle + half) / (1 + z**2 / of))
        return Rate(hits, of, limits, limits)

    apart, (low, high) = stats.difference(wilson(56, 70), wilson(48, 80))
    assert (apart, low, high) == (pytest.approx(0.2), pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


# Thresholds for a ceiling


@few_examples
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60), shares_of_one)
def test_the_threshold_for_a_ceiling_is_the_lowest_that_keeps_it(scores: list[float], ceiling: float) -> None:
    found = lowest(np.array(scores, np.float32), ceiling)
    assert found is not None

    def share(threshold: float) -> float:
        return sum(score >= threshold for score in scores) / len(scores)

    assert share(found) <= ceiling
    below = float(np.nextafter(np.float32(found), np.float32(-2)))
    assert below < -1 or share(below) > ceiling


def test_a_ceiling_is_shown_only_by_enough_faces() -> None:
    """The rule of three, exactly: none of n shows 1 in 1,000 with 97.5 % confidence on its side from 3,688 on."""
    assert lowest_shown(np.zeros(3687, np.float32), 0.001) is None
    assert lowest_shown(np.zeros(3688, np.float32), 0.001) is not None
    assert lowest_shown(np.zeros(0, np.float32), 0.001) is None


# Verdicts


def test_equal_unequal_and_not_known_are_three_answers() -> None:
    def verdict(a: Rate, b: Rate, p: float, least: int = 200) -> Verdict:
        return judge("recognition", {"a": a, "b": b}, 0.05, p, least)[0]

    assert verdict(rate(4500, 5000), rate(4480, 5000), 0.5) is Verdict.EQUAL
    assert verdict(rate(450, 500), rate(350, 500), 0.0001) is Verdict.UNEQUAL
    assert verdict(rate(270, 300), rate(268, 300), 0.9) is Verdict.UNKNOWN, "may still be far apart"
    assert verdict(rate(18, 20), rate(12, 20), 0.08) is Verdict.UNKNOWN, "far apart, perhaps by chance"
    assert verdict(rate(4500, 5000), rate(4400, 5000), 0.002) is Verdict.EQUAL, "apart for certain, and not far"


@few_examples
@given(st.integers(0, 199), st.integers(1, 199), st.integers(200, 100_000), st.floats(0, 1))
def test_too_few_are_never_equal(hits: int, few: int, many: int, p: float) -> None:
    rates = {"few": rate(min(hits, few), few), "many": rate(many // 2, many)}
    assert judge("recognition", rates, 0.05, p, least=200)[0] is not Verdict.EQUAL


def test_nobody_left_out_makes_equal() -> None:
    rates = {"a": rate(45_000, 50_000), "b": rate(45_000, 50_000)}
    verdict, reason = judge("recognition", rates, 0.05, 1.0, 200, ["nobody of c was measured"])
    assert verdict is Verdict.UNKNOWN
    assert "nobody of c was measured" in reason


def test_one_unequal_rate_is_enough_and_one_unknown_spoils_equality() -> None:
    assert together([Verdict.EQUAL, Verdict.UNEQUAL, Verdict.UNKNOWN]) is Verdict.UNEQUAL
    assert together([Verdict.EQUAL, Verdict.UNKNOWN]) is Verdict.UNKNOWN
    assert together([Verdict.EQUAL, Verdict.EQUAL]) is Verdict.EQUAL
    assert together([]) is Verdict.UNKNOWN


def test_of_three_groups_the_two_that_are_furthest_apart_count() -> None:
    gap, (low, high) = largest_difference({"a": rate(90, 100), "b": rate(80, 100), "c": rate(40, 100)})
    assert gap == pytest.approx(0.5)
    assert 0.3 < low < 0.5 < high < 0.7


def test_the_testers_that_are_said_to_be_needed_would_do() -> None:
    rates = {"a": rate(270, 300), "b": rate(264, 300)}
    assert judge("recognition", rates, 0.05, 0.5, 200)[0] is Verdict.UNKNOWN
    more = {one.group: one for one in needed(rates, {"a": 150, "b": 150}, 0.05, 200)}
    assert more["a"].testers == pytest.approx(more["a"].searches / 2, abs=1)
    grown = {
        name: rate(round(found.share * (found.trials + more[name].searches)), found.trials + more[name].searches)
        for name, found in rates.items()
    }
    assert judge("recognition", grown, 0.05, 0.5, 200)[0] is Verdict.EQUAL
