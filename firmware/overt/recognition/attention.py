"""When to look for faces: often while something moves, seldom while nothing does.

Finding faces is what a picture costs. A street where nothing has changed since the last look is looked at again now and
then, so that a face that has been there all along, or came without moving, is found; a street where something moves is
looked at as often as following faces needs, which is less often than a camera gives pictures.
"""

from dataclasses import dataclass

import numpy as np

from overt.recognition.arrays import Bytes, Floats

_MS = 1_000_000
_BLOCK = 16  # pixels of the detector's input; half a head of the size from which people are recognised
_STEP = 2  # of them, every second one both ways is read: 64 of 256, which is enough to average noise away


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look.

    Attributes:
        busy_ms: The least time between looks while something moves or a face is followed. Shorter than two pictures of
            a camera at 25 or 30 a second, so every second one is looked at; a slower camera's are all looked at.
        idle_ms: The longest time between looks, whatever happens: a bound on how late a face is found.
        least_change: Levels (0..255) by which the mean of a block has to change to count as moving. The noise of such a
            mean is an eighth of a pixel's, so 4 is five to six standard deviations of the difference of two of them
            for a sensor with 4 levels of noise.
    """

    busy_ms: int = 60
    idle_ms: int = 400
    least_change: float = 4.0


SLOWER = (Pace(), Pace(busy_ms=100, idle_ms=600), Pace(busy_ms=150, idle_ms=800))
"""To stay cool: all the looks, two thirds, half of them, at 25 pictures a second.

No slower: a face that crosses the view at a walk (1.4 m/s, seven times its own size a second) is taken for another one
when it is looked at less than six times a second (`track.Settings.max_distance`).
"""

EVERY_PICTURE = Pace(busy_ms=0, idle_ms=0)
"""Looks at every picture."""


class Attention:
    """Decides for each picture of one view whether to look for faces in it."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._seen: Floats | None = None
        self._looked_ns = 0

    def due(self, now_ns: int) -> bool:
        """Tell whether enough time has passed to look again, whatever the picture shows.

        Args:
            now_ns: When it was taken, Unix time in nanoseconds.
        """
        return self._seen is None or not 0 <= (now_ns - self._looked_ns) / _MS < self._pace.busy_ms

    def wants(self, small: Bytes, now_ns: int, *, following: bool) -> bool:
        """Tell whether to look at this picture, and remember it if so.

        Args:
            small: (h, w, 3) uint8, the detector's input.
            now_ns: When it was taken, Unix time in nanoseconds. A step back in time is looked at.
            following: Whether any face is being followed.
        """
        if not self.due(now_ns):
            return False
        since_ms = (now_ns - self._looked_ns) / _MS
        means = block_means(small)
        calm = (
            self._seen is not None
            and self._seen.shape == means.shape
            and 0 <= since_ms < self._pace.idle_ms
            and not following
            and change(self._seen, means) < self._pace.least_change
        )
        if not calm:
            self._seen, self._looked_ns = means, now_ns
        return not calm

    def change_pace(self, pace: Pace) -> None:
        """Look more or less often from now on."""
        self._pace = pace

    def clear(self) -> None:
        """Forget the last picture."""
        if self._seen is not None:
            self._seen.fill(0)
        self._seen = None


def block_means(small: Bytes) -> Floats:
    """Return the mean green (nearly luma, and a third of the reading) of each block of 16 x 16 pixels.

    Args:
        small: (h, w, 3) uint8; what is left over at the right and at the bottom does not count.

    Returns:
        (h // 16, w // 16) float32, 0..255.
    """
    rows, columns = small.shape[0] // _BLOCK, small.shape[1] // _BLOCK
    read = small[: rows * _BLOCK : _STEP, : columns * _BLOCK : _STEP, 1]
    side = _BLOCK // _STEP
    return np.asarray(read.reshape(rows, side, columns, side).mean(axis=(1, 3), dtype=np.float32), np.float32)


def change(before: Floats, now: Floats) -> float:
    """Return by how much the block changed that changed most, in levels.

    What all blocks have in common is taken away first: a cloud, a lamp's flicker and a camera's exposure change the
    whole view, by a factor and not by an amount, so each block is compared with what that factor makes of it.

    Args:
        before: (rows, columns) float32.
        now: The same.
    """
    gain = (float(np.median(now)) + 1) / (float(np.median(before)) + 1)
    return float(np.abs(now - before * np.float32(gain)).max(initial=0.0))
