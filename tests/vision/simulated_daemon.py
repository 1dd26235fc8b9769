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
WAY = 45
"""Pictures from one side of the view to the other."""
NOBODY = 0


def main() -> int:
    run, people = Path(sys.argv[1]), [int(number) for number in sys.argv[2:]]
    harden_process()
    detector = SimulatedDetector()

    def walk(number: int) -> dict[int, Box]:
        person = people[min(number // WAY, len(people) - 1)]
        box = (20.0 + 10 * (number % WAY), 100.0, 112.0, 112.0)
        seen = {person: box} if number % WAY and person != NOBODY else {}
        detector.show(list(seen.values()))
        return seen

    service = Service(CameraSimulator(walk), detector, SimulatedEmbedder(), MODEL, sandbox.lock)
    service.signals.install()
    return service.run(run / "vision.sock")


if __name__ == "__main__":
    sys.exit(main())
