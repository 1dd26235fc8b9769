"""A cable between a laptop and a unit: two serial lines (real ptys) and what happens to the bytes between them.

`unit` and `laptop` are paths, like /dev/ttyGS0 and /dev/ttyACM0. Whatever a cable does to bytes, a `Fault` does: it is
given each chunk with its direction and returns what arrives. Pulling the cable out hangs up both lines, as USB does.
"""

import contextlib
import os
import pty
import random
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path

Fault = Callable[[bytes, bool], bytes]
"""Bytes, and whether they go to the unit; returns what arrives."""


def whole(data: bytes, _: bool) -> bytes:
    return data


class Cable:
    def __init__(self, folder: Path, fault: Fault = whole) -> None:
        self.unit, self.laptop = folder / "ttyGS0", folder / "ttyACM0"
        self.fault = fault
        self.carried = 0
        self.pull_after: int | None = None
        self.loop = False
        self._lock = threading.Lock()
        self._masters: tuple[int, int] | None = None
        self._slaves: tuple[int, int] | None = None
        self._ended = threading.Event()
        self.plug()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def plug(self) -> None:
        with self._lock:
            if self._masters is not None:
                return
            masters, slaves = [], []
            for path in (self.laptop, self.unit):
                master, slave = pty.openpty()
                tty.setraw(slave)
                os.set_blocking(master, False)
                path.unlink(missing_ok=True)
                path.symlink_to(os.ttyname(slave))
                masters.append(master)
                slaves.append(slave)
            self._masters, self._slaves = (masters[0], masters[1]), (slaves[0], slaves[1])

    def unplug(self) -> None:
        with self._lock:
            if self._masters is None or self._slaves is None:
                return
            for path in (self.laptop, self.unit):
                path.unlink(missing_ok=True)
            for end in (*self._slaves, *self._masters):
                os.close(end)
            self._masters = self._slaves = None

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)
        self.unplug()

    def __enter__(self) -> "Cable":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                masters = self._masters
            if masters is None:
                self._ended.wait(0.01)
                continue
            with contextlib.suppress(OSError, ValueError):
                ready, _, _ = select.select(masters, [], [], 0.02)
                for end in ready:
                    self._pass_on(masters, end)

    def _pass_on(self, masters: tuple[int, int], end: int) -> None:
        to_unit = end == masters[0]
        data = os.read(end, 4096)
        if self.pull_after is not None and self.carried + len(data) >= self.pull_after:
            data = data[: self.pull_after - self.carried]
            self.pull_after = None
            self._deliver(masters[to_unit], data)
            self.unplug()
            self._ended.wait(0.05)
            self.plug()
            return
        self.carried += len(data)
        far = masters[to_unit != self.loop]
        self._deliver(far, self.fault(data, to_unit))

    def _deliver(self, master: int, data: bytes) -> None:
        while data and not self._ended.is_set():
            try:
                data = data[os.write(master, data) :]
            except BlockingIOError:
                select.select([], [master], [], 0.05)


class Weather:
    """Faults drawn from a seed: each kind with its own odds for each chunk."""

    def __init__(self, seed: int, *, drop: float = 0, flip: float = 0, tear: float = 0, noise: float = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same storm every time
        self._drop, self._flip, self._tear, self._noise = drop, flip, tear, noise

    def __call__(self, data: bytes, _: bool) -> bytes:
        draw, changed = self._random, bytearray(data)
        if draw.random() < self._flip:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        if draw.random() < self._drop:
            del changed[draw.randrange(len(changed))]
        if draw.random() < self._tear:
            del changed[draw.randrange(len(changed)) :]
        if draw.random() < self._noise:
            changed[0:0] = draw.randbytes(draw.randrange(1, 40))
        return bytes(changed)
