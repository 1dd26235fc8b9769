"""Finds templates and images in arbitrary bytes, for tests that prove there are none."""

import base64
from collections.abc import Iterator

import numpy as np

VALUES = 128
IMAGE_MARKS = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n",
    "WebP": b"WEBPVP8",
    "H.264": b"\x00\x00\x00\x01\x67",
    "MP4": b"ftypisom",
}


def templates_in(data: bytes) -> Iterator[bytes]:
    """Every 512 bytes, at any offset, that are 128 float32 of unit length, as every template is."""
    for offset in range(4):
        values = np.frombuffer(data, "<f4", (len(data) - offset) // 4, offset) if len(data) >= 512 + offset else None
        if values is None or len(values) < VALUES:
            continue
        with np.errstate(all="ignore"):
            squares = np.where(np.abs(values) <= 1.0, values.astype(np.float64) ** 2, 10.0)
        sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(squares, nan=10.0))])
        lengths = sums[VALUES:] - sums[:-VALUES]
        for at in np.flatnonzero(np.abs(lengths - 1.0) < 1e-3)[:1000]:
            # A template has many values of either sign; a stray 1.0 among zeros has not.
            if np.count_nonzero(values[at : at + VALUES]) > VALUES // 2:
                yield values[at : at + VALUES].tobytes()


def has_template(data: bytes) -> bool:
    """Whether there is one."""
    return next(templates_in(data), None) is not None


def has_template_text(data: bytes) -> bool:
    """The same for base64 runs inside text."""
    return any(has_template(run) for run in _base64_runs(data))


def image_in(data: bytes) -> str | None:
    """The kind of picture or footage that begins somewhere in the data, if one does."""
    return next((kind for kind, mark in IMAGE_MARKS.items() if mark in data), None)


def _base64_runs(data: bytes) -> Iterator[bytes]:
    alphabet = np.zeros(256, bool)
    alphabet[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")] = True
    good = np.concatenate([[False], alphabet[np.frombuffer(data, np.uint8)], [False]])
    starts, ends = (np.flatnonzero(np.diff(good.astype(np.int8)) == sign) for sign in (1, -1))
    for start, end in zip(starts, ends, strict=True):
        if end - start >= 600:
            run = data[start:end]
            for shift in range(4):
                part = run[shift : shift + (len(run) - shift) // 4 * 4].rstrip(b"=")
                yield base64.b64decode(part + b"=" * (-len(part) % 4))
