"""Recorded footage in the place of a camera, played at its own speed."""

import os
import stat
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from overt.recognition.frame import Frame
from overt.vision.sources.base import MAX_PIXELS, SourceEnded, SourceError, SourceUnavailable, check_size
from overt.vision.sources.convert import Converter
from overt.vision.sources.pace import Pace

# Containers of one file. Playlists and the like, which name further files and addresses, are not footage.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,h264,hevc,ivf,nut,yuv4mpegpipe"
_FALLBACK_RATE = 25.0
_MAX_BAD_PACKETS = 100


class FootageSource:
    """A video file."""

    opens_locked = True  # for reading, through the descriptor that was opened before
    patience_s = 10.0
    frozen_after_s: float | None = None  # a still scene compresses to equal pictures

    def __init__(self, path: Path, size: tuple[int, int], *, loop: bool = False) -> None:
        """Open the file and hold on to it; nothing is decoded yet.

        Args:
            path: The file.
            size: Width and height of the detector's input in pixels.
            loop: Start over at the end.

        Raises:
            SourceError: Missing, or not a regular file.
        """
        self._name = path.name
        self._size = size
        self._loop = loop
        self._descriptor = _open_regular(path)
        self._reader: _Reader | None = None
        self._pace = Pace()
        self._played_s = 0.0

    @property
    def describe(self) -> str:
        """Say what this is."""
        return f"footage {self._name}"

    def check(self) -> None:
        """Decode the first picture.

        Raises:
            SourceError: There is none, or it is not fit for use.
        """
        reader = self._open_reader()
        try:
            Converter(self._size, self.describe).frame(reader.first()[1], 0)
        finally:
            reader.close()

    def open(self) -> None:
        """Go to the start.

        Raises:
            SourceError: Not readable as video.
        """
        self.close()
        self._converter = Converter(self._size, self.describe)
        self._reader = self._open_reader()
        self._pace, self._played_s = Pace(), 0.0

    def next(self, stop: threading.Event) -> Frame | None:
        """Wait until the next picture is due. See `FrameSource.next`."""
        if self._reader is None:
            raise SourceError(f"{self.describe} is not open")
        position_s, picture = self._next_picture(self._reader)
        now = time.monotonic()
        due = self._pace.due(self._played_s + position_s, now)
        if self._pace.skip(due, now) or (due > now and stop.wait(due - now)):
            return None
        captured_ns = time.time_ns() - int((time.monotonic() - due) * 1e9)
        return self._converter.frame(picture, captured_ns)

    def close(self) -> None:
        """Stop playing; the file stays at hand."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _next_picture(self, reader: "_Reader") -> tuple[float, Any]:
        try:
            return reader.next()
        except SourceEnded:
            if not self._loop:
                raise
        self._played_s += reader.length_s
        reader.close()
        self._reader = self._open_reader()
        return self._reader.first()

    def _open_reader(self) -> "_Reader":
        return _Reader(f"/proc/self/fd/{self._descriptor}", self.describe)


class _Reader:
    """One playing of a file, from its first picture to its last."""

    def __init__(self, path: str, what: str) -> None:
        import av  # noqa: PLC0415 - heavy: only who decodes

        self._error = av.FFmpegError
        self._what = what
        options = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS, "max_pixels": str(MAX_PIXELS)}
        try:
            self._container: Any = av.open(path, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(f"expected a video in {what}, found something that cannot be read as one") from error
        try:
            self._stream = self._choose_stream()
        except BaseException:
            self._container.close()
            raise
        self._rate = float(self._stream.average_rate or 0) or _FALLBACK_RATE
        self._number = 0
        self._start: float | None = None
        self.length_s = 0.0
        self._pictures = self._decode()

    def first(self) -> tuple[float, Any]:
        """Return the first picture.

        Raises:
            SourceError: There is none.
        """
        try:
            return self.next()
        except SourceEnded:
            raise SourceError(f"expected pictures in {self._what}, found none that can be decoded") from None

    def next(self) -> tuple[float, Any]:
        """Return the next picture and its position, seconds from the first.

        Raises:
            SourceEnded: There are no more.
        """
        for picture in self._pictures:
            time_s = picture.time if picture.pts is not None else self._number / self._rate
            if self._start is None:
                self._start = time_s
            self._number += 1
            position_s = max(0.0, time_s - self._start)
            self.length_s = max(self.length_s, position_s + 1 / self._rate)
            return position_s, picture
        raise SourceEnded

    def close(self) -> None:
        """Let go of the decoder."""
        self._pictures.close()
        self._container.close()

    def _choose_stream(self) -> Any:  # noqa: ANN401 - av.VideoStream
        streams = self._container.streams.video
        if not streams:
            raise SourceError(f"expected a video in {self._what}, found no pictures in it, only other streams")
        stream = streams[0]
        if not stream.codec_context.width:
            raise SourceError(f"expected pictures in {self._what}, found none that can be decoded")
        check_size(stream.codec_context.width, stream.codec_context.height, self._what)
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.codec_context.thread_count = 1  # the other cores are for inference
        return stream

    def _decode(self) -> Generator[Any, None, None]:
        bad = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    pictures = packet.decode()
                except self._error:
                    bad += 1  # a damaged stretch; what follows may be whole
                    if bad > _MAX_BAD_PACKETS:
                        return
                    continue
                yield from pictures
        except self._error:
            return  # the file breaks off here: an end like any other


def _open_regular(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise SourceUnavailable(f"cannot open the footage {path}: {reason}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "something else (a pipe or a device)"
        raise SourceError(f"expected a video file at {path}, found {kind}")
    return descriptor
