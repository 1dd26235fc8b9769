"""Promise 8, attacked: a lamp that fails in each of the ways in which lamps fail, under a running warden.

What a lamp's light means to the unit is in `tests/warden/test_core.py`; the pins of a real one in `test_devices.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol.audit import facts_of
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Doubt, State
from tests.builders import make_cancellation
from tests.simulators.vision import VisionSimulator
from tests.warden.bench import Bench

STOPS_WITHIN_S = 1.0
BROKEN = ["dark", "unreadable"]
PROVES_NOTHING = ["dark", "lit", "unreadable"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        made.start()
        yield made


@pytest.fixture
def vision(bench: Bench) -> Iterator[VisionSimulator]:
    with bench.vision() as simulator:
        yield simulator


def raised(bench: Bench) -> int:
    return sum(record.event == "alert.raised" for record in bench.records())


@pytest.mark.parametrize("lamp", BROKEN)
def test_p8_a_lamp_that_fails_stops_recognition_within_a_second(
    lamp: str, bench: Bench, vision: VisionSimulator
) -> None:
    bench.arm()
    vision.wait_for_begin()
    assert bench.wait_for(State.RECOGNISING).indicator_lit
    bench.world.set(lamp=lamp)
    vision.wait_for_stop(STOPS_WITHIN_S, answer=False)
    vision.see()  # what was on its way when the light went out
    vision.clear()
    status = bench.wait_for(State.PAUSED)
    assert (status.doubts, status.indicator_lit) == ((Doubt.INDICATOR,), False)
    assert raised(bench) == 0
    assert vision.hears_nothing(0.5), "it does not begin again in the dark"
    bench.world.set(lamp="works")
    vision.wait_for_begin()
    assert bench.wait_for(State.RECOGNISING).indicator_lit
    vision.see()
    bench.status()
    assert raised(bench) == 1


@pytest.mark.parametrize("lamp", PROVES_NOTHING)
def test_p8_with_a_lamp_that_proves_nothing_recognition_never_begins(
    lamp: str, bench: Bench, vision: VisionSimulator
) -> None:
    """One that reads as lit without having been lit is stuck: its light is no proof."""
    bench.world.set(lamp=lamp)
    bench.arm()
    assert vision.hears_nothing(0.5)
    status = bench.status()
    assert (status.state, status.doubts, status.indicator_lit) == (State.ARMED, (Doubt.INDICATOR,), False)
    assert not [record for record in bench.records() if facts_of(record).get("state") == "recognising"]


def test_p8_a_read_back_that_sticks_at_lit_is_found_when_the_lamp_is_next_dark(
    bench: Bench, vision: VisionSimulator
) -> None:
    bench.arm()
    vision.wait_for_begin()
    bench.world.set(lamp="lit", place=False)
    vision.wait_for_stop(STOPS_WITHIN_S)
    assert bench.wait_for(State.PAUSED).doubts == (Doubt.PLACE,)
    bench.world.set(place=True)
    assert vision.hears_nothing(0.5)
    assert bench.wait_for(State.PAUSED).doubts == (Doubt.INDICATOR,)


def test_p8_the_lamp_stays_lit_until_vision_has_forgotten(bench: Bench, vision: VisionSimulator) -> None:
    order = bench.arm()
    vision.wait_for_begin()
    bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
    vision.wait_for_stop(answer=False)
    assert bench.status().state is State.ERASING
    assert bench.world.lit, "faces may still be in its memory"
    vision.clear()
    bench.wait_for(State.IDLE)
    assert not bench.world.lit


def test_p8_the_lamp_is_dark_until_recognition_begins_and_the_notice_is_named_with_it(
    bench: Bench, vision: VisionSimulator
) -> None:
    assert not bench.world.lit
    order = bench.order()
    recipient = bench.deliver(Down.ORDER, order.data).recipient
    assert recipient is not None
    assert not bench.world.lit, "an order alone recognises nobody"
    assert bench.deliver(Down.WATCHLIST, bench.sealed_watchlist(order, recipient)).accepted
    vision.wait_for_begin()
    assert bench.world.lit
    status = bench.status()
    assert (status.state, status.notice) == (State.RECOGNISING, order.document.notice.address)


def test_p8_a_warden_that_is_killed_leaves_no_vision_recognising(bench: Bench, vision: VisionSimulator) -> None:
    """The lamp may stay lit after it, but never the other way round: vision hears that the warden is gone,
    and ends (`tests/vision/test_daemon.py`)."""
    bench.arm()
    vision.wait_for_begin()
    bench.kill()
    vision.wait_until_hung_up(STOPS_WITHIN_S)
    assert bench.world.lit
    bench.start()
    assert not bench.world.lit, "the next warden starts in the dark"
