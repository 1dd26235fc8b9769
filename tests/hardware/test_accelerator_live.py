"""On a bench, with a Coral: `pytest -s -m hardware tests/hardware/test_accelerator_live.py`, as the skips say."""

import os
import sys
import time

import numpy as np
import pytest

from overt.protocol.vocabulary import Engine
from overt.vision import models
from overt.vision.accelerator import Accelerated
from tests.vision.daemon import MODELS

pytestmark = pytest.mark.hardware
RUNS = 200


@pytest.fixture
def accelerated() -> Accelerated:
    library = os.environ.get("OVERT_TEST_ACCELERATOR")
    if library is None:
        pytest.skip("name the accelerator's library in OVERT_TEST_ACCELERATOR, such as libedgetpu.so.1")
    loaded = models.load(MODELS, models.choose(MODELS), 1, library)
    assert isinstance(loaded.detector, Accelerated)
    return loaded.detector


def test_it_finds_what_the_processor_finds_and_is_faster(accelerated: Accelerated) -> None:
    assert accelerated.engine is Engine.ACCELERATOR, "the journal's accelerator.lost says why it is not used"
    width, height = accelerated.size
    picture = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    took = {}
    for name, detector in (("accelerator", accelerated), ("processor", accelerated._cpu)):
        detector.detect(picture)
        begun = time.monotonic()
        for _ in range(RUNS):
            detector.detect(picture)
        took[name] = (time.monotonic() - begun) / RUNS * 1000
    sys.stdout.write(f"\nms per picture: accelerator {took['accelerator']:.1f}, processor {took['processor']:.1f}")
    assert accelerated.engine is Engine.ACCELERATOR
    assert took["accelerator"] < took["processor"]


def test_pulled_out_in_the_middle_no_picture_is_lost(accelerated: Accelerated) -> None:
    """Whoever runs it pulls the stick out when asked to."""
    if os.environ.get("OVERT_TEST_PULL") is None:
        pytest.skip("set OVERT_TEST_PULL, run with -s, and pull the stick out within 30 seconds")
    sys.stdout.write("\npull the stick out now")
    width, height = accelerated.size
    picture = np.zeros((height, width, 3), np.uint8)
    deadline, longest = time.monotonic() + 30, 0.0
    while accelerated.engine is Engine.ACCELERATOR:
        assert time.monotonic() < deadline, "it was not pulled out"
        begun = time.monotonic()
        assert accelerated.detect(picture)
        longest = max(longest, time.monotonic() - begun)
    sys.stdout.write(f"\nlongest time for a picture: {longest * 1000:.0f} ms")
    assert accelerated.detect(picture)
