"""The vision service with simulated engines and camera, as a process whose memory can be looked into.

Run as a script: run folder, number of the person who walks past.
"""

import sys
from pathlib import Path

from overt.vision import sandbox
from overt.vision.service import Service
from tests.recognition.synthetic import Box, SimulatedDetector, SimulatedEmbedder
from tests.simulators.camera import CameraSimulator


def main() -> int:
    run, person = Path(sys.argv[1]), int(sys.argv[2])
    detector = SimulatedDetector()

    def walk(number: int) -> dict[int, Box]:
        box = (20.0 + 5 * (number % 90), 100.0, 112.0, 112.0)
        detector.show([box] if number % 90 else [])
        return {person: box} if number % 90 else {}

    service = Service(CameraSimulator(walk), detector, SimulatedEmbedder(), "d" * 64, sandbox.lock)
    service.signals.install()
    return service.run(run / "vision.sock")


if __name__ == "__main__":
    sys.exit(main())
