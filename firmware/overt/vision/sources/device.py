"""Cameras that libav opens: V4L2 (USB and others) and RTSP over TCP."""

import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from overt.recognition.frame import Frame
from overt.vision.sources.base import MAX_PIXELS, SourceError, SourceUnavailable, check_size
from overt.vision.sources.convert import Converter

_OPEN_S, _READ_S = 10.0, 5.0
_MAX_URL_BYTES = 2048
_MAX_BAD_PACKETS = 100

# Fixed modes, in the order in which they are tried: compressed full HD (what USB 2 carries at full rate), raw full HD,
# and whatever the device is set to.
_V4L2_MODES: tuple[dict[str, str], ...] = (
    {"video_size": "1920x1080", "framerate": "25", "input_format": "mjpeg"},
    {"video_size": "1920x1080", "framerate": "30", "input_format": "mjpeg"},
    {"video_size": "1920x1080"},
    {},
)


class LibavCamera:
    """A camera behind libav. What differs between kinds of camera is in the subclasses."""

    opens_locked = False
    patience_s = 6.0
    frozen_after_s: float | None = 5.0

    def __init__(self, size: tuple[int, int]) -> None:
        """Remember the size (width, height) of the detector's input."""
        self._size = size
        self._container: Any = None

    @property
    def describe(self) -> str:
        """Say what this is, in a few words without secrets."""
        raise NotImplementedError

    def check(self) -> None:
        """Nothing can be found out without switching the camera on."""

    def open(self) -> None:
        """Switch the camera on. See `FrameSource.open`."""
        import av  # noqa: PLC0415 - heavy: only who decodes

        self.close()
        self._error = av.FFmpegError
        self._container = self._connect(av)
        streams = self._container.streams.video
        if not streams:
            self.close()
            raise SourceError(f"expected pictures from {self.describe}, found none in what it sends")
        context = streams[0].codec_context
        if context.width:  # a network camera may say it with its first picture only
            check_size(context.width, context.height, self.describe)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = 1
        self._converter = Converter(self._size, self.describe)
        self._packets = self._container.demux(streams[0])
        self._pictures: list[Any] = []
        self._bad = 0

    def next(self, stop: threading.Event) -> Frame | None:
        """Wait for the next picture. See `FrameSource.next`."""
        while not stop.is_set():
            if self._pictures:
                picture = self._pictures.pop(0)
                return self._converter.frame(picture, time.time_ns())
            try:
                self._pictures = list(next(self._packets).decode())
                self._bad = 0
            except (StopIteration, self._error, OSError) as error:
                self._count_failure(error)
        return None

    def close(self) -> None:
        """Switch the camera off."""
        if self._container is not None:
            self._packets = iter(())
            self._container.close()
            self._container = None

    def _connect(self, av: Any) -> Any:  # noqa: ANN401 - the av module and av.InputContainer
        raise NotImplementedError

    def _count_failure(self, error: BaseException) -> None:
        """Bear a few damaged pictures, as after a lost packet; not a lost camera."""
        self._bad += 1
        if not isinstance(error, ValueError) or self._bad > _MAX_BAD_PACKETS:  # libav's "invalid data" is a ValueError
            raise SourceUnavailable(
                f"{self.describe} does not answer any more: check its cable and its power"
            ) from None


class V4l2Camera(LibavCamera):
    """A camera with a device file."""

    def __init__(self, device: Path, size: tuple[int, int]) -> None:
        """Remember which.

        Args:
            device: Such as /dev/video0.
            size: Width and height of the detector's input in pixels.
        """
        super().__init__(size)
        self._device = device

    @property
    def describe(self) -> str:
        """Say what this is."""
        return f"the camera {self._device}"

    def check(self) -> None:
        """Look whether the device is there.

        Raises:
            SourceUnavailable: It is not.
        """
        if not self._device.is_char_device():
            raise SourceUnavailable(f"expected a camera at {self._device}, found none: is it plugged in?")

    def _connect(self, av: Any) -> Any:  # noqa: ANN401 - see LibavCamera
        self.check()
        reason = ""
        for mode in _V4L2_MODES:
            try:
                return av.open(str(self._device), format="v4l2", options=mode)
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "not a camera"
        raise SourceUnavailable(f"cannot use {self.describe}: {reason}; is another program using it?")


class RtspCamera(LibavCamera):
    """A network camera, over TCP. Its connection is the only one the daemon has; a lost one means a new process."""

    frozen_after_s: float | None = 30.0  # between two whole pictures, compression may repeat a quiet scene exactly

    def __init__(self, url: str, size: tuple[int, int]) -> None:
        """Remember where.

        Args:
            url: rtsp://host/path, with user and password if need be: it is never shown.
            size: Width and height of the detector's input in pixels.

        Raises:
            SourceError: Not such a URL.
        """
        super().__init__(size)
        try:
            parts = urlsplit(url)
            self._place = f"{parts.hostname}:{parts.port or 554}"
        except ValueError:
            raise SourceError("expected an address like rtsp://host/path, found something else") from None
        if parts.scheme != "rtsp" or not parts.hostname:
            raise SourceError("expected an address like rtsp://host/path, found something else")
        self._url = url

    @property
    def describe(self) -> str:
        """Say what this is, without user and password."""
        return f"the camera at {self._place}"

    def _connect(self, av: Any) -> Any:  # noqa: ANN401 - see LibavCamera
        options = {
            "rtsp_transport": "tcp",
            "allowed_media_types": "video",
            "protocol_whitelist": "rtsp,rtp,tcp",
            "fflags": "nobuffer",
            "analyzeduration": "500000",  # microseconds: the description has already said what comes
        }
        try:
            return av.open(self._url, format="rtsp", options=options, timeout=(_OPEN_S, _READ_S))
        except (av.FFmpegError, OSError, ValueError) as error:
            # libav's own words hold the whole address, password included: only the reason goes on.
            reason = getattr(error, "strerror", None) or "it does not speak RTSP"
        raise SourceUnavailable(f"cannot reach {self.describe}: {reason}")


def read_url(path: Path) -> str:
    """Read a camera's address from a file or a systemd credential.

    Raises:
        SourceError: Missing, or not one short line of text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_URL_BYTES + 1)
    except OSError as error:
        raise SourceUnavailable(f"cannot read the camera's address from {path}: {error.strerror}") from error
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _MAX_URL_BYTES or any(c.isspace() or not c.isprintable() for c in text):
        raise SourceError(f"expected one address like rtsp://user:password@host/path in {path}, found something else")
    return text
