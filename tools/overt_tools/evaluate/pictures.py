"""Reads the stills of a labelled set, upright, with the decoder that an office enrols with."""

from pathlib import Path

import av
import numpy as np

from overt.recognition.arrays import Bytes

_DECODERS = {b"\xff\xd8\xff": "mjpeg", b"\x89PNG\r\n\x1a\n": "png"}
_END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd9", b"\xff\xda"
_MAX_PIXELS = 64_000_000

SUFFIXES = (".jpg", ".jpeg", ".png")
"""What counts as a still of a set."""


class BadPictureError(Exception):
    """A file is no whole picture. The message says why."""


def decode_picture(data: bytes) -> Bytes:
    """Decode a JPEG or PNG; one that is damaged is refused, not mended with grey.

    Args:
        data: The file.

    Returns:
        (H, W, 3) uint8, RGB, upright as its EXIF orientation says.

    Raises:
        BadPictureError: Not a whole picture, or larger than 64 million pixels.
    """
    decoder = next((name for mark, name in _DECODERS.items() if data.startswith(mark)), None)
    if decoder is None:
        raise BadPictureError("neither JPEG nor PNG")
    if decoder == "mjpeg" and data.rfind(_END_OF_IMAGE) <= data.rfind(_START_OF_SCAN):
        raise BadPictureError("cut short")
    context = av.CodecContext.create(decoder, "r")
    context.options = {"max_pixels": str(_MAX_PIXELS), "err_detect": "explode"}
    try:
        frame = (context.decode(av.Packet(data)) or context.decode(None))[0]
        rgb = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise BadPictureError("damaged") from error
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def read_picture(path: Path) -> Bytes:
    """Read a still. See `decode_picture`.

    Raises:
        BadPictureError: It cannot be read, or see `decode_picture`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPictureError(error.strerror or str(error)) from error
    return decode_picture(data)
