"""Five-point alignment: a face, upright and of one size, straight from the camera's I420 planes."""

import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.errors import BadPoints
from overt.recognition.frame import Frame, to_rgb

SIZE = 112
"""Width and height of an aligned face in pixels."""

# Where right eye, left eye, nose, right and left corner of the mouth belong in 112 x 112 pixels: the reference that
# ArcFace (Deng et al., 2019) made the custom and that the embedders were trained with.
REFERENCE: Floats = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)

_TINY = 1e-6
_HALF = np.float32(0.5)

_GRID_X, _GRID_Y = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))


def similarity(points: Floats, reference: Floats = REFERENCE) -> tuple[complex, complex]:
    """Return the similarity (turn, scale, shift; no mirroring) that takes points nearest to a reference.

    Least squares as in Umeyama (1991, "Least-squares estimation of transformation parameters between two point
    patterns"). In the plane, with points as complex numbers, it has a closed form: a = sum conj(p) r / sum |p|^2 over
    the centred points, b = mean r - a mean p.

    Args:
        points: (n, 2) float32, x and y.
        reference: (n, 2) float32.

    Returns:
        (a, b) such that a (x + iy) + b is where a point goes: |a| the scale, arg a the turn.

    Raises:
        BadPoints: Not finite, or all in one place.
    """
    if not np.isfinite(points).all():
        raise BadPoints("expected five points of a face, found numbers that are not finite")
    source = points[:, 0].astype(np.float64) + 1j * points[:, 1].astype(np.float64)
    target = reference[:, 0].astype(np.float64) + 1j * reference[:, 1].astype(np.float64)
    centred = source - source.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    if spread < _TINY:
        raise BadPoints("expected five points of a face, found them all in one place")
    turn = complex(np.sum(np.conj(centred) * (target - target.mean())) / spread)
    if abs(turn) < _TINY:
        raise BadPoints("expected five points of a face, found points in an order that no face has")
    return turn, complex(target.mean() - turn * source.mean())


def align(frame: Frame, points: Floats) -> Bytes:
    """Return the face whose five points are given, brought to the reference position.

    Luma is read at full and chroma at half resolution, bilinearly, after averaging over whole pixels where the face is
    larger than wanted (so fine detail does not alias). What lies outside the view is black.

    Args:
        frame: The picture.
        points: (5, 2) float32, full-view pixels, in the order of `detect.Detections`.

    Returns:
        (112, 112, 3) uint8, RGB, a new array.

    Raises:
        BadPoints: See `similarity`.
    """
    turn, shift = similarity(points)
    back = 1 / turn
    origin = -shift * back
    # Full-view position of every pixel of the aligned face.
    x = np.float32(back.real) * _GRID_X - np.float32(back.imag) * _GRID_Y + np.float32(origin.real)
    y = np.float32(back.imag) * _GRID_X + np.float32(back.real) * _GRID_Y + np.float32(origin.imag)
    ratio = abs(back)
    luma = _sample([frame.y], x, y, ratio, 0 if frame.full_range else 16)[0]
    # A chroma sample is centred on its 2 x 2 luma samples.
    blue, red = _sample([frame.u, frame.v], (x - _HALF) * _HALF, (y - _HALF) * _HALF, ratio / 2, 128)
    return to_rgb(luma, blue, red, full_range=frame.full_range, matrix=frame.matrix)


def _sample(planes: list[Bytes], x: Floats, y: Floats, ratio: float, outside: int) -> list[Floats]:
    """Read planes of one size at positions; `ratio` is the distance of neighbouring positions in plane pixels."""
    factor = max(1, round(ratio))
    height, width = planes[0].shape
    left, right = _span(x, factor, width)
    top, bottom = _span(y, factor, height)
    if left >= right or top >= bottom:
        return [np.full(x.shape, outside, np.float32) for _ in planes]
    # In averaged pixels, after the border of one pixel.
    x = (x - np.float32(left) + _HALF) / np.float32(factor) + _HALF
    y = (y - np.float32(top) + _HALF) / np.float32(factor) + _HALF
    columns, rows = (right - left) // factor, (bottom - top) // factor
    x = np.clip(x, 0, columns + 1, dtype=np.float32)
    y = np.clip(y, 0, rows + 1, dtype=np.float32)
    column = np.minimum(x.astype(np.int32), columns)
    row = np.minimum(y.astype(np.int32), rows)
    x -= column
    y -= row
    first = row * (columns + 2) + column
    sampled = []
    for plane in planes:
        crop = np.full((rows + 2, columns + 2), outside, np.float32)
        crop[1:-1, 1:-1] = shrink(plane[top:bottom, left:right], factor)
        flat = crop.ravel()
        upper = flat[first]
        upper += x * (flat[first + 1] - upper)
        first_below = first + (columns + 2)
        lower = flat[first_below]
        lower += x * (flat[first_below + 1] - lower)
        lower -= upper
        upper += y * lower
        sampled.append(upper)
    return sampled


def _span(positions: Floats, factor: int, length: int) -> tuple[int, int]:
    """Return the part of a plane's axis that the positions need: inside it, a multiple of `factor` long."""
    low = max(0, int(np.floor(positions.min())) - factor)
    high = min(length, int(np.ceil(positions.max())) + 2 * factor + 1)
    return low, low + max(0, high - low) // factor * factor


def shrink(plane: Bytes, factor: int) -> Floats:
    """Average a plane over squares of whole pixels.

    Args:
        plane: (h, w) uint8; h and w are multiples of `factor`.
        factor: Side of a square in pixels.

    Returns:
        (h / factor, w / factor) float32.
    """
    if factor == 1:
        return plane.astype(np.float32)
    total = np.zeros((plane.shape[0] // factor, plane.shape[1]), np.uint32)
    for offset in range(factor):
        total += plane[offset::factor]
    wide = np.zeros((total.shape[0], total.shape[1] // factor), np.uint32)
    for offset in range(factor):
        wide += total[:, offset::factor]
    return np.asarray(wide * np.float32(1 / factor**2), np.float32)
