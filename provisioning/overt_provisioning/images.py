"""Reads still images, upright. Nothing but five image decoders ever sees a file: no playlist, no video, no link."""

import stat
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

_MAX_FILE_BYTES = 64 * 1024 * 1024
_MAX_PIXELS = 64_000_000
_KINDS = "a JPEG, PNG, WebP, BMP or TIFF image"
_MARKS = {
    b"\xff\xd8\xff": "mjpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"BM": "bmp",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
}
_ORIENTATION = 0x0112  # Exif 2.32, 4.6.4: the tag; its values 1..8 say which side of the picture was up
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = b"\xff\xda", b"\xff\xd9", b"\xff\xe1"


class StillProblem(Exception):
    """An image cannot be read. The message says why and what to do."""


def read_image(path: Path) -> Image:
    """Read an image file.

    Returns:
        (height, width, 3) uint8, RGB, upright as its EXIF orientation says.

    Raises:
        StillProblem: Missing, too large, cut short, or not an image.
    """
    import av  # noqa: PLC0415 - heavy

    data = _read(path)
    decoder = _decoder(data)
    context = av.CodecContext.create(decoder, "r")
    # A size is refused before memory is had for it; a damaged image is refused, not mended with grey.
    context.options = {"max_pixels": str(_MAX_PIXELS), **({} if decoder == "tiff" else {"err_detect": "explode"})}
    try:
        frames = context.decode(av.Packet(data)) or context.decode(None)
        frame = frames[0]
        image: Image = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise StillProblem(
            f"expected {_KINDS} of at most {_MAX_PIXELS // 1_000_000} million pixels, cannot read it as one"
        ) from error
    if decoder == "mjpeg":
        return np.ascontiguousarray(_turned(image, orientation(data)))
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))


def orientation(jpeg: bytes) -> int:
    """Return the EXIF orientation of a JPEG, 1 to 8; 1 (upright) when it says none, or nothing that makes sense."""
    try:
        at = 2
        while (marker := jpeg[at : at + 2])[0] == _APP1[0] and marker != _START_OF_SCAN:
            (length,) = struct.unpack_from(">H", jpeg, at + 2)
            part = jpeg[at + 4 : at + 2 + length]
            if marker == _APP1 and part.startswith(b"Exif\x00\x00"):
                return _orientation_of(part[6:])
            at += 2 + length
    except (struct.error, IndexError):
        pass
    return 1


def _orientation_of(tiff: bytes) -> int:
    order = "<" if tiff.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, directory)
    for index in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * index)
        if tag == _ORIENTATION and 1 <= value <= 8:  # noqa: PLR2004 - the standard's eight values
            return int(value)
    return 1


def _turned(image: Image, value: int) -> Image:
    """Undo an EXIF orientation: first the mirroring of the even-odd pairs, then quarter turns against the clock."""
    mirrored = value in {2, 4, 5, 7}
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[value]
    return np.rot90(image[:, ::-1] if mirrored else image, turns)


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise StillProblem("expected an image file, found something else of that name, such as a folder")
        if found.st_size > _MAX_FILE_BYTES:
            raise StillProblem(f"expected an image of at most {_MAX_FILE_BYTES >> 20} MiB, found a larger file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StillProblem("expected an image file, found none of that name in the folder") from error
    except OSError as error:
        raise StillProblem(f"expected an image file, cannot read it: {error.strerror}") from error


def _decoder(data: bytes) -> str:
    found = next((decoder for mark, decoder in _MARKS.items() if data.startswith(mark)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = "webp"
    if found is None:
        raise StillProblem(f"expected {_KINDS}, found something else")
    if found == "mjpeg" and data.rfind(_END_OF_IMAGE) <= data.rfind(_START_OF_SCAN):
        raise StillProblem("expected a whole JPEG image, found one that is cut short")
    return found
