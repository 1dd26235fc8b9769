"""The vision service whose camera works for a second and then fails: a process, for whoever cannot reach into one.

Run as a script: run folder, and how it fails: hangs, goes-black, freezes.
"""

import sys
import threading
from pathlib import Path

from overt.recognition.frame import Frame
from overt.vision import sandbox
from overt.vision.service import Service
from tests.recognition.synthetic import SimulatedDetector, SimulatedEmbedder
from tests.simulators.camera import RATE, CameraSimulator
from tests.vision.simulated_daemon import MODEL


class FailingCamera(CameraSimulator):
    """Fails a second after it was opened, each time."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how = how

    def next(self, stop: threading.Event) -> Frame | None:
        if self.given > RATE:
            match self._how:
                case "hangs":
                    self.hanging.set()
                case "goes-black":
                    self.black = True
                case "freezes":
                    self.frozen = True
        return super().next(stop)


def main() -> int:
    run, how = Path(sys.argv[1]), sys.argv[2]
    service = Service(FailingCamera(how), SimulatedDetector(), SimulatedEmbedder(), MODEL, sandbox.lock)
    service.signals.install()
    return service.run(run / "vision.sock")


if __name__ == "__main__":
    sys.exit(main())
