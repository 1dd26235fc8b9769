"""From a decoder's picture to a `Frame`: views of its own planes, and the small copy for the detector by swscale."""

import functools
from functools import partial
from typing import Any

import numpy as np

from overt.recognition.arrays import Bytes
from overt.recognition.frame import Frame, Matrix
from overt.vision.sources.base import SourceError, check_size

_I420 = frozenset({"yuv420p", "yuvj420p"})
_HD_LINES = 720
_SPEC_BT601 = frozenset({4, 5, 6, 7})  # ITU-T H.273 matrix coefficients: FCC, BT.470BG, SMPTE 170M, SMPTE 240M
_SPEC_BT709 = 1
_FULL_RANGE = 2  # libavutil/pixfmt.h AVCOL_RANGE_JPEG


def fitted(width: int, height: int, size: tuple[int, int]) -> tuple[int, int, float]:
    """Return the size of a view scaled into the detector's input by one factor, and that factor.

    Args:
        width: Of the full view, pixels.
        height: Likewise.
        size: Width and height of the detector's input.

    Returns:
        Width and height inside the input, and full-view pixels per pixel of it. Never enlarges.
    """
    scale = max(width / size[0], height / size[1], 1.0)
    return min(size[0], max(1, round(width / scale))), min(size[1], max(1, round(height / scale))), scale


class Converter:
    """Turns the pictures of one stream into frames. All of them have the size of the first."""

    def __init__(self, size: tuple[int, int], what: str) -> None:
        """Make one.

        Args:
            size: Width and height of the detector's input in pixels.
            what: The source, for messages.
        """
        from av.video.reformatter import Interpolation, VideoReformatter  # noqa: PLC0415 - heavy: only who decodes

        self._size = size
        self._what = what
        self._interpolation = Interpolation.BILINEAR
        self._planes: Any = VideoReformatter()
        self._scaler: Any = VideoReformatter()
        self._painter: Any = VideoReformatter()
        self._view: tuple[int, int] | None = None
        self._number = 0

    def frame(self, picture: Any, captured_ns: int) -> Frame:  # noqa: ANN401 - av.VideoFrame, which is not typed
        """Convert one picture.

        The planes of the frame are views of the decoder's memory when that is I420 already, so nothing is copied. The
        small copy is made when it is asked for the first time, by one thread at a time for all frames of a stream.

        Args:
            picture: An `av.VideoFrame`.
            captured_ns: Unix time of the capture, nanoseconds.

        Raises:
            SourceError: The picture's size is absurd or has changed, or it is stored turned.
        """
        self._check(picture)
        matrix, full_range = _matrix(picture), _is_full_range(picture)
        if picture.format.name not in _I420:
            picture = self._planes.reformat(picture, format="yuvj420p" if full_range else "yuv420p", threads=1)
        width, height = picture.width, picture.height
        y = _plane(picture.planes[0], width, height)
        u, v = (_plane(plane, -(-width // 2), -(-height // 2)) for plane in picture.planes[1:3])
        self._number += 1
        return Frame(
            self._number,
            captured_ns,
            y=y,
            u=u,
            v=v,
            small_copy=functools.cache(partial(self._small_copy, picture, matrix, full_range)),
            scale=fitted(width, height, self._size)[2],
            full_range=full_range,
            matrix=matrix,
        )

    def _check(self, picture: Any) -> None:  # noqa: ANN401 - av.VideoFrame
        view = (picture.width, picture.height)
        if self._view is None:
            check_size(*view, self._what)
            if picture.rotation % 360:
                raise SourceError(
                    f"expected upright pictures in {self._what}, found them stored turned by "
                    f"{picture.rotation % 360} degrees: turn and encode the footage anew"
                )
            self._view = view
        if view != self._view:
            raise SourceError(
                f"expected pictures of one size in {self._what}, found {view[0]}x{view[1]} after "
                f"{self._view[0]}x{self._view[1]}"
            )

    def _small_copy(self, picture: Any, matrix: Matrix, full_range: bool) -> Bytes:  # noqa: ANN401 - av.VideoFrame
        width, height, _ = fitted(picture.width, picture.height, self._size)
        # Scaling first and changing colours afterwards costs two thirds of doing both at once.
        scaled = self._scaler.reformat(
            picture, width=width, height=height, interpolation=self._interpolation, threads=1
        )
        bgr = self._painter.reformat(
            scaled,
            format="bgr24",
            src_colorspace="ITU709" if matrix == "bt709" else "ITU601",
            src_color_range="JPEG" if full_range else "MPEG",
            dst_color_range="JPEG",
            threads=1,
        )
        small = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        small[:height, :width] = _plane(bgr.planes[0], width * 3, height).reshape(height, width, 3)
        return small


def _plane(plane: Any, width: int, height: int) -> Bytes:  # noqa: ANN401 - av.VideoPlane
    """Return a view of a plane without the padding at the end of its lines."""
    whole: Bytes = np.frombuffer(plane, np.uint8)
    return crop_padding(whole, plane.line_size, width, height)


def crop_padding(buffer: Bytes, stride: int, width: int, height: int) -> Bytes:
    """Return a plane's pixels out of memory whose lines are `stride` bytes apart. A view, not a copy.

    Args:
        buffer: (n,) uint8; the last line may be cut off after its pixels.
        stride: Bytes from one line to the next.
        width: Bytes that matter in each line.
        height: Lines.

    Returns:
        (height, width) uint8.

    Raises:
        SourceError: The buffer is smaller than that.
    """
    needed = stride * (height - 1) + width
    if stride < width or buffer.size < needed:
        raise SourceError(f"expected {needed:,} bytes of {height} lines {stride} apart, found {buffer.size:,}")
    return np.lib.stride_tricks.as_strided(buffer, (height, width), (stride, 1))


def _matrix(picture: Any) -> Matrix:  # noqa: ANN401 - av.VideoFrame
    if picture.colorspace == _SPEC_BT709:
        return "bt709"
    if picture.colorspace in _SPEC_BT601:
        return "bt601"
    return "bt709" if picture.height >= _HD_LINES else "bt601"  # unsaid: the custom of players


def _is_full_range(picture: Any) -> bool:  # noqa: ANN401 - av.VideoFrame
    return bool(picture.color_range == _FULL_RANGE) or str(picture.format.name).startswith("yuvj")
