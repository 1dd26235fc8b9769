"""Cut a head out of a clip's frame: a soft matte, and the head as a premultiplied picture.

Two grounds are known. A *blue screen* is keyed on how far blue exceeds the other colours, and the blue that the
screen throws on hair and skin is taken off again. A *plain wall* is keyed on the difference from the wall's own
colour, which is read beside the head in every frame because the camera's exposure drifts. Only head and neck are
kept: a drawn coat takes over below the collar.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Face

Image: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.float32]
Ground: TypeAlias = Literal["blue screen", "plain wall"]

# The cut-out reaches this far from the point between the eyes, in inter-eye distances.
REACH_SIDE, REACH_UP, REACH_DOWN = 1.95, 2.3, 2.9


@dataclass(frozen=True, slots=True)
class Head:
    """A cut-out head.

    Attributes:
        rgb: colour times alpha, (h, w, 3) uint8.
        alpha: how much of the head covers each pixel, (h, w) uint8.
        origin: where the cut-out's top left corner lies in the clip's frame, (x, y) pixels.
    """

    rgb: Image
    alpha: Image
    origin: tuple[int, int]


def cut_head(frame: Image, face: Face, ground: Ground, gains: tuple[float, float, float]) -> Head:
    """Cut the head of `face` out of a frame.

    Args:
        frame: the clip's frame, (h, w, 3) uint8 RGB.
        face: where the face lies in it.
        ground: what stands behind the head.
        gains: factors for red, green and blue that bring the clip's light to the scene's.

    Returns:
        The head, premultiplied.
    """
    (mid_x, mid_y), eyes = face.middle, face.eyes
    left, top = max(0, int(mid_x - REACH_SIDE * eyes)), max(0, int(mid_y - REACH_UP * eyes))
    right, bottom = int(mid_x + REACH_SIDE * eyes) + 1, int(mid_y + REACH_DOWN * eyes) + 1
    crop = frame[top:bottom, left:right].astype(np.float32)
    shape = _shape((crop.shape[0], crop.shape[1]), face, (left, top))
    if ground == "blue screen":
        alpha, crop = _blue_screen(crop)
    else:
        alpha = _plain_wall(crop, shape)
    alpha *= shape.outer
    rgb = np.minimum(crop * np.asarray(gains, np.float32), 255) * alpha[..., None]
    return Head(rgb.astype(np.uint8), (alpha * 255).astype(np.uint8), (left, top))


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a head can and must be: `outer` is 0 where none can be, `core` 1 where one must be."""

    outer: Plane
    core: Plane
    side: Plane
    up: Plane


def _shape(size: tuple[int, int], face: Face, origin: tuple[int, int]) -> _Shape:
    """The expectation of head and neck, from the face alone, in coordinates turned with the face's roll."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    x = (columns + origin[0] - face.middle[0]) / face.eyes
    y = (rows + origin[1] - face.middle[1]) / face.eyes
    cos, sin = np.cos(face.roll), np.sin(face.roll)
    across, down = x * cos + y * sin, y * cos - x * sin
    # A little wider than any head: ears reach 1.45 inter-eye distances to the side, hair 2 up.
    skull = np.hypot(across / 1.72, (down - 0.05) / 2.12)
    neck = np.maximum(np.abs(x) / 1.15, np.abs(y - 1.8) / 0.95)
    outer = np.maximum(_ramp(skull, 1.06, 0.97), _ramp(neck, 1.05, 0.9)) * _ramp(y, 2.8, 2.5)
    inner = np.hypot(across / 1.05, (down - 0.25) / 1.5)
    throat = np.maximum(np.abs(x) / 0.62, np.abs(y - 1.9) / 0.8)
    core = np.maximum(_ramp(inner, 1.0, 0.85), _ramp(throat, 1.0, 0.85))
    return _Shape(outer.astype(np.float32), core.astype(np.float32), x, y)


def _blue_screen(crop: Plane) -> tuple[Plane, Plane]:
    """Key on blue above the other colours, relative to the screen's own; returns the matte and the despilled crop."""
    red, green, blue = crop[..., 0], crop[..., 1], crop[..., 2]
    excess = blue - np.maximum(red, green)
    screen = float(np.percentile(excess, 97))
    alpha = 1.0 - _ramp(excess / max(screen, 1.0), 0.12, 0.62)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    # A half-covered pixel is part screen: take that part out before the pixel's own colour is judged.
    backing = crop[excess > 0.9 * screen].mean(axis=0) if screen > 1 else np.zeros(3, np.float32)
    own = np.clip((crop - (1 - alpha[..., None]) * backing) / np.maximum(alpha[..., None], 0.25), 0, 255)
    limit = 0.35 * own[..., 0] + 0.65 * own[..., 1] + 4
    own[..., 2] = np.minimum(own[..., 2], limit)
    return alpha.astype(np.float32), own.astype(np.float32)


def _plain_wall(crop: Plane, shape: _Shape) -> Plane:
    """Key on the difference from the wall, whose colour is read on each side of the head and above it."""
    smooth = cv2.bilateralFilter(crop, 5, 18, 2)
    wall = _wall(smooth, shape)
    difference = smooth - wall
    light = np.abs(difference @ np.array([0.3, 0.6, 0.1], np.float32))
    warmth = np.abs((difference[..., 0] - difference[..., 2]) - 0.0)
    distance = np.hypot(light, 1.2 * warmth)
    alpha = _ramp(distance, 16, 44)
    alpha = np.maximum(alpha, shape.core)
    solid = (alpha > 0.5).astype(np.uint8)
    alpha *= cv2.dilate(_largest(solid), np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    closed = cv2.erode(closed, np.ones((3, 3), np.uint8))
    return np.clip(cv2.GaussianBlur(closed, (0, 0), 1.1), 0, 1).astype(np.float32)


def _wall(smooth: Plane, shape: _Shape) -> Plane:
    """The wall's colour at every pixel: a slope fitted to what lies surely outside the head, left and right apart."""
    wall = np.empty_like(smooth)
    outside = (shape.outer < 0.02) & (shape.up < 1.6)
    for half in (shape.side < 0, shape.side >= 0):
        seen = outside & half
        terms = np.stack([np.ones_like(shape.side), shape.side, shape.up], -1)
        if np.count_nonzero(seen) < 50:
            wall[half] = np.median(smooth[outside], axis=0) if outside.any() else smooth.mean(axis=(0, 1))
            continue
        weights, *_ = np.linalg.lstsq(terms[seen], smooth[seen], rcond=None)
        wall[half] = terms[half] @ weights
    return wall


def _largest(solid: Image) -> Image:
    """Only the largest connected piece."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return solid
    return (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)


def _ramp(value: NDArray[np.floating], low: float, high: float) -> Plane:
    """A smooth step from 0 at `low` to 1 at `high` (either may be the larger)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
