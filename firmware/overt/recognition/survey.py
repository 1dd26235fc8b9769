"""What a technician needs of a picture to aim, focus and expose: meters, and a copy too coarse to recognise by."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import Detections
from overt.recognition.frame import Frame

MOSAIC_CELLS: Final = 4
"""A face in the coarse copy has at most so many cells across and down."""
_GROWN: Final = 0.25
_MIDDLE: Final = 0.5
_CLIP_MARGIN: Final = 2
_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Exposure:
    """How light falls, each 0 to 1: mean brightness, share without any light, share burnt out."""

    mean: float
    dark: float
    bright: float


def focus(frame: Frame) -> float:
    """Return how sharp the middle half of the view is: the variance of its Laplacian.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (ICPR 2000), for a picture whose
    contrast stays the same. Noise and brighter light raise it too, so only its peak in one scene says something.
    """
    height, width = frame.y.shape
    top, left = int(height * (1 - _MIDDLE) / 2), int(width * (1 - _MIDDLE) / 2)
    part = frame.y[top : height - top, left : width - left].astype(np.float32)
    if min(part.shape) < 3:  # noqa: PLR2004 - a Laplacian's own size
        return 0.0
    laplacian = part[:-2, 1:-1] + part[2:, 1:-1] + part[1:-1, :-2] + part[1:-1, 2:] - 4 * part[1:-1, 1:-1]
    return float(laplacian.var())


def exposure(frame: Frame) -> Exposure:
    """Return how a picture is exposed, by every second pixel of every second row."""
    black, white = (0, 255) if frame.full_range else (16, 235)
    sample = frame.y[::_STEP, ::_STEP]
    mean = (float(sample.mean()) - black) / (white - black)
    dark, bright = float((sample <= black + _CLIP_MARGIN).mean()), float((sample >= white - _CLIP_MARGIN).mean())
    return Exposure(min(1.0, max(0.0, mean)), dark, bright)


def eyes_px(points: Floats) -> Floats:
    """Return the distance of the eyes in full-view pixels, for points as `Detections` has them."""
    apart: Floats = np.linalg.norm(points[:, 0] - points[:, 1], axis=1).astype(np.float32)
    return apart


def coarse(frame: Frame, faces: Detections, width: int) -> Bytes:
    """Return a copy of a picture in which nobody can be recognised.

    The view is averaged down to a width of a few dozen cells a person; faces that were found, and a quarter of
    their size around them, become a mosaic of `MOSAIC_CELLS` by `MOSAIC_CELLS`.

    Args:
        frame: The picture.
        faces: The faces in it.
        width: Of the copy in pixels, or of the view if that is narrower.

    Returns:
        (h, width) uint8, grey, 0 to 255, with 32 shades.
    """
    step = max(1, -(-frame.width // width))
    rows, columns = max(1, frame.height // step), max(1, frame.width // step)
    y = frame.y[: rows * step, : columns * step].reshape(rows, -1, columns, min(step, frame.width))
    small = y.mean(axis=(1, 3), dtype=np.float32)
    for box in faces.boxes:
        _hide(small, box / np.float32(step))
    if not frame.full_range:
        small = (small - 16) * np.float32(255 / 219)
    shades: Bytes = np.clip(small, 0, 255).astype(np.uint8) & np.uint8(0xF8)
    return shades


def _hide(picture: Floats, box: Floats) -> None:
    """Turn a face into a mosaic, in place. `box` is left, top, width and height in pixels of the picture."""
    grow_x, grow_y = box[2] * _GROWN, box[3] * _GROWN
    left, top = max(0, int(box[0] - grow_x)), max(0, int(box[1] - grow_y))
    right = min(picture.shape[1], int(np.ceil(box[0] + box[2] + grow_x)))
    bottom = min(picture.shape[0], int(np.ceil(box[1] + box[3] + grow_y)))
    if left >= right or top >= bottom:
        return
    xs = np.linspace(left, right, min(MOSAIC_CELLS, right - left) + 1).astype(int)
    ys = np.linspace(top, bottom, min(MOSAIC_CELLS, bottom - top) + 1).astype(int)
    for y0, y1 in pairwise(ys):
        for x0, x1 in pairwise(xs):
            picture[y0:y1, x0:x1] = picture[y0:y1, x0:x1].mean()
