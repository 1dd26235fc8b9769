"""A camera that shows what a test says, and can hang, freeze, break or end."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from overt.recognition.arrays import Bytes
from overt.recognition.frame import Frame
from overt.vision.sources.base import SourceEnded, SourceError, SourceUnavailable
from tests.recognition.synthetic import Box, picture

RATE = 50.0
Scene = Callable[[int], Mapping[int, Box]]


def nobody(number: int) -> Mapping[int, Box]:  # noqa: ARG001 - a scene takes the number of the picture
    return {}


class CameraSimulator:
    """Implements `FrameSource` with pictures of people made of textures, and sensor noise."""

    def __init__(self, scene: Scene = nobody, *, opens_locked: bool = True, patience_s: float = 0.5) -> None:
        self.scene = scene
        self.opens_locked = opens_locked
        self.patience_s = patience_s
        self.frozen_after_s: float | None = 0.3
        self.opened = 0
        self.is_open = False
        self.refuses: SourceError | None = None
        self.missing: SourceError | None = None
        self.ends_after: int | None = None
        self.frozen = False
        self.black = False
        self.broken = False
        self.hanging = threading.Event()
        self._number = 0
        self._noise = np.random.default_rng(7)

    @property
    def describe(self) -> str:
        return "the simulated camera"

    @property
    def given(self) -> int:
        """How many pictures it has given since it was opened."""
        return self._number

    def check(self) -> None:
        if self.missing is not None:
            raise self.missing

    def open(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.opened += 1
        self.is_open = True
        self._number = 0

    def next(self, stop: threading.Event) -> Frame | None:
        if self.hanging.is_set():
            time.sleep(5)  # as a driver does that hangs in the kernel: it heeds nobody
        if self.broken:
            raise SourceUnavailable("the simulated camera was unplugged")
        if self._number == self.ends_after:
            raise SourceEnded
        if stop.wait(1 / RATE):
            return None
        self._number += 1
        frame = picture(self.scene(self._number), self._number, time.time_ns())
        if self.black:
            frame = replace(frame, y=np.full_like(frame.y, 18))
        return frame if self.frozen else replace(frame, y=self._grain(frame.y))

    def close(self) -> None:
        self.is_open = False

    def _grain(self, y: Bytes) -> Bytes:
        return np.asarray(np.clip(y + self._noise.integers(-1, 2, y.shape), 0, 255), np.uint8)
