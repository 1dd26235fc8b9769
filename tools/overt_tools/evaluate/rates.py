"""Rates at thresholds: TPIR at FPIR, TAR at FAR, and how sure they are. Terms as in ISO/IEC 19795-1.

A search scores at the threshold or above, or it raises no alert: the unit's own rule (`score >= threshold`).
"""

from fractions import Fraction

import numpy as np

from overt.recognition.arrays import Floats

from .trials import NO_FACE, Trials, Truths

POINTS = ("0.01", "0.003", "0.001")
"""False positive rates at which figures are given, as the keys of the JSON write them."""

CONFIDENCE = 0.95


def allowed(rate: str, searches: int) -> int:
    """Return how many of so many searches may raise a false alert at a rate: rounded down, in exact arithmetic."""
    return int(Fraction(rate) * searches)


def threshold_at(scores: Floats, rate: str) -> float:
    """Return the lowest threshold at which at most a rate of searches score at or above it.

    Scores are float32, so with k searches allowed it is the next float32 above the (k + 1)-th greatest score. Searches
    that tie with that one raise no alert either, so with ties fewer than k do. Searches without a face count among
    the searches and, at `NO_FACE`, are never at or above a threshold.

    Args:
        scores: (n,) float32: the best score of each search for someone who is not listed.
        rate: A number from 0 up to but not including 1, as text.

    Raises:
        ValueError: There are no searches.
    """
    if not scores.size:
        raise ValueError("expected searches to set a threshold by, found none")
    kept = allowed(rate, scores.size)
    first_refused = np.partition(scores, scores.size - 1 - kept)[scores.size - 1 - kept]
    return float(np.nextafter(max(first_refused, np.float32(NO_FACE)), np.float32(np.inf)))


def at_or_above(scores: Floats, threshold: float) -> Truths:
    """Return (n,) bool: which scores raise an alert, compared in double precision as a unit compares them."""
    return np.asarray(scores.astype(np.float64) >= threshold)


def identified(trials: Trials, threshold: float) -> int:
    """Return how many probes raise an alert with their own entry: it is the best one, and at or above the threshold."""
    return int((trials.correct & at_or_above(trials.genuine, threshold)).sum())


def interval(successes: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson, 1934), as if the trials were independent.

    Images of one person are not, quite: the true interval is a little wider.

    Args:
        successes: How many.
        of: Of how many, at least one.
        confidence: That the interval holds the true share.
    """
    from scipy.stats import beta  # noqa: PLC0415 - heavy, and help must be quick

    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, of - successes + 1))
    high = 1.0 if successes == of else float(beta.ppf(1 - tail, successes + 1, of - successes))
    return low, high


def shares_above(scores: Floats, thresholds: Floats) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the share of scores at or above each threshold."""
    ordered = np.sort(scores)
    return 1 - np.searchsorted(ordered, thresholds, side="left") / max(scores.size, 1)
