"""How good a face is for recognition: size, sharpness, pose, edges, light; and which are good enough."""

from dataclasses import dataclass

import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.errors import Unsuitable
from overt.recognition.frame import Frame

_DARK, _BRIGHT = 8, 247
"""Luma at or beyond these carries no detail."""

_TINY = 1e-3

# The part of an aligned face that is face in nearly every pose: brows to chin, cheek to cheek.
_ROWS, _COLUMNS = slice(34, 104), slice(24, 88)


@dataclass(frozen=True, slots=True)
class Light:
    """How an aligned face is lit.

    Attributes:
        mean: Mean luma, 0..255.
        spread: Standard deviation of luma.
        dark: Fraction of pixels without detail because too dark.
        bright: The same, too bright.
    """

    mean: float
    spread: float
    dark: float
    bright: float


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one face in one picture.

    Attributes:
        inter_eye_px: Distance of the eyes in full-view pixels.
        yaw: Where the nose is between the eyes: 0 in the middle, +-1 below an eye; positive towards the left eye.
        pitch: How far down the nose is from the eyes to the mouth: about 0.56 seen straight, lower looking up.
        roll: Turn of the eye line in degrees, 0 level.
        clipped: Fraction of the box that lies outside the view.
        sharpness: Mean square of the Laplacian over the variance of luma, in the aligned face at half size. 0.7 for a
            sharp photo, 0.06 where blur begins to cost similarity (-0.1), 0.02 where it has cost half of it (measured
            on LFW with Gaussian blur). None without an aligned face.
        light: None without an aligned face.
        score: 0 (useless) to 1 (as good as it gets); what is not known counts as good.
    """

    inter_eye_px: float
    yaw: float
    pitch: float
    roll: float
    clipped: float
    sharpness: float | None
    light: Light | None
    score: float


@dataclass(frozen=True, slots=True)
class Gates:
    """What a face must fulfil to be embedded. Units as in `Quality`.

    Of looks that are worse, not many more than half are recognised, and a passage has few looks. Size, yaw, sharpness
    and light are set by docs/accuracy.md, "Recognition against conditions", with some distance, because a camera's
    picture is worse than a still that was shrunk or darkened. False alerts are no reason: poor faces raise no more.
    """

    min_inter_eye_px: float = 16.0
    max_yaw: float = 1.0
    min_pitch: float = 0.25
    max_pitch: float = 0.85
    max_roll: float = 40.0
    max_clipped: float = 0.15
    min_sharpness: float = 0.03
    min_mean: float = 15.0
    max_mean: float = 235.0
    min_spread: float = 4.0

    def reason(self, quality: Quality) -> Unsuitable | None:
        """Return the first reason not to use a face, or None."""
        return self._geometry(quality) or self._picture(quality)

    def passes(self, quality: Quality) -> bool:
        """Tell whether a face is good enough."""
        return self.reason(quality) is None

    def _geometry(self, q: Quality) -> Unsuitable | None:
        checks = (
            (q.inter_eye_px < self.min_inter_eye_px, Unsuitable.TOO_SMALL),
            (q.clipped > self.max_clipped, Unsuitable.CUT_OFF),
            (abs(q.roll) > self.max_roll, Unsuitable.TILTED),
            (abs(q.yaw) > self.max_yaw, Unsuitable.TURNED),
            (not self.min_pitch <= q.pitch <= self.max_pitch, Unsuitable.TURNED),
        )
        return next((reason for failed, reason in checks if failed), None)

    def _picture(self, q: Quality) -> Unsuitable | None:
        if q.light is None or q.sharpness is None:
            return None
        checks = (
            (q.light.mean < self.min_mean, Unsuitable.TOO_DARK),
            (q.light.mean > self.max_mean, Unsuitable.TOO_BRIGHT),
            (q.light.spread < self.min_spread, Unsuitable.TOO_FLAT),
            (q.sharpness < self.min_sharpness, Unsuitable.BLURRED),
        )
        return next((reason for failed, reason in checks if failed), None)


def assess(frame: Frame, box: Floats, points: Floats, aligned: Bytes | None = None) -> Quality:
    """Measure a face.

    The pose figures are proxies from the five points, not angles of the head; they need no model and say what matters
    here: how far from frontal.

    Args:
        frame: The picture; only its size is used.
        box: (4,) float32: left, top, width, height in full-view pixels.
        points: (5, 2) float32, full-view pixels, in the order of `detect.Detections`, finite.
        aligned: (112, 112, 3) uint8 RGB, or None while only the geometry is wanted (it is cheap).
    """
    inter_eye, yaw, pitch, roll = _pose(points)
    clipped = _clipped(box, frame.width, frame.height)
    sharpness, light = (None, None) if aligned is None else _look(aligned)
    score = _ramp(inter_eye, 10, 45) * _ramp(abs(yaw), 1.0, 0.1) * _ramp(abs(pitch - 0.56), 0.45, 0.1)
    score *= _ramp(abs(roll), 90, 15) * _ramp(clipped, 0.4, 0.0)
    if sharpness is not None and light is not None:
        score *= _ramp(sharpness, 0.0, 0.15) * _ramp(light.spread, 0, 30) * _ramp(light.dark + light.bright, 0.6, 0.1)
    # The geometric mean of so many factors would hide a bad one; a square root only spreads the low end.
    return Quality(inter_eye, yaw, pitch, roll, clipped, sharpness, light, float(np.sqrt(score)))


def _ramp(value: float, worst: float, best: float) -> float:
    """Return 0 at `worst` and beyond, 1 at `best` and beyond, and straight between them."""
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


def _pose(points: Floats) -> tuple[float, float, float, float]:
    right, left, nose, *_ = (complex(x, y) for x, y in points.tolist())
    mouth = complex(*points[3:].mean(axis=0).tolist())
    between = left - right
    distance = abs(between)
    if distance < _TINY:
        return 0.0, 1.0, 0.0, 0.0
    # Along the eye line is real, down from it imaginary; the eyes are at +-0.5.
    nose_at = (nose - (right + left) / 2) / between
    mouth_at = (mouth - (right + left) / 2) / between
    pitch = nose_at.imag / mouth_at.imag if mouth_at.imag > _TINY else 0.0
    return distance, 2 * nose_at.real, pitch, float(np.degrees(np.angle(between)))


def _clipped(box: Floats, width: int, height: int) -> float:
    x, y, w, h = (float(value) for value in box)
    inside = max(0.0, min(x + w, width) - max(x, 0.0)) * max(0.0, min(y + h, height) - max(y, 0.0))
    return 1.0 - inside / max(w * h, 1e-9)


def _look(aligned: Bytes) -> tuple[float, Light]:
    rgb = aligned[_ROWS, _COLUMNS].astype(np.float32)
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    light = Light(
        mean=float(luma.mean()),
        spread=float(luma.std()),
        dark=float((luma <= _DARK).mean()),
        bright=float((luma >= _BRIGHT).mean()),
    )
    # On 2 x 2 averages: finer detail is mostly noise, which blur does not remove.
    half = luma[::2, ::2] + luma[1::2, ::2] + luma[::2, 1::2] + luma[1::2, 1::2]
    half *= np.float32(0.25)
    laplacian = half[:-2, 1:-1] + half[2:, 1:-1] + half[1:-1, :-2] + half[1:-1, 2:] - 4 * half[1:-1, 1:-1]
    return float((laplacian**2).mean() / max(light.spread**2, 1.0)), light
