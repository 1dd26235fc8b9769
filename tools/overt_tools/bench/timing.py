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
    clock: Callable[[], float] = time.process_time,
) -> Spread:
    """Time a piece of work again and again.

    Args:
        work: What to time.
        seconds: Go on for so long.
        least: But take so many samples at least.
        warm_up: Run it so often before.
        clock: Gives seconds. This process's CPU time by default, which others on the core do not add to.

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
