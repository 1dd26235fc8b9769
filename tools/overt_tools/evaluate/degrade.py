"""Real stills made worse, as distance, lens, movement, light, compression and clothing make them.

Every still is first shrunk until its subject's eyes are `EYES` pixels apart, so that a level means the same for each.
Light is worked on in linear light (IEC 61966-2-1). What is random follows from the image alone, so a run is repeatable.
"""

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from overt.recognition.arrays import Bytes, Floats

Random = np.random.Generator
Degrade = Callable[[Bytes, Floats, float, Random], Bytes]
"""(picture (H, W, 3) uint8 RGB, its five points (5, 2) float32, level, random numbers) -> picture of the same size."""

EYES = 36.0
"""Pixels between the eyes at which everything but size is measured."""

_COVER = (58, 62, 70)  # a dark cloth
_READ_NOISE = 2.0  # electrons: a common small sensor's
_VEIL = 0.04  # of white: what a lens scatters over the whole picture from a bright background


def shrunk(rgb: Bytes, points: Floats, eyes: float) -> tuple[Bytes, Floats] | None:
    """Shrink a picture by averaging over areas until the eyes are so many pixels apart; None if they are closer.

    Args:
        rgb: (H, W, 3) uint8.
        points: (5, 2) float32.
        eyes: Wanted distance in pixels.
    """
    factor = eyes / float(np.hypot(*(points[1] - points[0])))
    if factor > 1:
        return None
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    # Pixel centres, not corners, keep their places.
    scale = np.array([width / rgb.shape[1], height / rgb.shape[0]], np.float32)
    return small, (points + np.float32(0.5)) * scale - np.float32(0.5)


def random_of(image: bytes, kind: str) -> Random:
    """Return random numbers that follow from an image and from what is done to it."""
    return np.random.default_rng(list(hashlib.sha256(kind.encode() + b"\n" + image).digest()))


def _linear(rgb: Bytes) -> NDArray[np.float64]:
    value = rgb / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 - the standard's


def _coded(light: NDArray[np.float64]) -> Bytes:
    light = np.clip(light, 0, 1)
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - as above
    return np.asarray(np.rint(value * 255), np.uint8)


def _gaussian(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), level), np.uint8)


def _motion(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    """Blur along a straight line, in whatever direction; the line is drawn at eightfold size and averaged down."""
    side = 2 * int(np.ceil(level / 2)) + 3
    fine = np.zeros((side * 8, side * 8), np.uint8)
    angle, middle = random.uniform(0, np.pi), side * 4
    reach = level * 4 * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(round(float(middle + sign * step)) for step in reach) for sign in (-1, 1)]
    cv2.line(fine, ends[0], ends[1], 255, 8)
    kernel = cv2.resize(fine.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum()), np.uint8)


def _exposure(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    return _coded(_linear(rgb) * 2**level)


def _backlight(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    return _coded(_linear(rgb) * 2**-level + _VEIL)


def _noise(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    """Count photons: `level` electrons make white, and amplification brings the picture back to its brightness."""
    electrons = random.poisson(_linear(rgb) * level) + random.normal(0, _READ_NOISE, rgb.shape)
    return _coded(electrons / level)


def _tilt(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:
    """Turn the picture about the face, either way, with its edge drawn out."""
    centre = tuple(float(value) for value in points.mean(axis=0))
    turn = cv2.getRotationMatrix2D(centre, level * random.choice([-1, 1]), 1.0)
    size = (rgb.shape[1], rgb.shape[0])
    return np.asarray(cv2.warpAffine(rgb, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _jpeg(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(level)])
    bgr: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(bgr[..., ::-1])


def _h264(rgb: Bytes, points: Floats, level: float, random: Random) -> Bytes:  # noqa: ARG001 - one form for all
    """Encode some pictures of the face moving, as in a stream, at a constant rate factor; return the last."""
    height, width = (side + 16 - side % 2 for side in rgb.shape[:2])
    step = random.integers(-2, 3, size=2)
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(int(level))}
    decoder: Any = av.CodecContext.create("h264", "r")
    pictures: list[Any] = []
    for number in range(4):
        left, top = (int(8 + offset) for offset in step * (3 - number) // 2)
        canvas = np.full((height, width, 3), 128, np.uint8)
        canvas[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        for packet in encoder.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")):
            pictures += decoder.decode(packet)
    for packet in encoder.encode(None):
        pictures += decoder.decode(packet)
    pictures += decoder.decode(None)
    last = pictures[-1].to_ndarray(format="rgb24")
    return np.ascontiguousarray(last[8 : 8 + rgb.shape[0], 8 : 8 + rgb.shape[1]])


def _covered(rgb: Bytes, corners: NDArray[np.float64]) -> Bytes:
    """Cover a four-sided part, given by its corners, with cloth."""
    covered = rgb.copy()
    cv2.fillConvexPoly(covered, np.rint(corners).astype(np.int32), _COVER, cv2.LINE_AA)
    return covered


def _strip(points: Floats, left: float, right: float, top: float, bottom: float) -> NDArray[np.float64]:
    """Return the corners of a strip: across in distances of the eyes from their middle, down the face from the eyes.

    Down is measured in the distance from the eyes to the mouth: 0 the eyes, 1 the mouth.
    """
    eyes = points[:2].mean(axis=0).astype(np.float64)
    across = (points[1] - points[0]).astype(np.float64)
    down = points[3:].mean(axis=0) - eyes
    return np.array(
        [eyes + x * across + y * down for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
    )


_COVERS = {
    "mask": (-1.1, 1.1, 0.42, 2.2),
    "scarf": (-1.3, 1.3, 0.8, 2.6),
    "sunglasses": (-1.0, 1.0, -0.28, 0.28),
    "cap": (-1.2, 1.2, -1.6, -0.35),
    "half": (0.0, 1.6, -1.6, 2.2),
}


def cover(rgb: Bytes, points: Floats, what: str) -> Bytes:
    """Cover a part of the face: by a mask, a scarf, sunglasses, a cap, or one half of it."""
    return _covered(rgb, _strip(points, *_COVERS[what]))


DEGRADE: dict[str, Degrade] = {
    "blur": _gaussian,
    "motion": _motion,
    "exposure": _exposure,
    "backlight": _backlight,
    "noise": _noise,
    "tilt": _tilt,
    "jpeg": _jpeg,
    "h264": _h264,
}
"""What can be done to a picture, by name."""
