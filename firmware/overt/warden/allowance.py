"""What may be logged singly a minute, so that nobody fills the log by repeating the same."""


class Allowance:
    """So many a minute, and a count of what was beyond."""

    def __init__(self, a_minute: int) -> None:
        self._most, self._left, self._beyond, self._until = a_minute, a_minute, 0, 0.0

    def take(self, now_s: float) -> tuple[bool, int]:
        """Return whether one more is allowed, and how many were not in the minute that has just ended."""
        suppressed = 0
        if now_s >= self._until:
            suppressed, self._beyond = self._beyond, 0
            self._left, self._until = self._most, now_s + 60.0
        if self._left == 0:
            self._beyond += 1
            return False, suppressed
        self._left -= 1
        return True, suppressed
