"""One picture of the camera, as it comes: I420 planes of the full view and a small copy for the detector."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from overt.recognition.arrays import MATRIX_AXES, Bytes, Floats, is_image
from overt.recognition.errors import BadFrame

Matrix = Literal["bt709", "bt601"]

# Luma weights of red and blue: ITU-R BT.709-6 and BT.601-7, "derivation of luminance signal".
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Attributes:
        number: Counts frames of the source; only for messages.
        captured_ns: Unix time of the capture, nanoseconds.
        y: Luma, (H, W) uint8, at full resolution.
        u: Blue difference, (ceil(H/2), ceil(W/2)) uint8, each sample centred on its 2 x 2 luma samples.
        v: Red difference, like `u`.
        small_copy: See `small`; or what makes it, where that takes work that most pictures are never worth.
        scale: Full-view pixels per pixel of `small`.
        full_range: Luma uses 0..255; otherwise 16..235 (and chroma 16..240).
        matrix: Which luma weights the planes were made with.

    Raises:
        BadFrame: The planes do not fit together.
    """

    number: int
    captured_ns: int
    y: Bytes = field(repr=False)
    u: Bytes = field(repr=False)
    v: Bytes = field(repr=False)
    small_copy: Bytes | Callable[[], Bytes] = field(repr=False)
    scale: float
    full_range: bool = False
    matrix: Matrix = "bt709"

    def __post_init__(self) -> None:
        for name in ("y", "u", "v"):
            plane = getattr(self, name)
            if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8:
                raise BadFrame(f"expected {name} as an array of uint8, found {getattr(plane, 'dtype', type(plane))}")
        if self.y.ndim != MATRIX_AXES or not self.y.size:
            raise BadFrame(f"expected y of shape (H, W), found {self.y.shape}")
        half = (-(-self.y.shape[0] // 2), -(-self.y.shape[1] // 2))
        if self.u.shape != half or self.v.shape != half:
            raise BadFrame(f"expected u and v of shape {half} beside y {self.y.shape}: {self.u.shape}, {self.v.shape}")
        if not callable(self.small_copy):
            _check_small(self.small_copy)
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise BadFrame(f"expected a scale above zero, found {self.scale}")
        if self.matrix not in LUMA_WEIGHTS:
            raise BadFrame(f"expected matrix bt709 or bt601, found {self.matrix!r}")

    @property
    def small(self) -> Bytes:
        """The detector's input, (h, w, 3) uint8 BGR.

        The full view scaled by one factor, its first pixel at the top left, padded with zeros at the right and the
        bottom.

        Raises:
            BadFrame: What was to make it made something else.
        """
        return _check_small(self.small_copy()) if callable(self.small_copy) else self.small_copy

    @property
    def width(self) -> int:
        """Width of the full view in pixels."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Height of the full view in pixels."""
        return int(self.y.shape[0])


def _check_small(small: Bytes) -> Bytes:
    if not is_image(small):
        found = getattr(small, "shape", type(small)), getattr(small, "dtype", None)
        raise BadFrame(f"expected small as an array of uint8 of shape (h, w, 3), found {found[0]} {found[1]}")
    return small


def to_rgb(y: Floats, u: Floats, v: Floats, *, full_range: bool, matrix: Matrix) -> Bytes:
    """Turn luma and colour differences of the same shape into RGB.

    The inverse of ITU-R BT.709-6 section 3 (or BT.601-7): R = Y + 2(1 - Kr) Cr, B = Y + 2(1 - Kb) Cb, G from both.

    Args:
        y: (...) float32, code values 0..255.
        u: (...) float32, likewise.
        v: (...) float32, likewise.
        full_range: See `Frame`.
        matrix: See `Frame`.

    Returns:
        (..., 3) uint8, RGB.
    """
    kr, kb = LUMA_WEIGHTS[matrix]
    luma = y if full_range else (y - np.float32(16)) * np.float32(255 / 219)
    gain = np.float32(1.0 if full_range else 255 / 224)
    blue = (u - np.float32(128)) * gain
    red = (v - np.float32(128)) * gain
    rgb = np.empty((*y.shape, 3), np.float32)
    np.add(luma, np.float32(2 * (1 - kr)) * red, out=rgb[..., 0])
    np.add(luma, np.float32(2 * (1 - kb)) * blue, out=rgb[..., 2])
    green = luma - np.float32(2 * (1 - kr) * kr / (1 - kr - kb)) * red
    np.subtract(green, np.float32(2 * (1 - kb) * kb / (1 - kr - kb)) * blue, out=rgb[..., 1])
    rgb += np.float32(0.5)  # rounds when truncated
    return np.clip(rgb, 0, 255, out=rgb).astype(np.uint8)


def crop_rgb(frame: Frame, x0: int, y0: int, x1: int, y1: int) -> Bytes:
    """Return a part of the full view in RGB, converting only that part; each chroma sample serves its 2 x 2 pixels.

    Args:
        frame: The picture.
        x0: Left edge, pixels, inside the view.
        y0: Top edge.
        x1: Right edge, exclusive.
        y1: Bottom edge, exclusive.

    Returns:
        (y1 - y0, x1 - x0, 3) uint8, RGB, a new array.

    Raises:
        BadFrame: The crop is empty or reaches outside the view.
    """
    if not (0 <= x0 < x1 <= frame.width and 0 <= y0 < y1 <= frame.height):
        raise BadFrame(f"expected a crop within {frame.width}x{frame.height}, found ({x0}, {y0}) to ({x1}, {y1})")
    rows = np.arange(y0, y1)[:, None] // 2
    columns = np.arange(x0, x1)[None, :] // 2
    return to_rgb(
        frame.y[y0:y1, x0:x1].astype(np.float32),
        frame.u[rows, columns].astype(np.float32),
        frame.v[rows, columns].astype(np.float32),
        full_range=frame.full_range,
        matrix=frame.matrix,
    )
