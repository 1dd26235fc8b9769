"""Small pictures for the office's own report: a crop of the face, or the whole image with its faces marked."""

from fractions import Fraction

import numpy as np

from overt.recognition.enrol import Box, resize
from overt_provisioning.images import Image

FACE_SIDE = 112
"""Width and height of a face's picture in pixels: enough to see who it is and what is wrong; about 4 kB."""
WHOLE_SIDE = 224
"""Longer side of the picture of a whole image in pixels."""
_MARGIN = 0.35
_MARK = (190, 0, 90)
_QUALITY = 4 * 118  # libavcodec counts in FF_QP2LAMBDA = 118ths of its scale of 1 (best) to 31


def make(image: Image, boxes: tuple[Box, ...]) -> bytes:
    """Return a small JPEG of an image: its face if it has one, else all of it with the faces framed.

    Args:
        image: (height, width, 3) uint8, RGB.
        boxes: The faces found.
    """
    return encode(_crop(image, boxes[0]) if len(boxes) == 1 else _whole(image, boxes))


def encode(image: Image) -> bytes:
    """Return an image as JPEG.

    Args:
        image: (height, width, 3) uint8, RGB; even sides.
    """
    import av  # noqa: PLC0415 - heavy

    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height = image.shape[1], image.shape[0]
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 1)
    context.options = {"flags": "qscale", "global_quality": str(_QUALITY)}
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _crop(image: Image, box: Box) -> Image:
    """Cut out a square around a face; what lies outside the image is grey."""
    left, top, width, height = box
    side = max(2, round(max(width, height) * (1 + 2 * _MARGIN)))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    square = np.full((side, side, 3), 128, np.uint8)
    rows, columns = slice(max(0, y), min(image.shape[0], y + side)), slice(max(0, x), min(image.shape[1], x + side))
    if rows.start < rows.stop and columns.start < columns.stop:
        square[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = image[rows, columns]
    return resize(square, FACE_SIDE, FACE_SIDE)


def _whole(image: Image, boxes: tuple[Box, ...]) -> Image:
    scale = min(1.0, WHOLE_SIDE / max(image.shape[:2]))
    rows, columns = (max(16, round(side * scale / 2) * 2) for side in image.shape[:2])
    small = resize(image, rows, columns)
    for left, top, width, height in boxes:
        _frame(small, round(left * scale), round(top * scale), round(width * scale), round(height * scale))
    return small


def _frame(image: Image, left: int, top: int, width: int, height: int) -> None:
    """Draw a frame two pixels wide."""
    x, y = max(0, left), max(0, top)
    right, bottom = max(x, left + width), max(y, top + height)
    for band in ((slice(y, y + 2), slice(x, right)), (slice(max(0, bottom - 2), bottom), slice(x, right))):
        image[band] = _MARK
    for band in ((slice(y, bottom), slice(x, x + 2)), (slice(y, bottom), slice(max(0, right - 2), right))):
        image[band] = _MARK
