"""On a bench, two serial lines joined by a real cable: `pytest -m hardware tests/hardware/test_cable_live.py`.

Two USB serial adapters, crossed (TX to RX), or a board whose gadget port is plugged into this machine.
"""

import os
import sys
import time
from pathlib import Path

import pytest

from overt.protocol.cable import frames
from overt.protocol.cable.frames import Frame, Framer, Part
from overt.runtime.line import Line, LineLost

pytestmark = pytest.mark.hardware
FRAMES = 500


def lines() -> tuple[Path, Path]:
    named = os.environ.get("OVERT_TEST_CABLE")
    if named is None:
        pytest.skip("name both ends of a cable in OVERT_TEST_CABLE, as /dev/ttyUSB0:/dev/ttyUSB1")
    one, _, other = named.partition(":")
    return Path(one), Path(other)


def listen(line: Line, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        line.read(0.2)
        line.write(b"\0")


def test_frames_of_every_length_arrive_as_they_were_sent() -> None:
    one, other = lines()
    framer, found = Framer(), []
    with Line(one) as sender, Line(other) as receiver:
        sent = [Frame(Part.ASK, 1, n, os.urandom(n * 4 % (frames.BODY_MAX_BYTES + 1))) for n in range(FRAMES)]
        for frame in sent:
            sender.write(frames.encode(frame))
            until = time.monotonic() + 2
            while len(found) <= frame.number and time.monotonic() < until:
                found += framer.feed(receiver.read(0.2))
    assert found == sent


def test_a_cable_that_is_pulled_is_noticed_and_opened_again_when_it_is_back() -> None:
    one, _ = lines()
    sys.stderr.write(f"pull the cable of {one} out within 30 s\n")
    with Line(one) as line, pytest.raises(LineLost):
        listen(line, 30)
    sys.stderr.write("put it back within 30 s\n")
    until = time.monotonic() + 30
    while not one.exists():
        assert time.monotonic() < until
        time.sleep(0.2)
    time.sleep(1)
    Line(one).close()
