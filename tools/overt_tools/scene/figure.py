"""Drawn parts of people: coats, legs, collars, hoods and the shadow at the feet.

Coordinates are inter-eye distances from the point between the eyes, x to the right and y down, so that a drawing fits
any head. Proportions: shoulders 3.2 below the eyes and 3.7 to each side, hem at mid-thigh, feet at 26.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .matte import Image
from .sprite import Sprite, sprite_of
from .view import EYES_TO_FLOOR

Floats = NDArray[np.float32]
Outline = Sequence[tuple[float, float]]

# Drawings are made at this many pixels to the inter-eye distance, and halved twice for figures far away.
FINEST = 44
COLOURS: tuple[tuple[int, int, int], ...] = (
    (44, 52, 72),  # navy
    (92, 88, 66),  # olive
    (62, 62, 64),  # charcoal
    (104, 44, 46),  # burgundy
    (146, 116, 82),  # camel
    (52, 78, 82),  # petrol
)
TROUSERS = (46, 46, 54)

_COAT: Outline = [
    (-0.9, 1.9), (-1.6, 2.3), (-2.7, 2.7), (-3.3, 3.1), (-3.62, 4.1), (-3.72, 6.5), (-3.8, 9.5), (-3.65, 11.4),
    (-3.15, 12.2), (-3.0, 15.6), (3.0, 15.6), (3.15, 12.2), (3.65, 11.4), (3.8, 9.5), (3.72, 6.5), (3.62, 4.1),
    (3.3, 3.1), (2.7, 2.7), (1.6, 2.3), (0.9, 1.9),
]  # fmt: skip
_COLLAR: Outline = [
    (-1.45, 1.75), (-1.15, 1.62), (-0.9, 1.98), (-0.45, 2.22), (0, 2.3), (0.45, 2.22), (0.9, 1.98), (1.15, 1.62),
    (1.45, 1.75), (1.6, 2.5), (1.1, 3.0), (0, 3.2), (-1.1, 3.0), (-1.6, 2.5),
]  # fmt: skip
_HOOD: Outline = [
    (0, -2.15), (-0.85, -1.9), (-1.4, -1.1), (-1.55, 0), (-1.6, 1.2), (-1.85, 2.2), (-2.05, 2.9), (-1.2, 3.5), (0, 3.9),
    (1.2, 3.5), (2.05, 2.9), (1.85, 2.2), (1.6, 1.2), (1.55, 0), (1.4, -1.1), (0.85, -1.9),
]  # fmt: skip
_LEG: Outline = [(-1.5, 13.0), (1.35, 13.0), (1.15, 18.5), (0.85, 25.2), (-0.85, 25.2), (-1.1, 18.5)]
_SHOE: Outline = [(-0.85, 24.9), (0.85, 24.9), (1.0, 25.9), (0.6, 26.2), (-0.6, 26.2), (-1.0, 25.9)]


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawn part at several sizes.

    Attributes:
        levels: from fine to coarse: pixels to the inter-eye distance, and the sprite.
        origin: the top left corner in inter-eye distances.
    """

    levels: tuple[tuple[float, Sprite], ...]
    origin: tuple[float, float]

    def at(self, eyes: float) -> tuple[Sprite, float]:
        """The sprite to use for a figure of this inter-eye distance, and its own pixels to it."""
        fit = [(scale, sprite) for scale, sprite in self.levels if scale >= 0.8 * eyes]
        scale, sprite = fit[-1] if fit else self.levels[0]
        return sprite, scale


@dataclass(frozen=True, slots=True)
class Outfit:
    """What a walker is made of besides the head: coat, collar, a hood for one without a face, one leg, the shadow."""

    coat: Drawing
    collar: Drawing
    hood: Drawing
    leg: Drawing
    shadow: Drawing


@functools.cache
def outfit(number: int) -> Outfit:
    """The outfit of a number; numbers beyond the last colour begin again."""
    rng = np.random.default_rng(1000 + number)
    colour = COLOURS[number % len(COLOURS)]
    return Outfit(_coat(colour, rng), _collar(colour, number, rng), _hood(colour, rng), _leg(rng), _shadow())


def _coat(colour: tuple[int, int, int], rng: np.random.Generator) -> Drawing:
    """A long coat with its arms down, hands in the pockets."""
    box = (-4.4, 1.5, 4.4, 15.9)
    mask = _polygon(box, _COAT, round_off=0.25)
    rgb, alpha = _shaded(mask, colour, 1.2, rng, grain=0.07)
    dark = np.zeros_like(alpha)
    for side in (-1, 1):
        _line(dark, box, [(side * 2.5, 5.0), (side * 2.6, 8.0), (side * 2.5, 11.0)], 0.14)  # between arm and body
        _line(dark, box, [(side * 1.2, 10.6), (side * 2.2, 11.3)], 0.07)  # pocket
        _line(dark, box, [(side * 1.3, 2.9), (side * 0.75, 4.6), (0, 6.4)], 0.06)  # lapel
    _line(dark, box, [(0.1, 6.2), (0.1, 15.6)], 0.07)
    shade = 1 - 0.42 * np.clip(cv2.GaussianBlur(dark, (0, 0), 0.09 * FINEST), 0, 1)
    return _drawing((rgb * shade[..., None], alpha), box)


def _hood(colour: tuple[int, int, int], rng: np.random.Generator) -> Drawing:
    """A hood from behind: no skin, no hair and no features, which a face detector would take for a face."""
    box = (-2.4, -2.6, 2.4, 4.4)
    rgb, alpha = _shaded(_polygon(box, _HOOD, round_off=0.3), colour, 0.9, rng, grain=0.07)
    dark = np.zeros_like(alpha)
    _line(dark, box, [(0, -1.9), (0.06, 0.4), (0, 2.6)], 0.07)  # the seam down the middle
    _line(dark, box, [(-1.7, 2.4), (-0.8, 2.95), (0, 3.1), (0.8, 2.95), (1.7, 2.4)], 0.12)
    rgb *= (1 - 0.4 * np.clip(cv2.GaussianBlur(dark, (0, 0), 0.06 * FINEST), 0, 1))[..., None]
    return _drawing((rgb, alpha), box)


def _collar(colour: tuple[int, int, int], number: int, rng: np.random.Generator) -> Drawing:
    """A raised collar, or on every other coat a scarf, that closes the neck below the chin."""
    box = (-2.0, 1.3, 2.0, 3.6)
    mask = _polygon(box, _COLLAR, round_off=0.12)
    scarf = ((150, 146, 140), (112, 52, 50), (70, 84, 104))[number % 3]
    lighter = tuple(min(255, int(part * 1.16)) for part in colour)
    rgb, alpha = _shaded(
        mask, scarf if number % 2 == 0 else (lighter[0], lighter[1], lighter[2]), 0.35, rng, grain=0.08
    )
    dark = np.zeros_like(alpha)
    _line(dark, box, [(-1.25, 2.25), (-0.5, 2.75), (0.3, 2.8), (1.2, 2.3)], 0.08)
    if number % 2:
        _line(dark, box, [(0.05, 2.3), (0.05, 3.2)], 0.08)
    rgb *= (1 - 0.4 * np.clip(cv2.GaussianBlur(dark, (0, 0), 0.05 * FINEST), 0, 1))[..., None]
    return _drawing((rgb, alpha), box)


def _leg(rng: np.random.Generator) -> Drawing:
    """One leg with its shoe."""
    box = (-1.8, 12.6, 1.8, EYES_TO_FLOOR + 0.5)
    leg = _shaded(_polygon(box, _LEG, round_off=0.1), TROUSERS, 0.5, rng, grain=0.06)
    shoe = _shaded(_polygon(box, _SHOE, round_off=0.15), (34, 30, 28), 0.3, rng, grain=0.03)
    return _drawing(_over(leg, shoe), box)


def _shadow() -> Drawing:
    """The soft shadow on the floor."""
    box = (-6.0, 24.2, 6.0, 28.6)
    alpha = cv2.GaussianBlur(_ellipse(box, (0, 26.3), (3.4, 0.75)), (0, 0), 0.5 * FINEST) * 0.6
    return _drawing((np.zeros((*alpha.shape, 3), np.float32), alpha), box)


def _canvas(box: tuple[float, float, float, float]) -> tuple[int, int]:
    return round((box[3] - box[1]) * FINEST), round((box[2] - box[0]) * FINEST)


def _pixels(box: tuple[float, float, float, float], outline: Outline) -> NDArray[np.int32]:
    """An outline in 1/16 pixels, as OpenCV's drawing takes them."""
    points = (np.asarray(outline, np.float64) - (box[0], box[1])) * FINEST * 16
    return np.round(points).astype(np.int32)


def _polygon(box: tuple[float, float, float, float], outline: Outline, round_off: float = 0.0) -> Floats:
    """A filled outline, 0 to 1, its corners rounded off."""
    mask = np.zeros(_canvas(box), np.uint8)
    cv2.fillPoly(mask, [_pixels(box, outline)], 255, cv2.LINE_AA, 4)
    soft = mask.astype(np.float32) / 255
    if round_off:
        soft = np.clip((cv2.GaussianBlur(soft, (0, 0), round_off * FINEST) - 0.5) * round_off * FINEST + 0.5, 0, 1)
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), 0.9), np.float32)


def _ellipse(box: tuple[float, float, float, float], middle: tuple[float, float], radii: tuple[float, float]) -> Floats:
    """A filled ellipse, 0 to 1."""
    turn = np.linspace(0, 2 * np.pi, 90)
    points = zip(middle[0] + radii[0] * np.cos(turn), middle[1] + radii[1] * np.sin(turn), strict=True)
    return _polygon(box, [(float(x), float(y)) for x, y in points])


def _line(target: Floats, box: tuple[float, float, float, float], outline: Outline, width: float) -> None:
    """A line of a width in inter-eye distances, drawn into a mask."""
    cv2.polylines(target, [_pixels(box, outline)], False, 1.0, max(1, round(width * FINEST)), cv2.LINE_AA, 4)


def _shaded(
    mask: Floats, colour: tuple[int, int, int], depth: float, rng: np.random.Generator, grain: float
) -> tuple[Floats, Floats]:
    """Cloth or hair in a shape: rounded off towards its edges over `depth`, lit from the upper left, with folds.

    Returns:
        Colour times alpha (h, w, 3) and alpha (h, w), both 0 to 255.
    """
    height = cv2.GaussianBlur(mask, (0, 0), depth * FINEST)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) * depth * FINEST
    light = 0.62 + 0.42 * height + 0.22 * slope
    rows, columns = mask.shape
    folds = cv2.resize(
        rng.normal(0, 1, (max(2, rows // 90), max(2, columns // 22))).astype(np.float32),
        (columns, rows),
        interpolation=cv2.INTER_CUBIC,
    )
    weave = cv2.GaussianBlur(rng.normal(0, 1, mask.shape).astype(np.float32), (0, 0), 1.2)
    light = light * (1 + grain * folds + 0.05 * weave)
    rgb = np.clip(np.asarray(colour, np.float32) * light[..., None], 0, 255) * mask[..., None]
    return rgb.astype(np.float32), (mask * 255).astype(np.float32)


def _over(below: tuple[Floats, Floats], above: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """One premultiplied picture laid over another."""
    rest = 1 - above[1] / 255
    rgb = np.asarray(above[0] + below[0] * rest[..., None], np.float32)
    return rgb, np.asarray(above[1] + below[1] * rest, np.float32)


def _drawing(picture: tuple[Floats, Floats], box: tuple[float, float, float, float]) -> Drawing:
    """A drawing at three sizes."""
    rgb, alpha = picture
    if alpha.max() <= 1.0:
        alpha = alpha * 255
    levels = []
    for step in (1, 2, 4):
        size = (alpha.shape[1] // step, alpha.shape[0] // step)
        small: tuple[Image, Image] = (
            cv2.resize(rgb, size, interpolation=cv2.INTER_AREA),
            cv2.resize(alpha, size, interpolation=cv2.INTER_AREA),
        )
        levels.append((FINEST / step, sprite_of(*small)))
    return Drawing(tuple(levels), (box[0], box[1]))
