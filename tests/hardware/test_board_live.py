"""On a bench, on a Raspberry Pi: `pytest -s -m hardware tests/hardware/test_board_live.py`. Write the figures down.

What is recorded, and by which command, is in docs/bench-procedure.md.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from overt.runtime.memory import SecretFile
from overt.vision import models
from overt.warden.cooler import Cooler
from overt.warden.thermal import OFF_FROM_C, Step
from overt.warden.thermometer import SysfsThermometer
from tests.vision.daemon import MODELS

pytestmark = pytest.mark.hardware
MODEL = Path("/sys/firmware/devicetree/base/model")
HEAT_S = 600.0


def board() -> str:
    return MODEL.read_text().strip("\0\n") if MODEL.exists() else ""


@pytest.fixture(autouse=True)
def on_a_board() -> None:
    if not board().startswith("Raspberry Pi"):
        pytest.skip(f"this is no Raspberry Pi ({board() or 'no device tree'})")


def test_the_boards_sensor_is_found_and_says_something_that_can_be_true() -> None:
    heat = SysfsThermometer().read()
    assert heat.expected
    assert heat.celsius is not None
    assert 0 < heat.celsius < OFF_FROM_C, "on a bench, at rest"


def test_the_firmwares_flags_can_be_read() -> None:
    found = [path for path in Path("/sys/devices/platform").glob("**/get_throttled") if path.is_file()]
    assert found, "throttling would go unnoticed"
    assert not SysfsThermometer().read().under_voltage, "replace the supply or its cable before anything is measured"


def test_a_watchlist_of_the_largest_size_can_be_locked_in_memory() -> None:
    with SecretFile("bench", 20_000 * 512) as file:
        assert file.size == 10_240_000


def test_ten_minutes_of_work_never_reach_the_temperature_at_which_it_stops() -> None:
    """In the enclosure, lid closed. The same work as a busy street: every second picture is looked at."""
    loaded = models.load(MODELS, models.choose(MODELS), max(1, (os.cpu_count() or 2) - 1))
    width, height = loaded.detector.size
    picture = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    cooler, hottest, steps, looks = Cooler(SysfsThermometer()), 0.0, set[Step](), 0
    deadline, due = time.monotonic() + HEAT_S, time.monotonic()
    while time.monotonic() < deadline:
        loaded.detector.detect(picture)
        looks += 1
        cooling = cooler.look()
        steps.add(cooling.step)
        hottest = max(hottest, cooling.celsius or 0.0)
        due += 0.08
        time.sleep(max(0.0, due - time.monotonic()))
    sys.stdout.write(
        f"\n{board()}: hottest {hottest:.1f} C, {looks / HEAT_S:.1f} looks a second, steps {sorted(map(int, steps))}"
    )
    assert Step.OFF not in steps
