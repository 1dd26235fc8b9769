"""On a bench, with a real lamp and a real receiver: `pytest -m hardware tests/hardware/test_parts_live.py`."""

import os
import time

import pytest

from overt.warden.enrolment import parse_gps, parse_lamp
from overt.warden.gps import Receiver
from overt.warden.indicator import GpioIndicator
from overt.warden.lamp import Lamp

pytestmark = pytest.mark.hardware
SETTLED_S = 0.2
SKY_S = 180.0


def test_a_lamp_follows_and_proves_it() -> None:
    named = os.environ.get("OVERT_TEST_LAMP")
    if named is None:
        pytest.skip("name the lamp in OVERT_TEST_LAMP, as CHIP:LAMP:READBACK")
    lines = parse_lamp(named)
    indicator = GpioIndicator(lines.chip, lines.lamp, lines.read_back)
    lamp = Lamp(indicator)
    try:
        for lit in (False, True, False, True, False):
            lamp.show(lit)
            time.sleep(SETTLED_S)
            assert lamp.is_lit() is lit
    finally:
        indicator.close()
    again = GpioIndicator(lines.chip, lines.lamp, lines.read_back)
    assert again.is_lit() is False, "let go of, it is dark"
    again.close()


def test_a_receiver_under_the_sky_finds_itself_and_the_time() -> None:
    named = os.environ.get("OVERT_TEST_GPS")
    if named is None:
        pytest.skip("name the receiver in OVERT_TEST_GPS, as /dev/NAME:BAUD, and give it a sky")
    line = parse_gps(named)
    receiver = Receiver(line.device, line.baud)
    receiver.start()
    try:
        deadline = time.monotonic() + SKY_S
        while receiver.fix() is None:
            assert time.monotonic() < deadline, receiver.trouble or "no fix that can be believed"
            time.sleep(0.5)
        told = receiver.times()
        assert told
        assert abs(told[-1].time.timestamp() - time.time()) < 5, "of a bench whose own clock is right"
    finally:
        receiver.close()
