"""Playing footage at its own speed: when each picture is due, and which come too late."""

_LATE_S = 0.04
_REANCHOR_S = 1.0
_MAX_SKIPPED = 4


class Pace:
    """Says when pictures are due. Late ones are skipped, not queued; far too late, the clock gives way."""

    def __init__(self) -> None:
        self._anchor: float | None = None
        self._skipped = 0

    def due(self, position_s: float, now_s: float) -> float:
        """Return when the picture at a position of the footage is due, on the clock of `now_s`.

        When it is more than a second away in either direction (a jump in the footage, or a machine too slow for it),
        the footage goes on from now.

        Args:
            position_s: Seconds from the start of the footage.
            now_s: Seconds on a steady clock.
        """
        if self._anchor is None or abs(self._anchor + position_s - now_s) > _REANCHOR_S:
            self._anchor = now_s - position_s
        return self._anchor + position_s

    def skip(self, due_s: float, now_s: float) -> bool:
        """Tell whether a picture is too late to be used. Never says so of more than a few in a row."""
        if now_s - due_s <= _LATE_S or self._skipped >= _MAX_SKIPPED:
            self._skipped = 0
            return False
        self._skipped += 1
        return True
