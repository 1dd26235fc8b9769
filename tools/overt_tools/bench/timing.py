"""Repeated timing of one piece of work, after a warm-up."""

import time
from collections.abc import Callable

from .statistics import Spread, spread

_MS = 1e3


def measure(
    work: Callable[[], object],
    *,
    seconds: float,
    least: int = 5,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> Spread:
    """Time a piece of work again and again.

    Args:
        work: What to time.
        seconds: Go on for so long.
        least: But take so many samples at least.
        warm_up: Run it so often before.
        clock: Gives seconds. Wall-clock time by default: on a pinned core of an idle machine that is its CPU time,
            without the cost of asking the kernel for that.

    Returns:
        Milliseconds.
    """
    for _ in range(warm_up):
        work()
    samples: list[float] = []
    end = clock() + seconds
    while len(samples) < least or clock() < end:
        began = clock()
        work()
        samples.append((clock() - began) * _MS)
    return spread(samples)
