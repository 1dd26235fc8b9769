"""Cut a head out of a clip's frame: a soft matte, and the head as a premultiplied picture.

Two grounds are known. A *blue screen* is keyed on how far blue exceeds the other colours, and the blue that the
screen throws on hair and skin is taken off again. A *plain wall* is keyed on the difference from the wall's own
colour, which is read beside the head in every frame because the camera's exposure drifts. Only head and neck are
kept: a drawn coat takes over below the collar.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .clips import Ground
from .faces import Face

Image: TypeAlias = NDArray[np.uint8]
Plane: TypeAlias = NDArray[np.float32]


# The cut-out reaches this far from the point between the eyes, in inter-eye distances.
REACH_SIDE, REACH_UP, REACH_DOWN = 1.95, 2.3, 2.9
# Colours of the ground are read from every third pixel each way, and a slope is fitted to no fewer than this many.
SAMPLE, LEAST_SEEN = 3, 12
# How a difference in red, green and blue counts when a head is told from a wall.
LIGHT_AND_WARMTH = np.array([[0.3, 0.6, 0.1], [1.2, 0.0, -1.2]], np.float32)


@dataclass(frozen=True, slots=True)
class Head:
    """A cut-out head.

    Attributes:
        rgb: colour times alpha, (h, w, 3) uint8.
        alpha: how much of the head covers each pixel, (h, w) uint8.
        origin: where the cut-out's top left corner lies in the clip's frame, (x, y) pixels.
        shrink: how many of the clip's pixels one of its pixels stands for, each way.
    """

    rgb: Image
    alpha: Image
    origin: tuple[int, int]
    shrink: int


def cut_head(frame: Image, face: Face, ground: Ground, gains: tuple[float, float, float], shrink: int = 1) -> Head:
    """Cut the head of `face` out of a frame.

    Args:
        frame: the clip's frame, (h, w, 3) uint8 RGB.
        face: where the face lies in it.
        ground: what stands behind the head.
        gains: factors for red, green and blue that bring the clip's light to the scene's.
        shrink: work at a whole fraction of the clip's size; enough, and faster, for a head far away.

    Returns:
        The head, premultiplied.
    """
    (mid_x, mid_y), eyes = face.middle, face.eyes
    left, top = max(0, int(mid_x - REACH_SIDE * eyes)), max(0, int(mid_y - REACH_UP * eyes))
    right, bottom = int(mid_x + REACH_SIDE * eyes) + 1, int(mid_y + REACH_DOWN * eyes) + 1
    small = frame[top:bottom, left:right]
    if shrink > 1:
        size = (max(1, small.shape[1] // shrink), max(1, small.shape[0] // shrink))
        small = cv2.resize(small[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
    crop = small.astype(np.float32)
    shape = _shape((crop.shape[0], crop.shape[1]), face, (left, top), shrink)
    if ground == "blue screen":
        alpha, crop = _blue_screen(crop)
    else:
        alpha = _plain_wall(crop, shape)
    alpha *= shape.outer
    rgb = np.minimum(crop * np.asarray(gains, np.float32), 255) * alpha[..., None]
    return Head(rgb.astype(np.uint8), (alpha * 255).astype(np.uint8), (left, top), shrink)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a head can and must be.

    Attributes:
        outer: 0 where no head can be, (h, w).
        core: 1 where a head must be, (h, w).
        side: each column's distance to the right of the eyes' middle in inter-eye distances, (w,).
        down: each row's distance below it, (h,).
    """

    outer: Plane
    core: Plane
    side: Plane
    down: Plane


def _shape(size: tuple[int, int], face: Face, origin: tuple[int, int], shrink: int) -> _Shape:
    """The expectation of head and neck, from the face alone, in coordinates turned with the face's roll."""
    side = ((np.arange(size[1], dtype=np.float32) + 0.5) * shrink - 0.5 + origin[0] - face.middle[0]) / face.eyes
    down = ((np.arange(size[0], dtype=np.float32) + 0.5) * shrink - 0.5 + origin[1] - face.middle[1]) / face.eyes
    # The shapes are smooth: a quarter of the size each way is enough to draw them.
    small = (max(2, size[1] // 4), max(2, size[0] // 4))
    x = cv2.resize(side[None], (small[0], 1), interpolation=cv2.INTER_AREA)
    y = cv2.resize(down[:, None], (1, small[1]), interpolation=cv2.INTER_AREA)
    cos, sin = math.cos(face.roll), math.sin(face.roll)
    along, across = y * cos - x * sin, x * cos + y * sin
    # A little wider than any head: ears reach 1.45 inter-eye distances to the side, hair 2 up.
    skull = np.hypot(across / 1.72, (along - 0.05) / 2.12)
    neck = np.maximum(np.abs(x) / 0.98, np.abs(y - 1.8) / 0.95)
    outer = np.maximum(_ramp(skull, 1.06, 0.97), _ramp(neck, 1.05, 0.9)) * _ramp(y, 2.6, 2.3)
    # Beside the throat shoulders and collars begin.
    outer *= np.maximum(_ramp(y, 1.75, 1.55), _ramp(np.abs(x), 1.06, 0.92))
    inner = np.hypot(across / 1.05, (along - 0.25) / 1.5)
    throat = np.maximum(np.abs(x) / 0.62, np.abs(y - 1.9) / 0.8)
    core = np.maximum(_ramp(inner, 1.0, 0.85), _ramp(throat, 1.0, 0.85))
    whole = (size[1], size[0])
    return _Shape(cv2.resize(outer, whole), cv2.resize(core, whole), side, down)


def _blue_screen(crop: Plane) -> tuple[Plane, Plane]:
    """Key on blue above the other colours, relative to the screen's own; returns the matte and the despilled crop."""
    planes = cv2.split(crop)
    excess = planes[2] - cv2.max(planes[0], planes[1])
    few = slice(None, None, SAMPLE)
    sample = excess[few, few]
    screen = float(np.percentile(sample, 97))
    alpha = cv2.GaussianBlur(1.0 - _ramp(excess / max(screen, 1.0), 0.12, 0.62), (0, 0), 0.7)
    # A half-covered pixel is part screen: take that part out before the pixel's own colour is judged.
    backing = crop[few, few][sample >= 0.9 * screen].mean(axis=0)
    rest, gain = 1 - alpha, 1 / np.maximum(alpha, 0.25)
    red, green, blue = ((plane - rest * part) * gain for plane, part in zip(planes, backing, strict=True))
    blue = cv2.min(blue, 0.35 * red + 0.65 * green + 4)
    return alpha, np.asarray(np.clip(cv2.merge([red, green, blue]), 0, 255), np.float32)


def _plain_wall(crop: Plane, shape: _Shape) -> Plane:
    """Key on the difference from the wall, whose colour is read on each side of the head and above it."""
    smooth = cv2.bilateralFilter(crop, 5, 18, 2)
    wall = _wall(smooth, shape)
    light, warmth = cv2.split(cv2.transform(smooth - wall, LIGHT_AND_WARMTH))
    distance = cv2.magnitude(light, warmth)
    alpha = _ramp(distance, 16, 44)
    alpha = np.maximum(alpha, shape.core)
    solid = np.asarray(alpha > 0.5, np.uint8)  # noqa: PLR2004 - more covered than not
    alpha *= cv2.dilate(_largest(solid), np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    closed = cv2.erode(closed, np.ones((3, 3), np.uint8))
    return np.asarray(np.clip(cv2.GaussianBlur(closed, (0, 0), 1.1), 0, 1), np.float32)


def _wall(smooth: Plane, shape: _Shape) -> Plane:
    """The wall's colour at every pixel: a slope fitted to what lies surely outside the head, left and right apart."""
    split = int(np.count_nonzero(shape.side < 0))
    wall = np.empty_like(smooth)
    for part in (slice(0, split), slice(split, None)):
        base, across, along = _slope(smooth[:, part], shape.outer[:, part], shape.side[part], shape.down)
        wall[:, part] = (base + across * shape.side[part, None])[None] + (along * shape.down[:, None])[:, None]
    return wall


def _slope(smooth: Plane, outer: Plane, side: Plane, down: Plane) -> Plane:
    """Colour as a + b * side + c * down, fitted to the wall beside and above the head: (3 weights, 3 colours)."""
    few = slice(None, None, SAMPLE)
    wall = (outer[few, few] < 0.02) & (down[few, None] < 1.6)  # noqa: PLR2004 - clear of head and shoulders
    if np.count_nonzero(wall) < LEAST_SEEN:
        flat = np.zeros((3, 3), np.float32)
        flat[0] = smooth[0].mean(axis=0) if smooth.size else 0  # the uppermost row is wall when nothing else is
        return flat
    row, column = np.nonzero(wall)
    terms = np.stack([np.ones(len(row), np.float32), side[few][column], down[few][row]], -1)
    weights, *_ = np.linalg.lstsq(terms, smooth[few, few][wall], rcond=None)
    return np.asarray(weights, np.float32)


def _largest(solid: Image) -> Image:
    """Only the largest connected piece."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:  # noqa: PLR2004 - nothing but the ground
        return solid
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), np.uint8)


def _ramp(value: NDArray[np.floating], low: float, high: float) -> Plane:
    """A smooth step from 0 at `low` to 1 at `high` (either may be the larger)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
