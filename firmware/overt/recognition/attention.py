"""When to look for faces, and whether the whole view has to be looked at.

Finding faces is what a picture costs. A street where nothing has changed since the last look is looked at again now and
then, so that a face that has been there all along, or came without moving, is found; a street where something moves is
looked at as often as following faces needs, which is less often than a camera gives pictures. What changed is read from
a few lines of the camera's own picture, so one that is not looked at is not even scaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.frame import Frame

Box = tuple[float, float, float, float]
Moved: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"

_MS = 1_000_000
_BLOCK = 16  # pixels of the detector's input; half a head of the size from which people are recognised
_LINES = 4  # of each block, whole, evenly spread: 128 of 1,024 pixels at 1080p, which is enough to average noise away


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look.

    Attributes:
        busy_ms: The least time between looks while a face is followed. Shorter than two pictures of a camera at 25 or
            30 a second, so every second one is looked at; a slower camera's are all looked at.
        newcomer_ms: The longest time between looks at the whole view while something moves that is not followed: a
            bound on how late a face is found that moves.
        idle_ms: The same while nothing does: a bound for a face that comes without moving.
        calm_ms: The same once nothing has moved, and no face been followed, for `settle_ms`.
        settle_ms: See `calm_ms`.
        least_change: Levels (0..255) by which the mean of a block has to change to count as moving. The noise of such a
            mean is an eleventh of a pixel's, so 3.5 is seven standard deviations of the difference of two of them for a
            sensor with 4 levels of noise.
    """

    busy_ms: int = 60
    newcomer_ms: int = 200
    idle_ms: int = 400
    calm_ms: int = 1000
    settle_ms: int = 5000
    least_change: float = 3.5


SLOWER = (
    Pace(),
    Pace(busy_ms=100, newcomer_ms=300, idle_ms=600, calm_ms=1500),
    Pace(busy_ms=150, newcomer_ms=400, idle_ms=800, calm_ms=2000),
)
"""To stay cool: all the looks, two thirds, half of them, at 25 pictures a second.

No slower: a face that crosses the view at a walk (1.4 m/s, seven times its own size a second) is taken for another one
when it is looked at less than six times a second (`track.Settings.max_distance`).
"""

EVERY_PICTURE = Pace(busy_ms=0, newcomer_ms=0, idle_ms=0, calm_ms=0)
"""Looks at every picture, and at the whole of it."""


class Attention:
    """Decides for each picture of one view whether to look for faces in it."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._seen: Floats | None = None
        self._moved: Moved = np.zeros((0, 0), np.bool_)
        self._block = 1
        self._looked_ns = 0
        self._whole_ns = 0
        self._stirred_ns = 0

    def wants(self, frame: Frame, *, following: bool) -> bool:
        """Tell whether to look at this picture, and remember it if so.

        Args:
            frame: The picture. One taken before the last is looked at: the clock was set back.
            following: Whether any face is being followed.
        """
        now_ns = frame.captured_ns
        since_ns = now_ns - self._looked_ns
        if self._seen is not None and 0 <= since_ns < self._pace.busy_ms * _MS:
            return False
        block = block_of(frame)
        means = block_means(frame.y, block)
        known = self._seen is not None and self._seen.shape == means.shape and since_ns >= 0
        moved = (
            changed(self._seen, means, self._pace.least_change)
            if known and self._seen is not None
            else np.ones(means.shape, np.bool_)
        )
        moves = bool(moved.any())
        if known and since_ns < self._patience_ms(now_ns, following=following, moves=moves) * _MS:
            return False
        self._seen, self._moved, self._block, self._looked_ns = means, moved, block, now_ns
        if following or moves:
            self._stirred_ns = now_ns
        return True

    def whole(self, followed: Sequence[Box], *, lost: bool) -> bool:
        """Tell whether the whole of the picture that is looked at has to be, and remember it if so.

        It has to be when that was not done for `Pace.idle_ms`, or for `Pace.newcomer_ms` while a face is lost or
        something moves that is not one of the people whose faces are followed.

        Args:
            followed: Left, top, width, height of where each followed face is expected, full-view pixels.
            lost: One of them was not seen at the last look.
        """
        since_ms = (self._looked_ns - self._whole_ns) / _MS
        patience_ms = self._pace.newcomer_ms if lost or self._newcomer(followed) else self._pace.idle_ms
        needed = not 0 <= since_ms < patience_ms
        if needed:
            self._whole_ns = self._looked_ns
        return needed

    def change_pace(self, pace: Pace) -> None:
        """Look more or less often from now on."""
        self._pace = pace

    def clear(self) -> None:
        """Forget the last picture."""
        if self._seen is not None:
            self._seen.fill(0)
        self._seen = None
        self._moved = np.zeros((0, 0), np.bool_)

    def _patience_ms(self, now_ns: int, *, following: bool, moves: bool) -> int:
        if following:
            return self._pace.busy_ms
        if moves:
            return self._pace.newcomer_ms
        settled = now_ns - self._stirred_ns >= self._pace.settle_ms * _MS
        return self._pace.calm_ms if settled else self._pace.idle_ms

    def _newcomer(self, followed: Sequence[Box]) -> bool:
        moved = self._moved.copy()
        for left, top, width, height in followed:
            # Arms and steps reach two widths of a face to each side; everything below the face is the person.
            first, last = int((left - 2 * width) // self._block), int((left + 3 * width) // self._block)
            moved[max(0, int((top - height) // self._block)) :, max(0, first) : max(0, last + 1)] = False
        return bool(moved.any())


def block_of(frame: Frame) -> int:
    """Return the side of a block in pixels of the full view."""
    return max(1, round(_BLOCK * frame.scale))


def block_means(y: Bytes, block: int) -> Floats:
    """Return the mean luma of each block of so many pixels a side, by a few of its lines.

    Args:
        y: (H, W) uint8; what is left over at the right and at the bottom does not count.
        block: Pixels.

    Returns:
        (H // block, W // block) float32, 0..255.
    """
    rows, columns, step = y.shape[0] // block, y.shape[1] // block, max(1, block // _LINES)
    lines = y[: rows * block].reshape(rows, block, -1)[:, ::step, : columns * block]
    down = lines.sum(axis=1, dtype=np.uint16)  # at most 7 lines (of a block of 7) and so below 2 ** 16
    weights = np.full(block, 1 / (lines.shape[1] * block), np.float32)
    return np.asarray(down.astype(np.float32).reshape(rows, columns, block) @ weights, np.float32)


def changed(before: Floats, now: Floats, least: float) -> Moved:
    """Tell which blocks changed by so many levels at least.

    What all blocks have in common is taken away first: a cloud, a lamp's flicker and a camera's exposure change the
    whole view, by a factor and not by an amount, so each block is compared with what that factor makes of it.

    Args:
        before: (rows, columns) float32.
        now: The same.
        least: Levels.

    Returns:
        (rows, columns) bool.
    """
    gain = (float(np.median(now)) + 1) / (float(np.median(before)) + 1)
    return np.asarray(np.abs(now - before * np.float32(gain)) >= least)
