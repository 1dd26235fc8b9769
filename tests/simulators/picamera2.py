"""The part of picamera2 0.3.38 that a unit uses, behaving as its source does, over an image processor that pads lines.

Where picamera2 is strict, this is: a request is given back once, the buffers are few and nothing comes while all are
out, formats and sizes that cannot be had are adjusted without an error, modes that are not raw have neither size nor
rate, and a camera closes itself when the process ends. Class attributes set its faults.
"""

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_PADDING = 64
RIBBON = {"Model": "imx708_wide", "Location": 2, "Rotation": 180, "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a"}
USB = {"Model": "UVC Camera", "Location": 2, "Id": "/base/axi/pcie@120000/rp1/usb@200000-1:1.0-046d:0825"}
RAW = {"format": "SRGGB10_CSI2P", "unpacked": "SRGGB10", "crop_limits": (0, 0, 4608, 2592), "exposure_limits": (9, 77)}
MODES: tuple[dict[str, Any], ...] = (
    {**RAW, "bit_depth": 10, "size": (1536, 864), "fps": 120.13},
    {**RAW, "bit_depth": 10, "size": (2304, 1296), "fps": 56.03},
    {**RAW, "bit_depth": 10, "size": (4608, 2592), "fps": 14.35},
)


class Picamera2:
    """One camera: a grey picture whose left half is darker."""

    cameras: tuple[dict[str, Any], ...] = (RIBBON,)
    modes: tuple[dict[str, Any], ...] = MODES
    answers = True
    busy = False
    black = False
    hangs: threading.Event | None = None
    adjusted: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - a fault that a test sets for the class
    cut: int | None = None
    vanishes = False

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num >= len(self.cameras):
            raise RuntimeError(f"No camera number {camera_num} found")
        if self.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.log: list[str] = [f"open {self.global_camera_info()[camera_num]['Model']}"]
        self.out = self.released = 0
        self._config: dict[str, Any] = {}
        self._is_open = True
        atexit.register(self.close)

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        listed = [{**info, "Num": number} for number, info in enumerate(Picamera2.cameras)]
        return sorted(listed, key=lambda info: ("/usb" not in info["Id"], info["Id"]), reverse=True)

    @property
    def sensor_modes(self) -> list[dict[str, Any]]:
        return [dict(mode) for mode in self.modes]

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None = None,
        buffer_count: int = 6,
        controls: dict[str, Any] | None = None,
        queue: bool = True,
        sensor: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        streams = {"main": {**main}, "lores": {**lores} if lores else None}
        for stream in filter(None, streams.values()):
            stream["size"] = tuple(side - side % 2 for side in stream["size"])
        return {**streams, "buffer_count": buffer_count, "controls": controls, "queue": queue, "sensor": sensor}

    def configure(self, camera_config: dict[str, Any]) -> None:
        config = camera_config
        for name in ("main", "lores"):
            stream = {**config[name], **self.adjusted.get(name, {})}
            width = stream["size"][0]
            stream["stride"] = -(-width // _PADDING) * _PADDING + _PADDING
            stream["framesize"] = stream["stride"] * stream["size"][1] * 3 // 2
            config = {**config, name: stream}
        self._config = config

    def camera_configuration(self) -> dict[str, Any]:
        return self._config

    def start(self) -> None:
        self.log.append("start")
        if self.hangs is not None:
            self.hangs.wait()

    def close(self) -> None:
        atexit.unregister(self.close)
        if self._is_open:
            self._is_open = False
            self.log.append("close")
            if self.vanishes:
                raise RuntimeError("Failed to release camera: No such device")

    def capture_request(
        self, wait: float | bool | None = None, signal_function: Callable[..., None] | None = None, flush: Any = None
    ) -> "CompletedRequest":
        assert signal_function is None
        assert flush is None
        assert isinstance(wait, float), "without a deadline it waits for ever"
        if not self._is_open or not self.answers or self.out >= self._config["buffer_count"]:
            time.sleep(min(wait, 0.01))
            raise TimeoutError
        self.out += 1
        return CompletedRequest(self)


class CompletedRequest:
    """A picture in the camera's own buffer, until it is given back."""

    def __init__(self, camera: Picamera2) -> None:
        self._camera: Picamera2 | None = camera
        self._taken = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 30_000_000

    def make_buffer(self, name: str) -> Any:
        if self._camera is None:
            raise RuntimeError(f"Stream {name!r} is not defined")
        if self._camera.vanishes:
            raise RuntimeError("failed to find buffer")
        config = self._camera.camera_configuration()[name]
        return _buffer(config["size"], config["stride"], black=self._camera.black)[: self._camera.cut]

    def get_metadata(self) -> dict[str, Any]:
        assert self._camera is not None
        return {"SensorTimestamp": self._taken, "ExposureTime": 8000, "AnalogueGain": 1.2}

    def release(self) -> None:
        if self._camera is None:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._camera.out -= 1
        self._camera.released += 1
        self._camera = None


def _buffer(size: tuple[int, int], stride: int, *, black: bool) -> Any:
    width, height = size
    luma = np.full((height, stride), 255, np.uint8)
    luma[:, :width] = 16 if black else np.where(np.arange(width) < width // 2, 60, 180)
    chroma = np.full((height, stride // 2), 255, np.uint8)  # both planes, one after the other
    chroma[:, : width // 2] = 128
    return np.concatenate([luma.ravel(), chroma.ravel()])
