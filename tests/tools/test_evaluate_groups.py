"""Groups compared: what is counted of each, who is worst off, and what is said when somebody is missing."""

import pytest

from overt.protocol import limits
from overt_tools.evaluate.findings import Comparison, Findings, Verdict
from overt_tools.evaluate.groups import GIVEN, compare, thresholds_of
from overt_tools.evaluate.searches import Evidence
from tests.tools.equal import crowd, evidence, searches

WOMEN, MEN = {"sex": "women"}, {"sex": "men"}
AT = [(GIVEN, 0.5)]


def by_sex(found: Findings) -> Comparison:
    (comparison,) = found.comparisons
    return comparison


def test_each_group_is_counted_and_the_worst_off_is_named() -> None:
    found = compare(evidence([(WOMEN, (40, 100), (6, 400)), (MEN, (90, 100), (1, 500))]), ["sex"], AT)
    at = by_sex(found).at[0]
    women, men = (next(one for one in at.groups if one.name == name) for name in ("women", "men"))
    assert women.tpir is not None
    assert women.fpir is not None
    assert (women.tpir.hits, women.tpir.of, women.tpir.people) == (40, 100, 100)
    assert (women.fpir.hits, women.fpir.of) == (6, 400)
    assert men.tpir is not None
    assert men.tpir.rate == 0.9
    assert (at.tpir.worst, at.tpir.best, at.tpir.gap) == ("women", "men", pytest.approx(0.5))
    assert (at.fpir.worst, at.fpir.best) == ("women", "men")
    assert by_sex(found).verdict is found.verdict is Verdict.UNEQUAL
    assert found.headline == "Unequal treatment is shown."


def test_so_many_that_it_is_shown_are_equal() -> None:
    found = compare(evidence([(sex, (2700, 3000), (2, 20_000)) for sex in (WOMEN, MEN)], each=5), ["sex"], AT)
    assert found.verdict is Verdict.EQUAL
    assert by_sex(found).at[0].tpir.needed == ()


def test_too_few_are_not_equal_however_alike_and_it_is_said_how_many_are_missing() -> None:
    found = compare(evidence([(sex, (9, 10), (0, 10)) for sex in (WOMEN, MEN)]), ["sex"], AT)
    assert found.verdict is Verdict.UNKNOWN
    assert "not enough evidence" in found.headline
    gap = by_sex(found).at[0].tpir
    assert {one.group for one in gap.needed} == {"women", "men"}
    assert all(one.searches >= limits.GROUP_MIN_PASSAGES - 10 for one in gap.needed)


def test_one_group_alone_is_compared_with_nobody() -> None:
    found = compare(evidence([(WOMEN, (2700, 3000), (0, 9000))]), ["sex"], AT)
    at = by_sex(found).at[0]
    assert (found.verdict, at.tpir.p, at.tpir.worst) == (Verdict.UNKNOWN, None, None)
    assert "fewer than two groups" in at.tpir.reason


def test_a_group_of_which_nobody_was_listed_stands_in_the_way_of_equality() -> None:
    some = evidence([(sex, (2700, 3000), (2, 20_000)) for sex in (WOMEN, MEN)], each=5)
    extra = searches(*crowd("other", {"sex": "non-binary"}, 0, 9000))
    faces = searches(
        *zip(some.faces.subject + extra.subject, some.faces.labels + extra.labels,
             [*some.faces.scores, *extra.scores], strict=True)
    )  # fmt: skip
    found = compare(Evidence(some.passages, faces), ["sex"], AT)
    at = by_sex(found).at[0]
    assert found.verdict is Verdict.UNKNOWN
    assert "nobody of non-binary was measured" in at.tpir.reason
    assert next(one for one in at.groups if one.name == "non-binary").tpir is None


def test_people_who_say_nothing_stand_in_the_way_of_equality() -> None:
    groups = [(WOMEN, (2700, 3000), (2, 20_000)), (MEN, (2700, 3000), (2, 20_000)), ({}, (900, 1000), (0, 100))]
    found = compare(evidence(groups, each=5), ["sex"], AT)
    assert found.verdict is Verdict.UNKNOWN
    assert by_sex(found).unstated_passages == pytest.approx(1000 / 7000)
    assert "14% of the searches are for people in no group" in by_sex(found).at[0].tpir.reason


def test_three_groups_are_compared_each_with_each() -> None:
    ages = [({"age": name}, (hits, 400), (0, 4000)) for name, hits in (("18-30", 390), ("31-60", 385), ("61+", 250))]
    at = compare(evidence(ages), ["age"], AT).comparisons[0].at[0]
    assert (at.tpir.worst, at.tpir.best, at.tpir.verdict) == ("61+", "18-30", Verdict.UNEQUAL)
    assert at.tpir.table_test == "chi-square test"


def test_p_values_allow_for_how_many_comparisons_there_are() -> None:
    groups = [({"sex": sex, "age": sex}, (hits, 300), (0, 100)) for sex, hits in (("a", 270), ("b", 252))]
    one, two = (compare(evidence(groups), names, AT) for names in (["sex"], ["sex", "age"]))
    alone, among = one.comparisons[0].at[0].tpir, two.comparisons[0].at[0].tpir
    assert alone.p == among.p
    assert (one.comparisons_made, two.comparisons_made) == (2, 4)
    assert alone.p_adjusted is not None
    assert among.p_adjusted is not None
    assert alone.p_adjusted < among.p_adjusted


def test_stray_alerts_count_among_everyones() -> None:
    found = compare(evidence([(WOMEN, (90, 100), (0, 500)), (MEN, (90, 100), (0, 500))], stray=3), ["sex"], AT)
    overall = found.overall[0]
    assert (overall.fpir.hits, overall.fpir.rate, overall.usable) == (3, 0.003, False)
    assert overall.fpir.interval[0] <= overall.fpir.rate <= overall.fpir.interval[1]


def test_each_groups_own_threshold_for_the_ceiling_is_given() -> None:
    rows = [(f"w{at}", WOMEN, 0.3 + at / 10_000) for at in range(2000)]
    rows += [(f"m{at}", MEN, 0.2 + at / 10_000) for at in range(500)]
    listed = [("l1", WOMEN, 0.6), ("l2", MEN, 0.6)]
    found = compare(Evidence(searches(*listed), searches(*rows)), ["sex"], AT)
    men, women = by_sex(found).ceilings
    assert women.threshold == pytest.approx(0.4997, abs=1e-4), "two of 2,000 are left above it"
    assert men.threshold == pytest.approx(0.2499, abs=1e-4), "none of 500 may be"
    assert women.shown is men.shown is None
    assert (women.tpir, women.faces) == (1.0, 2000)


def test_the_thresholds_are_those_for_everyone_together_and_those_asked_for() -> None:
    some = evidence([(WOMEN, (5, 10), (1, 1000)), (MEN, (5, 10), (0, 1000))])
    assert [name for name, _ in thresholds_of(some, [0.7])] == ["0.01", "0.003", "0.001", "given"]
    assert compare(some, ["sex"], thresholds_of(some, [0.7])).main == 3


def test_the_same_trials_give_the_same_findings() -> None:
    some = evidence([(WOMEN, (80, 100), (1, 300)), (MEN, (90, 100), (0, 300))], each=3)
    assert compare(some, ["sex"], AT) == compare(some, ["sex"], AT)
