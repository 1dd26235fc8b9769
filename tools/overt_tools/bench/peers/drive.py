"""Talks with a peer's program: gives it the same pictures as all others, and takes what it found and how long it took.

The wire is that of `workers/wire.py`.
"""

import json
import os
import select
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overt_tools.children import tie_to_parent

from ..truth import Box

_STILL, _PICTURE, _END = 0, 1, 2
_PATIENCE_S = 120.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class PeerFailed(Exception):
    """A peer ended, or answered nothing that can be used. The message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a peer made of a picture.

    Attributes:
        find_s: CPU seconds to find faces.
        compare_s: CPU seconds to embed and compare them.
        boxes: The faces.
        likeness: Of each, with the listed person.
    """

    find_s: float
    compare_s: float
    boxes: list[Box]
    likeness: list[float]


class Driven:
    """A peer's running program, on one core."""

    def __init__(self, command: Sequence[str], core: int, log: Path) -> None:
        """Start it and wait until it is ready.

        Raises:
            PeerFailed: It does not start.
        """
        tie = tie_to_parent(os.getpid())

        def alone() -> None:
            tie()
            os.sched_setaffinity(0, {core})

        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": ""},
                preexec_fn=alone,  # noqa: PLW1509 - no threads exist here, and the core has to be set before it starts
            )
        self.versions: dict[str, str] = self._answer()["versions"]

    def enrol(self, still: NDArray[np.uint8]) -> bool:
        """Give it a still of the listed person; tell whether it could be used.

        Raises:
            PeerFailed: It ended.
        """
        return bool(self._ask(_STILL, still)["enrolled"])

    def look(self, picture: NDArray[np.uint8]) -> Look:
        """Give it a picture, (h, w, 3) uint8 RGB.

        Raises:
            PeerFailed: It ended.
        """
        answer = self._ask(_PICTURE, picture)
        faces = [[float(value) for value in face] for face in answer["faces"]]
        boxes = [(face[0], face[1], face[2], face[3]) for face in faces]
        return Look(answer["find_s"], answer["compare_s"], boxes, [face[4] for face in faces])

    def end(self) -> float:
        """Let it end; return the most memory that it took, megabytes.

        Raises:
            PeerFailed: It ended before.
        """
        self._send(struct.pack("<III", _END, 0, 0))
        peak = float(self._answer()["peak_mb"])
        self._process.wait(_PATIENCE_S)
        return peak

    def stop(self) -> None:
        """Make it end, whatever it does. Calling it twice is fine."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, kind: int, picture: NDArray[np.uint8]) -> dict[str, Any]:
        height, width = picture.shape[:2]
        self._send(struct.pack("<III", kind, width, height) + np.ascontiguousarray(picture).tobytes())
        return self._answer()

    def _send(self, data: bytes) -> None:
        try:
            assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:
            raise PeerFailed(f"it ended: {self._last_words()}") from error

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        deadline = time.monotonic() + _PATIENCE_S
        while not select.select([self._process.stdout], [], [], 1.0)[0]:
            if time.monotonic() > deadline:
                raise PeerFailed(f"it did not answer within {_PATIENCE_S:.0f} s: {self._last_words()}")
        line = self._process.stdout.readline()
        try:
            found: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise PeerFailed(f"expected JSON, found {line[:80]!r}; {self._last_words()}") from error
        return found

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"
