"""Run by test_picamera2.py inside a clean system with the package, picamera2 and libcamera. Prints one JSON object."""

import importlib
import json
import sys

sys.path[:0] = ["/usr/lib/overt", "/tmp/simulators"]  # noqa: S108 - inside the clean system

simulator = importlib.import_module("simulated_picamera2")
faithful = importlib.import_module("faithful")
picamera2 = importlib.import_module("picamera2")
request = importlib.import_module("picamera2.request")
main = importlib.import_module("picamera2.picamera2")
numpy = importlib.import_module("numpy")
pi = importlib.import_module("overt.vision.sources.pi")
base = importlib.import_module("overt.vision.sources.base")


def refusal() -> str:
    """What the real source says where libcamera finds no camera."""
    try:
        pi.PiCamera((960, 544)).check()
    except base.SourceUnavailable as error:
        return str(error)
    return ""


told = faithful.errors_told(main) | faithful.errors_told(request)
sys.stdout.write(
    json.dumps(
        {
            "numpy": numpy.__file__,
            "libcamera": importlib.import_module("libcamera").__file__,
            "refusal": refusal(),
            "differences": [
                *faithful.differences(simulator.Picamera2, picamera2.Picamera2),
                *faithful.differences(simulator.CompletedRequest, picamera2.CompletedRequest, made_by_users=False),
            ],
            "invented errors": sorted(
                words
                for words in faithful.errors_told(simulator)
                if not any(words.startswith(real) or real.startswith(words) for real in told)
            ),
        }
    )
)
