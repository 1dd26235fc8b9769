"""Looking for faces only where they are followed: small windows of the detector's input, at its own scale.

The detector reads a window as it reads the whole, so a face that is well inside one is found in either: a window costs
a thirtieth. Who comes anew is found when the whole view is looked at (`attention.Attention.whole`).
"""

from collections.abc import Sequence

import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import Detections, read_candidates, suppress
from overt.recognition.engine import Detector

Box = tuple[float, float, float, float]
Corner = tuple[int, int]
"""Left and top of a window in pixels of the detector's input."""

MAX_WINDOWS = 8
"""More would cost a quarter of the whole view, with all that is around them; then it is looked at instead."""

_FILLED = 0.65
"""A face may be so large a part of a window: the detector wants to see what is around it."""

_MARGIN = 0.25
"""What is found so near the edge of a window, in parts of it, may be half a face and does not count."""


def windows_for(faces: Sequence[Box], view: tuple[int, int], window: tuple[int, int]) -> list[Corner]:
    """Choose windows so that each face is in the middle of one, as far as the view goes.

    Args:
        faces: Left, top, width, height of where each is expected, in pixels of the detector's input.
        view: Width and height of the detector's input.
        window: Width and height of a window.

    Returns:
        Their corners; none when the whole view has to be looked at: nobody is followed, there are too many faces, one
        is too large or expected outside the view, or the view is smaller than a window.
    """
    if view[0] < window[0] or view[1] < window[1]:
        return []
    corners: list[Corner] = []
    for left, top, width, height in faces:
        middle = (left + width / 2, top + height / 2)
        if width > _FILLED * window[0] or height > _FILLED * window[1]:
            return []
        if not (0 <= middle[0] < view[0] and 0 <= middle[1] < view[1]):
            return []
        if not any(_counts(middle, corner, view, window) for corner in corners):
            corners.append((_corner(middle[0], view[0], window[0]), _corner(middle[1], view[1], window[1])))
    return corners if len(corners) <= MAX_WINDOWS else []


def find_in_windows(
    detector: Detector, small: Bytes, corners: Sequence[Corner], score_threshold: float, overlap_threshold: float
) -> Detections:
    """Look for faces in windows of a picture.

    Args:
        detector: Its input has a window's size.
        small: (h, w, 3) uint8.
        corners: One or more, of windows inside the picture.
        score_threshold: See `detect.decode`.
        overlap_threshold: Likewise.

    Returns:
        The faces, each once, best first, in pixels of `small`.

    Raises:
        BadModel: An output is missing or has another size.
    """
    width, height = detector.size
    seen = [detector.detect(small[y : y + height, x : x + width]) for x, y in corners]
    # One below the other they are the outputs for one tall picture: cells are in row order.
    stacked = {name: np.concatenate([_rows(outputs[name]) for outputs in seen]) for name in seen[0]}
    found = read_candidates(stacked, (width, height * len(seen)), score_threshold)
    middles = found.boxes[:, :2] + found.boxes[:, 2:] / 2
    which = np.clip(middles[:, 1] // height, 0, len(seen) - 1).astype(np.intp)
    shift = np.array(corners, np.float32)[which] - np.stack([np.zeros(len(which)), which * height], axis=1)
    shift = shift.astype(np.float32)
    size = (small.shape[1], small.shape[0])
    kept = [
        _counts((float(x), float(y)), corners[at], size, (width, height))
        for (x, y), at in zip(middles + shift, which, strict=True)
    ]
    boxes = np.concatenate([found.boxes[:, :2] + shift, found.boxes[:, 2:]], axis=1)
    moved = Detections(boxes, found.points + shift[:, None, :], found.scores)
    return suppress(moved.take(np.array(kept, np.bool_)), overlap_threshold)


def _rows(output: Floats) -> Floats:
    return output.reshape(-1, output.shape[-1])


def _corner(middle: float, view: int, window: int) -> int:
    return min(max(0, round(middle - window / 2)), view - window)


def _counts(middle: tuple[float, float], corner: Corner, view: tuple[int, int], window: tuple[int, int]) -> bool:
    """Tell whether a face with its middle there is well inside a window, or the view itself ends beside it."""
    for at, edge, whole, side in zip(middle, corner, view, window, strict=True):
        margin = _MARGIN * side
        if (edge > 0 and at < edge + margin) or (edge + side < whole and at >= edge + side - margin):
            return False
    return True
