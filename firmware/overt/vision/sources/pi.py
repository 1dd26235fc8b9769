"""The Raspberry Pi's own camera, through picamera2 (from the system's packages) and libcamera.

Written against picamera2 0.3.38 and libcamera 0.4. libcamera adjusts what it cannot do, formats and sizes, and says so
in its own log only: what was configured is read back and judged here.
"""

import atexit
import contextlib
import threading
import time
from typing import Any

import numpy as np

from overt.protocol.vocabulary import Cause
from overt.recognition.arrays import Bytes
from overt.recognition.frame import Frame
from overt.vision.sources.base import SourceError, SourceUnavailable, check_size
from overt.vision.sources.convert import crop_padding, fitted

VIEW = (1920, 1080)
RATE = 25.0
_CAPTURE_S = 2.0
_BUFFERS = 4
_FORMAT = "YUV420"
_USB = "/usb"  # in the id of a camera on USB, which libcamera drives as well (`Picamera2.global_camera_info`)


class PiCamera:
    """A camera module. The image processor makes both sizes: the full view, and the small copy for the detector."""

    opens_locked = False
    patience_s = 6.0
    frozen_after_s: float | None = 5.0

    def __init__(self, size: tuple[int, int]) -> None:
        """Remember the size (width, height) of the detector's input."""
        self._size = size
        self._camera: Any = None
        self._number = 0

    @property
    def describe(self) -> str:
        """Say what this is."""
        return "the Raspberry Pi camera"

    def check(self) -> None:
        """Look whether picamera2 is installed and knows a camera on a ribbon cable.

        Raises:
            SourceUnavailable: No.
        """
        _first(_picamera2())

    def open(self) -> None:
        """Configure one fixed sensor mode and start."""
        self.close()
        library = _picamera2()
        try:
            self._camera = library.Picamera2(_first(library))
            # It would close itself when the process ends, and so keep one from ending whose camera hangs.
            atexit.unregister(self._camera.close)
            self._configure(self._camera)
            self._camera.start()
        except SourceError:
            self.close()
            raise
        except (RuntimeError, LookupError, OSError, ValueError, AttributeError, TypeError) as error:
            self.close()
            raise SourceUnavailable(
                f"cannot start {self.describe} ({_reason(error)}): is another program using it, and may this one use "
                "/dev/media*, /dev/video* and /dev/dma_heap?"
            ) from error

    def next(self, stop: threading.Event) -> Frame | None:
        """Wait for the next picture, two seconds at most. See `FrameSource.next`."""
        if stop.is_set():
            return None
        try:
            request = self._camera.capture_request(wait=_CAPTURE_S)
        except (TimeoutError, RuntimeError) as error:
            message = f"{self.describe} gave no picture for {_CAPTURE_S:g} s"
            raise SourceUnavailable(message, Cause.CAMERA_SILENT) from error
        try:
            main, lores = request.make_buffer("main"), request.make_buffer("lores")
            metadata = request.get_metadata()
        except (RuntimeError, OSError, ValueError) as error:
            raise SourceUnavailable(f"{self.describe} took a picture back while it was read") from error
        finally:
            with contextlib.suppress(RuntimeError, OSError):
                request.release()
        self._number += 1
        y, u, v = i420_planes(main, self._main["size"], self._main["stride"])
        return Frame(
            self._number, _unix_ns(metadata), y=y, u=u, v=v, small_copy=self._small(lores), scale=self._scale
        )  # libcamera's video default: BT.709, limited range

    def close(self) -> None:
        """Stop and let go of the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            with contextlib.suppress(RuntimeError, OSError):  # a camera that is gone cannot be let go of
                camera.close()

    def _configure(self, camera: Any) -> None:  # noqa: ANN401 - picamera2.Picamera2
        mode = choose_mode(camera.sensor_modes)
        width, height, _ = fitted(*VIEW, self._size)
        config = camera.create_video_configuration(
            main={"size": VIEW, "format": _FORMAT},
            lores={"size": (width // 2 * 2, height // 2 * 2), "format": _FORMAT},
            sensor={"output_size": mode["size"], "bit_depth": mode["bit_depth"]},
            controls={"FrameRate": RATE},
            buffer_count=_BUFFERS,
            queue=False,
        )
        camera.configure(config)
        chosen = camera.camera_configuration()
        self._main, self._lores = chosen["main"], chosen["lores"]
        formats = {self._main["format"], self._lores["format"]}
        if formats != {_FORMAT}:
            found = " and ".join(sorted(map(str, formats)))
            raise SourceError(f"expected pictures in {_FORMAT}, {self.describe} gives {found}: is it a camera module?")
        (width, height), (small_width, small_height) = self._main["size"], self._lores["size"]
        check_size(width, height, self.describe)
        check_size(small_width, small_height, f"the small copy of {self.describe}")
        if small_width > self._size[0] or small_height > self._size[1]:
            raise SourceError(f"expected a small copy within {self._size}, {self.describe} made {self._lores['size']}")
        self._scale = max(width / small_width, height / small_height)

    def _small(self, buffer: Bytes) -> Bytes:
        """Turn the small I420 copy into the detector's BGR."""
        import av  # noqa: PLC0415 - heavy: only who decodes

        (width, height), stride = self._lores["size"], self._lores["stride"]
        packed = np.concatenate([plane.reshape(-1) for plane in i420_planes(buffer, (width, height), stride)])
        picture: Any = av.VideoFrame.from_ndarray(packed.reshape(-1, width), format="yuv420p")
        bgr: Bytes = picture.to_ndarray(format="bgr24", src_colorspace="ITU709", threads=1)
        small = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        small[:height, :width] = bgr
        return small


def choose_mode(modes: list[dict[str, Any]]) -> dict[str, Any]:
    """Choose the sensor mode: the smallest that covers the view and the rate, else the fastest.

    Args:
        modes: As picamera2 lists them, with "size", "fps" and "bit_depth".

    Raises:
        SourceUnavailable: There is none.
    """
    modes = [mode for mode in modes if {"size", "fps", "bit_depth"} <= set(mode)]  # a raw one has them, others do not
    if not modes:
        raise SourceUnavailable("expected a camera with at least one raw mode, found none: is it a camera module?")
    fit = [m for m in modes if m["size"][0] >= VIEW[0] and m["size"][1] >= VIEW[1] and m["fps"] >= RATE]
    if fit:
        return min(fit, key=lambda m: (m["size"][0] * m["size"][1], -m["fps"]))
    return max(modes, key=lambda m: m["fps"])


def i420_planes(buffer: Bytes, size: tuple[int, int], stride: int) -> tuple[Bytes, Bytes, Bytes]:
    """Take apart a buffer of an even-sized I420 picture whose lines may be padded.

    libcamera's YUV420: all luma lines `stride` apart, then the lines of each chroma plane half a stride apart.

    Args:
        buffer: (n,) uint8.
        size: Width and height in pixels.
        stride: Bytes from one luma line to the next.

    Returns:
        y (H, W), u and v (H/2, W/2): views.

    Raises:
        SourceError: The buffer is too small for that.
    """
    width, height = size
    luma, chroma = stride * height, (stride // 2) * (height // 2)
    return (
        crop_padding(buffer[:luma], stride, width, height),
        crop_padding(buffer[luma : luma + chroma], stride // 2, width // 2, height // 2),
        crop_padding(buffer[luma + chroma : luma + 2 * chroma], stride // 2, width // 2, height // 2),
    )


def _unix_ns(metadata: dict[str, Any]) -> int:
    """Turn the sensor's time of the first line (nanoseconds since boot) into Unix time."""
    now = time.time_ns()
    taken = metadata.get("SensorTimestamp")
    return now if taken is None else now - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - int(taken))


def _reason(error: BaseException) -> str:
    """Return the first thing that went wrong: picamera2 wraps it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0] or type(error).__name__


def _first(library: Any) -> int:  # noqa: ANN401 - the picamera2 module
    """Return the number of the first camera on a ribbon cable, as picamera2 counts.

    Raises:
        SourceUnavailable: There is none.
    """
    cameras = library.Picamera2.global_camera_info()
    found = [number for number, camera in enumerate(cameras) if _USB not in camera["Id"]]
    if not found:
        other = "only cameras on USB: use v4l2:DEVICE for one of them, or" if cameras else "none:"
        raise SourceUnavailable(f"expected a Raspberry Pi camera, found {other} check the ribbon cable")
    return found[0]


def _picamera2() -> Any:  # noqa: ANN401 - the picamera2 module
    try:
        import picamera2  # noqa: PLC0415 - only on a Raspberry Pi, from the system's packages
    except ValueError as error:
        raise SourceUnavailable(
            f"picamera2 is installed for another NumPy than {np.__version__} ({_reason(error)}): a camera module needs "
            "Raspberry Pi OS 13 and the package for Debian 13"
        ) from error
    except ImportError as error:
        raise SourceUnavailable(
            f"picamera2 cannot be loaded ({_reason(error)}): on Raspberry Pi OS, apt install python3-picamera2"
        ) from error
    return picamera2
