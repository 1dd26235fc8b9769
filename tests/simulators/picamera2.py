"""The part of picamera2 that a unit uses, with padded lines as the real image processor makes them."""

import time
from types import SimpleNamespace
from typing import Any

import numpy as np

_PADDING = 64


class Picamera2:
    """One camera: a grey picture whose left half is darker. Class attributes set its faults."""

    cameras: tuple[str, ...] = ("imx708",)
    answers = True
    sensor_modes = ({"size": (2304, 1296), "fps": 56.0, "bit_depth": 10},)

    def __init__(self) -> None:
        self.log: list[str] = []
        self.released = 0

    @classmethod
    def global_camera_info(cls) -> list[str]:
        return list(cls.cameras)

    def create_video_configuration(self, **config: Any) -> dict[str, Any]:
        assert config["queue"] is False
        assert config["sensor"] == {"output_size": (2304, 1296), "bit_depth": 10}
        return config

    def configure(self, config: dict[str, Any]) -> None:
        self._config = {
            name: {**config[name], "stride": -(-config[name]["size"][0] // _PADDING) * _PADDING + _PADDING}
            for name in ("main", "lores")
        }

    def camera_configuration(self) -> dict[str, Any]:
        return self._config

    def start(self) -> None:
        self.log.append("start")

    def close(self) -> None:
        self.log.append("close")

    def capture_request(self, wait: float) -> Any:
        if not self.answers:
            time.sleep(min(wait, 0.01))
            raise TimeoutError
        taken = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 30_000_000
        return SimpleNamespace(
            make_buffer=lambda name: _buffer(**self._config[name]),
            get_metadata=lambda: {"SensorTimestamp": taken},
            release=self._release,
        )

    def _release(self) -> None:
        self.released += 1


def _buffer(size: tuple[int, int], stride: int, **_: Any) -> Any:
    width, height = size
    luma = np.full((height, stride), 255, np.uint8)
    luma[:, :width] = np.where(np.arange(width) < width // 2, 60, 180)
    chroma = np.full((height, stride // 2), 255, np.uint8)  # both planes, one after the other
    chroma[:, : width // 2] = 128
    return np.concatenate([luma.ravel(), chroma.ravel()])
