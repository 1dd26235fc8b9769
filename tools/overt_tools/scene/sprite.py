"""Pictures with soft edges, in the encoder's own colours, and the canvas that they are laid on.

Everything is composed in YUV 4:2:0 (BT.709, limited range), premultiplied by alpha: half the work of RGB, and no
conversion of whole frames. The canvas has I420's three planes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .matte import Image

# Recommendation ITU-R BT.709-6, items 3.2 to 3.4, quantised to 8 bits in limited range (Y 16..235, UV 16..240).
RGB_TO_YUV = np.array(
    [[0.18259, 0.61423, 0.06201], [-0.10064, -0.33857, 0.43922], [0.43922, -0.39894, -0.04027]], np.float32
)
YUV_ZERO = np.array([16.0, 128.0, 128.0], np.float32)
# The same for colour times alpha: black's values count as far as there is alpha.
RGBA_TO_YUVA = np.eye(4, dtype=np.float32)
RGBA_TO_YUVA[:3] = np.column_stack([RGB_TO_YUV, YUV_ZERO / 255])


@dataclass(frozen=True, slots=True)
class Sprite:
    """A premultiplied picture.

    Attributes:
        yuva: Y, U, V and alpha, (h, w, 4) uint8. Four channels are what OpenCV warps fastest.
    """

    yuva: Image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.yuva.shape[1], self.yuva.shape[0]


def sprite_of(rgb: NDArray[np.generic], alpha: NDArray[np.generic]) -> Sprite:
    """Make a sprite.

    Args:
        rgb: colour times alpha, (h, w, 3), 0 to 255.
        alpha: coverage, (h, w), 0 to 255.
    """
    rgba = np.dstack([np.asarray(rgb, np.float32), np.asarray(alpha, np.float32)])
    return Sprite(cv2.convertScaleAbs(cv2.transform(rgba, RGBA_TO_YUVA)))


@dataclass(frozen=True, slots=True)
class Patch:
    """What a drawn sprite covers: the place of its top left corner on the canvas and its coverage, uint8 (h, w)."""

    left: int
    top: int
    cover: Image


@dataclass(frozen=True, slots=True)
class Canvas:
    """A frame being made.

    Attributes:
        y: luma, (height, width) uint8.
        u: chroma, (height / 2, width / 2) uint8.
        v: chroma, as u.
    """

    y: Image
    u: Image
    v: Image

    @classmethod
    def of_rgb(cls, rgb: Image) -> "Canvas":
        """A canvas with a picture on it, (height, width, 3) uint8, both even."""
        yuv = np.clip(cv2.transform(rgb.astype(np.float32), RGB_TO_YUV) + YUV_ZERO + 0.5, 0, 255)
        half = cv2.resize(yuv, (rgb.shape[1] // 2, rgb.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return cls(*(np.ascontiguousarray(p, np.uint8) for p in (yuv[..., 0], half[..., 1], half[..., 2])))

    def copy(self) -> "Canvas":
        """An independent copy."""
        return Canvas(self.y.copy(), self.u.copy(), self.v.copy())

    def draw(self, sprite: Sprite, matrix: NDArray[np.float64]) -> Patch | None:
        """Lay a sprite on.

        Args:
            sprite: the picture.
            matrix: (2, 3), from the sprite's pixel coordinates to the canvas's.

        Returns:
            What it covers; None when it lies outside the canvas.
        """
        place = self._place(sprite, matrix)
        if place is None:
            return None
        left, top, width, height = place
        shifted = matrix.copy()
        shifted[:, 2] -= (left, top)
        over = cv2.warpAffine(sprite.yuva, shifted, (width, height), flags=cv2.INTER_LINEAR)
        half = cv2.resize(over, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        luma, _, _, cover = cv2.split(over)
        _, u, v, half_cover = cv2.split(half)
        _blend(self.y[top : top + height, left : left + width], luma, 255 - cover)
        rows, columns = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
        rest = 255 - half_cover
        _blend(self.u[rows, columns], u, rest)
        _blend(self.v[rows, columns], v, rest)
        return Patch(left, top, cover)

    def _place(self, sprite: Sprite, matrix: NDArray[np.float64]) -> tuple[int, int, int, int] | None:
        """The even rectangle that a sprite touches: left, top, width, height."""
        width, height = sprite.size
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64) @ matrix.T
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0) // 2 * 2
        size = (self.y.shape[1], self.y.shape[0])
        high = np.minimum((np.ceil(corners.max(axis=0)).astype(int) + 2) // 2 * 2, size)
        if (high - low).min() < 2:  # noqa: PLR2004 - one chroma sample
            return None
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _blend(target: Image, over: Image, rest: Image) -> None:
    """Lay a premultiplied picture over a part of a plane, in place: over + target * rest / 255."""
    cv2.add(cv2.multiply(target, rest, scale=1 / 255), over, dst=target)
