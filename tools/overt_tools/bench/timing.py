"""Repeated timing of one piece of work, after a warm-up."""

import time
from collections.abc import Callable, Sequence

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
    return spread(_samples(work, seconds, least, warm_up, clock))


def measure_in_turns(
    works: Sequence[Callable[[], object]],
    *,
    seconds: float,
    turns: int = 10,
    clock: Callable[[], float] = time.process_time,
) -> list[Spread]:
    """Time pieces of work that are to be compared: in turns, so that a core that slows down does so for all of them.

    Args:
        works: What to time.
        seconds: For each, in all its turns.
        turns: How often each has its turn, warmed up anew.
        clock: See `measure`.

    Returns:
        Milliseconds of each.
    """
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for work, taken in zip(works, samples, strict=True):
            taken.extend(_samples(work, seconds / turns, 1, 2, clock))
    return [spread(taken) for taken in samples]


def _samples(
    work: Callable[[], object], seconds: float, least: int, warm_up: int, clock: Callable[[], float]
) -> list[float]:
    for _ in range(warm_up):
        work()
    samples: list[float] = []
    end = clock() + seconds
    while len(samples) < least or clock() < end:
        began = clock()
        work()
        samples.append((clock() - began) * _MS)
    return samples
