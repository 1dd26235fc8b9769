"""From samples to a few numbers that can be trusted: median and spread, no mean that one hiccup spoils."""

from collections.abc import Sequence

import msgspec
import numpy as np


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How samples of one quantity lie.

    Attributes:
        count: How many there are.
        least: The smallest.
        median: Half are below.
        p95: 95 in 100 are at or below.
        p99: 99 in 100 are at or below; with fewer than 100 samples this is the largest.
        most: The largest.
        deviation: Median absolute deviation from the median, not scaled.
        mean: For sums over many pictures; the median is what to compare.
    """

    count: int
    least: float
    median: float
    p95: float
    p99: float
    most: float
    deviation: float
    mean: float


def spread(samples: Sequence[float]) -> Spread:
    """Sum up samples. Percentiles are by nearest rank, so each is a value that was measured.

    Raises:
        ValueError: There are none.
    """
    if not samples:
        raise ValueError("expected at least one sample, found none")
    values = np.sort(np.asarray(samples, np.float64))
    median = float(np.median(values))
    return Spread(
        count=len(values),
        least=_round(values[0]),
        median=_round(median),
        p95=_round(_rank(values, 95)),
        p99=_round(_rank(values, 99)),
        most=_round(values[-1]),
        deviation=_round(np.median(np.abs(values - median))),
        mean=_round(values.mean()),
    )


def _rank(ordered: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", percent: int) -> float:
    return float(ordered[max(1, -(-len(ordered) * percent // 100)) - 1])


def _round(value: float) -> float:
    """Keep six significant digits: no clock is better."""
    return float(f"{float(value):.6g}")
