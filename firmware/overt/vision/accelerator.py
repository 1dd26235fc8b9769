"""The detector on an accelerator: in a process of its own, with a deadline, and the CPU at the ready.

An accelerator's library is foreign code in front of hardware that resets, browns out and hangs. It runs in a child of
this process that has no more rights than this one (`accelerator_worker`). The small picture is handed over in locked
memory that both share, and what was found comes back in it; templates and aligned faces are never made there. Both
compute the very same model file, whose digest was checked here. Whatever goes wrong, the same picture is looked at by
the CPU, and so are all that follow until the process is started anew (docs/adr/0021).
"""

import contextlib
import select
import socket
import subprocess
from collections.abc import Mapping
from typing import Final

import numpy as np

from overt.protocol.vocabulary import Engine
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.engine import Detector
from overt.recognition.pattern import pattern
from overt.runtime.children import command_of
from overt.runtime.log import event
from overt.runtime.memory import MemoryUnsafe, SecretFile, wipe

READY_S: Final = 20.0  # a USB accelerator is given its firmware first, and comes back as another device
DEADLINE_S: Final = 0.5  # the CPU of a Pi 4 takes a fifth of that; slower than it, an accelerator is none
AGREE: Final = 0.05  # of an output's largest value: an accelerator may round (8 bits: 0.4 %), and not find others

READY, DETECT, FLUSH = b"ready", b"d", b"f"
_WORKER = "overt.vision.accelerator_worker"
_ANSWER_BYTES = 300
_END_S = 2.0


class AcceleratorLost(Exception):
    """The accelerator did not do what it was asked for. The message says what was found."""


class Layout:
    """Where the picture and the outputs lie in the memory that both share."""

    def __init__(self, picture: tuple[int, int, int], outputs: Mapping[str, tuple[int, ...]]) -> None:
        """Lay them out.

        Args:
            picture: Shape of the detector's input: height, width, 3.
            outputs: Shapes of its float32 outputs by name.
        """
        self._picture, self._outputs = picture, dict(sorted(outputs.items()))
        self._start = -(-int(np.prod(picture)) // 64) * 64
        self.size = self._start + 4 * sum(int(np.prod(shape)) for shape in outputs.values())

    def picture(self, memory: memoryview) -> Bytes:
        """Return the picture, a view."""
        return np.frombuffer(memory, np.uint8, int(np.prod(self._picture))).reshape(self._picture)

    def outputs(self, memory: memoryview) -> dict[str, Floats]:
        """Return the outputs, views."""
        found: dict[str, Floats] = {}
        at = self._start
        for name, shape in self._outputs.items():
            count = int(np.prod(shape))
            found[name] = np.frombuffer(memory, np.float32, count, at).reshape(shape)
            at += 4 * count
        return found


class Worker:
    """The child process. Not to be used any more once it has raised `AcceleratorLost`."""

    def __init__(self, model_path: str, library: str, layout: Layout) -> None:
        """Start it, and wait until it is ready.

        Args:
            model_path: /proc/self/fd/N of the file that was checked.
            library: The accelerator's.
            layout: Of what is shared.

        Raises:
            AcceleratorLost: It is not ready in time, or says why it cannot be.
        """
        self._layout = layout
        try:
            self._memory = SecretFile("accelerator", layout.size)
        except (MemoryUnsafe, OSError) as error:
            raise AcceleratorLost(error.strerror or "no memory to share") from error
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        model = int(model_path.rpartition("/")[2])
        shared = (model, theirs.fileno(), self._memory.descriptor)
        command = command_of(_WORKER, library, *map(str, shared))
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=shared
                )
        except OSError as error:
            self._line.close()
            self._memory.close()
            raise AcceleratorLost(f"cannot be started: {error.strerror}") from error
        try:
            self._expect(READY, READY_S)
        except AcceleratorLost:
            self.close()
            raise

    def detect(self, small: Bytes) -> dict[str, Floats]:
        """Return the outputs for a picture.

        Raises:
            AcceleratorLost: It failed, or took too long.
        """
        with self._memory.view as memory:
            self._layout.picture(memory)[...] = small
            try:
                self._ask(DETECT)
                return {name: output.copy() for name, output in self._layout.outputs(memory).items()}
            finally:
                wipe(memory)

    def flush(self) -> None:
        """Have it overwrite what its engine holds of a picture.

        Raises:
            AcceleratorLost: It failed, or took too long.
        """
        self._ask(FLUSH)

    def close(self) -> None:
        """Be rid of it. It ends when its line does; one that hangs is ended by the alarm that it has set."""
        self._line.close()
        self._memory.close()
        try:
            self._process.kill()  # refused once this process is locked in
        except PermissionError:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel, and ends when that lets it
            self._process.wait(_END_S)

    def _ask(self, what: bytes) -> None:
        try:
            self._line.send(what, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except OSError as error:
            raise AcceleratorLost(f"its process is gone: {error.strerror}") from error
        self._expect(what, DEADLINE_S)

    def _expect(self, wanted: bytes, seconds: float) -> None:
        if not select.select([self._line], [], [], seconds)[0]:
            raise AcceleratorLost(f"expected an answer within {seconds:g} s, found none: it hangs")
        try:
            answer = self._line.recv(_ANSWER_BYTES)
        except OSError:
            answer = b""
        if not answer:
            raise AcceleratorLost("expected an answer, found none: its process died")
        if answer != wanted:
            raise AcceleratorLost(answer.decode("ascii", "replace"))


class Accelerated:
    """A detector that an accelerator computes, or, once that is lost, the CPU. Implements `Detector`."""

    def __init__(self, cpu: Detector, model_path: str, library: str) -> None:
        """Start the accelerator; without one, be the CPU.

        Args:
            cpu: The same model on the CPU.
            model_path: /proc/self/fd/N of its file.
            library: The accelerator's, such as libedgetpu.so.1.
        """
        self._cpu = cpu
        self._worker: Worker | None = None
        picture = pattern(cpu.size)
        expected = cpu.detect(picture)
        try:
            layout = Layout(picture.shape, {name: output.shape for name, output in expected.items()})
            self._worker = Worker(model_path, library, layout)
            disagreement = disagrees(expected, self._worker.detect(picture))
            if disagreement is not None:
                raise AcceleratorLost(f"expected what the processor computes, found something else in {disagreement}")
        except AcceleratorLost as error:
            self._fall_back(error)
        else:
            event("accelerator.ready", library=library)

    @property
    def engine(self) -> Engine:
        """What computes."""
        return Engine.FALLBACK if self._worker is None else Engine.ACCELERATOR

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input in pixels."""
        return self._cpu.size

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        """Return the outputs for a picture. See `Detector.detect`."""
        if self._worker is not None:
            try:
                return self._worker.detect(small)
            except AcceleratorLost as error:
                self._fall_back(error)
        return self._cpu.detect(small)

    def flush(self) -> None:
        """Overwrite whatever either engine's working memory holds of a picture."""
        if self._worker is not None:
            try:
                self._worker.flush()
            except AcceleratorLost as error:
                self._fall_back(error)
        self._cpu.flush()

    def _fall_back(self, error: AcceleratorLost) -> None:
        worker, self._worker = self._worker, None
        event("accelerator.lost", "error", detail=str(error))
        if worker is not None:
            worker.close()


def disagrees(expected: Mapping[str, Floats], found: Mapping[str, Floats]) -> str | None:
    """Return the first output in which an accelerator computes something else than the CPU; None when it does not."""
    for name, output in expected.items():
        apart = float(np.abs(output - found[name]).max(initial=0.0))
        if not apart <= AGREE * max(1.0, float(np.abs(output).max(initial=0.0))):  # not a number is no agreement
            return name
    return None
