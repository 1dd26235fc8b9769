"""The child process in which an accelerator's library runs: see `accelerator`. Not a command for people.

Arguments: the library, and the descriptors of the checked model file, of the line to the parent, and of the memory that
both share. It ends when the parent does, and an alarm of the kernel's ends it when the library hangs.
"""

import ctypes
import os
import signal
import socket
import sys

from overt.recognition.engine import LiteRtDetector
from overt.recognition.errors import RecognitionError
from overt.runtime.memory import MemoryUnsafe, SecretFile, harden_process
from overt.vision import sandbox
from overt.vision.accelerator import DEADLINE_S, DETECT, READY, READY_S, Layout

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SLACK = 2.0  # the parent gives up first, and says so


def main(arguments: list[str]) -> int:
    """Load, lock in, and compute what the parent asks for until it is gone."""
    library, model, line, memory = arguments[0], *map(int, arguments[1:])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which is to die, whatever the library does with this process
    signal.setitimer(signal.ITIMER_REAL, READY_S * _SLACK)
    with socket.socket(fileno=line) as parent:
        try:
            harden_process()
            detector = LiteRtDetector(f"/proc/self/fd/{model}", delegate=library)
            os.close(model)
            with SecretFile.adopt(memory) as shared:
                serve(parent, detector, shared)
        except (RecognitionError, MemoryUnsafe, sandbox.SandboxFailed) as error:
            parent.send(str(error).encode("ascii", "replace")[:200] or b"failed", socket.MSG_NOSIGNAL)
            return 1
    return 0


def serve(parent: socket.socket, detector: LiteRtDetector, shared: SecretFile) -> None:
    """Compute, from the lock on, until the parent is gone.

    Raises:
        RecognitionError: The engine failed.
        SandboxFailed: The process cannot be locked in.
    """
    layout = Layout((detector.size[1], detector.size[0], 3), detector.shapes)
    if layout.size != shared.size:
        raise MemoryUnsafe(0, f"expected {layout.size} bytes to share, found {shared.size}")
    sandbox.lock()
    signal.setitimer(signal.ITIMER_REAL, 0)
    parent.send(READY, socket.MSG_NOSIGNAL)
    while asked := parent.recv(1):
        signal.setitimer(signal.ITIMER_REAL, DEADLINE_S * _SLACK)
        if asked == DETECT:
            with shared.view as memory:
                _compute(detector, layout, memory)
        else:
            detector.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)
        parent.send(asked, socket.MSG_NOSIGNAL)


def _compute(detector: LiteRtDetector, layout: Layout, memory: memoryview) -> None:
    """Read the picture and write the outputs. Nothing refers to the memory afterwards."""
    found = detector.detect(layout.picture(memory))
    for name, output in layout.outputs(memory).items():
        output[...] = found[name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
