"""How long to wait before the next attempt."""

import secrets
from collections.abc import Callable

Draw = Callable[[float, float], float]
_DRAW: Draw = secrets.SystemRandom().uniform


class Backoff:
    """Exponential backoff with full jitter, so that a fleet that lost its broker does not come back all at once.

    The n-th wait is drawn evenly from 0 to min(longest, first * 2^n) ("Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015), with a floor that keeps an unlucky draw from hammering.
    """

    FLOOR_S = 0.05

    def __init__(self, first_s: float = 1.0, longest_s: float = 60.0, draw: Draw = _DRAW) -> None:
        self._first, self._longest, self._draw = first_s, longest_s, draw
        self._attempts = 0

    def next(self) -> float:
        """Return the next wait in seconds."""
        ceiling = min(self._longest, self._first * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return max(self.FLOOR_S, self._draw(0.0, ceiling))

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._attempts = 0
