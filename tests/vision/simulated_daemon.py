"""The vision service with simulated engines and camera, as a process whose memory can be looked into.

Run as a script: run folder, numbers of the people who walk past one after another; the last of them again and again.
"""

import sys
from pathlib import Path

from overt.runtime.memory import harden_process
from overt.vision import sandbox
from overt.vision.service import Service
from tests.recognition.synthetic import Box, SimulatedDetector, SimulatedEmbedder
from tests.simulators.camera import CameraSimulator

MODEL = "d" * 64


def main() -> int:
    run, people = Path(sys.argv[1]), [int(number) for number in sys.argv[2:]]
    harden_process()
    detector = SimulatedDetector()

    def walk(number: int) -> dict[int, Box]:
        box = (20.0 + 5 * (number % 90), 100.0, 112.0, 112.0)
        detector.show([box] if number % 90 else [])
        return {people[min(number // 90, len(people) - 1)]: box} if number % 90 else {}

    service = Service(CameraSimulator(walk), detector, SimulatedEmbedder(), MODEL, sandbox.lock)
    service.signals.install()
    return service.run(run / "vision.sock")


if __name__ == "__main__":
    sys.exit(main())
