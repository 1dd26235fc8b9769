"""The figures of evaluations, against slow and obvious ways of getting them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.recognition.arrays import Floats
from overt_tools.evaluate import rates, verification
from overt_tools.evaluate.measured import Measured
from overt_tools.evaluate.pairs import Pair
from overt_tools.evaluate.trials import NO_FACE, Trials

# Few different values, so that there are ties.
coarse = st.lists(st.sampled_from([-1.0, -0.2, 0.0, 0.1, 0.25, 0.3, 0.5, 1.0]), min_size=1, max_size=40)
fine = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40)
few_examples = settings(deadline=None, derandomize=True, max_examples=80)


def floats(values: list[float]) -> Floats:
    return np.array(values, np.float32)


def alerts(scores: list[float], threshold: float) -> int:
    return sum(score >= threshold for score in floats(scores).tolist())


@few_examples
@given(st.one_of(coarse, fine), st.sampled_from(["0.0", "0.001", "0.01", "0.1", "0.3", "0.5", "0.99"]))
def test_the_threshold_is_the_lowest_at_which_no_more_than_the_rate_raise_an_alert(
    scores: list[float], rate: str
) -> None:
    threshold = rates.threshold_at(floats(scores), rate)
    assert Fraction(alerts(scores, threshold), len(scores)) <= Fraction(rate)
    below = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
    is_lowest = Fraction(alerts(scores, below), len(scores)) > Fraction(rate)
    assert is_lowest or below == NO_FACE, "below it too many raise one, or only those without a face are left"


def test_as_many_false_alerts_as_allowed_are_used_and_not_one_more() -> None:
    scores = floats([0.9, 0.8, 0.7] + [0.1] * 997)
    assert rates.threshold_at(scores, "0.003") == pytest.approx(0.1, abs=1e-6)
    assert (scores >= rates.threshold_at(scores, "0.003")).sum() == 3
    assert (scores[:999] >= rates.threshold_at(scores[:999], "0.003")).sum() == 2, "0.3 % of 999 searches are two whole"


def test_searches_that_tie_where_the_limit_falls_all_raise_no_alert() -> None:
    scores = floats([0.9, 0.5, 0.5, 0.5] + [0.1] * 96)
    assert rates.allowed("0.03", 100) == 3
    threshold = rates.threshold_at(scores, "0.03")
    assert (scores >= threshold).sum() == 1
    assert threshold == float(np.nextafter(np.float32(0.5), np.float32(1)))


def test_without_room_for_one_false_alert_the_threshold_is_above_every_impostor() -> None:
    scores = floats([0.2, 0.4, 0.3])
    assert rates.threshold_at(scores, "0.3") > 0.4
    assert rates.threshold_at(scores, "0.001") == float(np.nextafter(np.float32(0.4), np.float32(1)))


@pytest.mark.parametrize(("rate", "searches", "most"), [("0.003", 1000, 3), ("0.01", 29, 0), ("0.29", 100, 29)])
def test_the_number_allowed_is_exact_where_binary_fractions_are_not(rate: str, searches: int, most: int) -> None:
    assert rates.allowed(rate, searches) == most


def test_impostors_without_a_face_count_as_searches_without_alert() -> None:
    with_face = floats([0.6, 0.5, 0.4, 0.3, 0.2])
    threshold = rates.threshold_at(with_face, "0.1")
    assert alerts(with_face.tolist(), threshold) == 0
    more = np.concatenate([with_face, np.full(5, NO_FACE, np.float32)])
    assert alerts(more.tolist(), rates.threshold_at(more, "0.1")) == 1
    assert rates.threshold_at(np.full(10, NO_FACE, np.float32), "0.5") > NO_FACE


def test_a_threshold_needs_searches() -> None:
    with pytest.raises(ValueError, match="found none"):
        rates.threshold_at(floats([]), "0.01")


def trials(genuine: list[float], correct: list[bool], best: list[float]) -> Trials:
    names = tuple(f"p{n}" for n in range(len(genuine)))
    return Trials(
        listed=("p0",),
        probe_subject=names,
        probe_image=names,
        genuine=floats(genuine),
        correct=np.array(correct, np.bool_),
        best=floats(best),
        impostor_subject=("i",),
        impostor_image=("i/1.jpg",),
        impostor=floats([0.0]),
        model_digest="m",
        data_set_digest="d",
    )


def test_a_probe_is_identified_when_the_best_entry_is_its_own_and_at_or_above_the_threshold() -> None:
    some = trials([0.5, 0.6, 0.25, -1.0], [True, False, True, False], [0.5, 0.75, 0.25, 0.9])
    assert rates.identified(some, 0.5) == 1
    assert rates.identified(some, 0.51) == 0
    assert rates.identified(some, 0.25) == 2


def test_scores_are_compared_with_a_threshold_as_a_unit_compares_them() -> None:
    assert float(np.float32(0.7)) < 0.7
    assert not rates.at_or_above(floats([0.7]), 0.7).any(), "in single precision they would be equal"


def test_scores_of_other_lengths_or_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 of best, found 1"):
        trials([0.5, 0.6], [True, True], [0.5])
    with pytest.raises(ValueError, match="float32"):
        Trials(**{**fields(trials([0.5], [True], [0.5])), "genuine": np.array([0.5])})


def fields(of: Trials) -> dict[str, object]:
    return {name: getattr(of, name) for name in of.__dataclass_fields__}


@few_examples
@given(st.integers(0, 30), st.integers(1, 30), st.sampled_from([0.9, 0.95]))
def test_the_interval_is_the_exact_one(successes: int, of: int, confidence: float) -> None:
    successes = min(successes, of)
    low, high = rates.interval(successes, of, confidence)
    assert 0 <= low <= successes / of <= high <= 1
    # At each end, what was seen or more extreme has half of the remaining probability.
    if successes > 0:
        assert binomial_tail(of, low, range(successes, of + 1)) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    if successes < of:
        assert binomial_tail(of, high, range(successes + 1)) == pytest.approx((1 - confidence) / 2, rel=1e-6)


def binomial_tail(of: int, share: float, counts: range) -> float:
    from math import comb

    return sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in counts)


@few_examples
@given(fine, st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=10))
def test_shares_above_count_those_at_or_above(scores: list[float], thresholds: list[float]) -> None:
    shares = rates.shares_above(floats(scores), floats(thresholds))
    for share, threshold in zip(shares, thresholds, strict=True):
        assert share == pytest.approx(alerts(scores, threshold) / len(scores))


labelled = st.lists(st.tuples(st.sampled_from([-1.0, 0.1, 0.2, 0.3, 0.4]), st.booleans()), min_size=2, max_size=30)


@few_examples
@given(labelled)
def test_the_verification_threshold_tells_as_many_pairs_right_as_any_could(pairs: list[tuple[float, bool]]) -> None:
    scores, same = floats([score for score, _ in pairs]), np.array([truth for _, truth in pairs], np.bool_)
    threshold = verification.best_threshold(scores, same)

    def right(at: float) -> int:
        return sum((score >= at) == truth for score, truth in zip(scores.tolist(), same.tolist(), strict=True))

    anywhere = [-2.0, *np.linspace(-1.05, 0.5, 63).tolist(), 2.0]
    assert right(threshold) == max(right(at) for at in anywhere)


def test_a_folds_accuracy_is_at_the_threshold_of_the_other_folds() -> None:
    # On its own, fold "2" would be best told apart at 0.75; the others say 0.35.
    scores = floats([0.5, 0.2, 0.5, 0.2, 0.8, 0.7])
    same = np.array([True, False] * 3)
    by_fold = verification.accuracies(scores, same, ["0", "0", "1", "1", "2", "2"])
    assert by_fold["2"] == (0.5, pytest.approx(0.35))
    assert by_fold["0"][0] == 1.0
    result = verification.figures(scores, same, ["0", "0", "1", "1", "2", "2"])
    assert result["accuracy"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert result["accuracy_standard_error"] == pytest.approx(np.std([1, 1, 0.5], ddof=1) / np.sqrt(3))
    assert result["tar"]["0.001"] == pytest.approx(1 / 3), "no false accept is allowed, and 0.7 is one pair's of two"


def test_a_pair_without_a_face_is_told_to_be_of_two_people() -> None:
    face = Measured(template=np.array([1, 0], "<f4").tobytes())
    pairs = [Pair("0", "a", "b", True), Pair("0", "a", "c", True)]
    scores = verification.pair_scores(pairs, {"a": face, "b": face, "c": Measured()})
    assert scores.tolist() == [1.0, NO_FACE]
