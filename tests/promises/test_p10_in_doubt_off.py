"""Promise 10, attacked: each doubt is cast on a running warden and then lifted.

Recognition stops within a second and says why; an alert that was raised before stays to be delivered; when the doubt is
lifted recognition begins by itself. A model file that was changed or is missing keeps vision from starting at all
(`tests/vision/test_daemon.py`); a damaged log keeps the warden from starting (promise 7).
"""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from overt.protocol.audit import facts_of
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Doubt, State
from tests.builders import make_cancellation, make_entry
from tests.simulators.vision import VisionSimulator
from tests.warden.bench import Bench

STOPS_WITHIN_S = 1.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        made.start()
        yield made


@pytest.fixture
def vision(bench: Bench) -> Iterator[VisionSimulator]:
    with bench.vision() as simulator:
        yield simulator


# What can come into doubt. Each is there within its block, and gone after it.

Cast = Callable[[Bench, VisionSimulator], AbstractContextManager[None]]


def world(lost: dict[str, object], good: dict[str, object]) -> Cast:
    @contextmanager
    def cast(bench: Bench, _: VisionSimulator) -> Iterator[None]:
        bench.world.set(**lost)
        yield
        bench.world.set(**good)

    return cast


@contextmanager
def a_full_disk(bench: Bench, vision: VisionSimulator) -> Iterator[None]:
    """No file of the warden's can grow, by the kernel's limit; it finds out when there is something to be kept."""
    assert bench.process is not None
    soft, hard = resource.prlimit(bench.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bench.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    vision.see(entry=1)
    yield
    resource.prlimit(bench.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def trouble(doubt: Doubt) -> Cast:
    @contextmanager
    def cast(_: Bench, vision: VisionSimulator) -> Iterator[None]:
        vision.trouble(doubt)
        yield
        vision.recovered(doubt)

    return cast


DOUBTS: dict[str, tuple[Doubt, Cast]] = {
    "a clock that nobody sets": (Doubt.CLOCK, world({"clock": "unknown"}, {"clock": "synchronised"})),
    "a clock that was set back": (Doubt.CLOCK, world({"ahead_s": -3600.0}, {"ahead_s": 0.0})),
    "a place that is not known": (Doubt.PLACE, world({"place": False}, {"place": True})),
    "another place": (Doubt.PLACE, world({"place": "elsewhere"}, {"place": True})),
    "a lamp that went out": (Doubt.INDICATOR, world({"lamp": "dark"}, {"lamp": "works"})),
    "a lamp that cannot be read": (Doubt.INDICATOR, world({"lamp": "unreadable"}, {"lamp": "works"})),
    "a full disk": (Doubt.STORAGE, a_full_disk),
    "a camera that cannot see": (Doubt.CAMERA, trouble(Doubt.CAMERA)),
    "a model that fails": (Doubt.MODEL, trouble(Doubt.MODEL)),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_p10_recognition_stops_within_a_second_says_why_and_comes_back_after(
    name: str, bench: Bench, vision: VisionSimulator
) -> None:
    doubt, cast = DOUBTS[name]
    bench.arm(make_entry("first"), make_entry("second"))
    vision.wait_for_begin()
    vision.see(entry=0)
    before = bench.wait_for(State.RECOGNISING)
    assert before.last_sequence == 1
    with cast(bench, vision):
        vision.wait_for_stop(STOPS_WITHIN_S)
        status = bench.wait_for(State.PAUSED)
        assert (status.doubts, status.last_sequence) == ((doubt,), 1)
        assert vision.hears_nothing(0.3), "the doubt is still there"
    vision.wait_for_begin()
    assert bench.wait_for(State.RECOGNISING).doubts == ()
    vision.see(entry=1)
    assert_alerts(bench, "first", "second")


def assert_alerts(bench: Bench, *entries: str) -> None:
    """What waits is delivered, numbered without a gap, to whoever comes for it now."""
    with bench.uplink() as uplink:
        uplink.until(lambda: len(uplink.on("alert")) >= len(entries))
        alerts = [bench.alert_in(message.payload) for message in uplink.on("alert")]
    assert [(alert.sequence, alert.entry) for alert in alerts] == list(enumerate(entries, 1))


def test_p10_a_vision_that_dies_ends_recognition_and_the_next_one_takes_it_up(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm(make_entry("first"), make_entry("second"))
        vision.wait_for_begin()
        vision.see(entry=0)
        bench.wait_for(State.RECOGNISING)
    assert bench.wait_for(State.PAUSED, STOPS_WITHIN_S).doubts == (Doubt.VISION,)
    assert not bench.world.lit
    with bench.vision() as vision:
        vision.wait_for_begin()
        bench.wait_for(State.RECOGNISING)
        vision.see(entry=1)
        assert_alerts(bench, "first", "second")


def test_p10_a_vision_with_another_model_is_not_asked_to_recognise(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
    with bench.vision(model="f" * 64) as changed:
        assert changed.hears_nothing()
        status = bench.status()
        assert (status.state, status.doubts) == (State.PAUSED, (Doubt.MODEL,))
    with bench.vision() as vision:
        vision.wait_for_begin()
        bench.wait_for(State.RECOGNISING)


def test_p10_without_its_watchlist_nobody_is_recognised_until_it_is_sent_again(bench: Bench) -> None:
    with bench.vision() as vision:
        order = bench.arm(make_entry("first"), make_entry("second"))
        vision.wait_for_begin()
        vision.see(entry=0)
        recipient = bench.deliver(Down.ORDER, order.data).recipient
        assert recipient is not None
        bench.kill()
    kept = bench.state / "deployments" / order.digest / "watchlist.age"
    kept.write_bytes(kept.read_bytes()[:-1])
    bench.start()
    with bench.vision() as vision:
        assert vision.hears_nothing()
        assert bench.status().state is State.ARMED
        assert bench.records()[-1].event in {"watchlist.unreadable", "state.changed"}
        assert any(record.event == "watchlist.unreadable" for record in bench.records())
        entries = (make_entry("first"), make_entry("second"))
        assert bench.deliver(Down.WATCHLIST, bench.sealed_watchlist(order, recipient, *entries)).accepted
        vision.wait_for_begin()
        vision.see(entry=1)
        assert_alerts(bench, "first", "second")


def test_p10_two_doubts_are_both_named_and_lifting_one_is_not_enough(bench: Bench, vision: VisionSimulator) -> None:
    bench.arm()
    vision.wait_for_begin()
    bench.world.set(clock="unknown", place=False)
    vision.wait_for_stop(STOPS_WITHIN_S)
    assert bench.wait_for(State.PAUSED).doubts == (Doubt.CLOCK, Doubt.PLACE)
    bench.world.set(clock="synchronised")
    assert vision.hears_nothing(0.5)
    assert bench.status().doubts == (Doubt.PLACE,)
    bench.world.set(place=True)
    vision.wait_for_begin()


def test_p10_a_doubt_that_comes_and_goes_is_logged_each_time(bench: Bench, vision: VisionSimulator) -> None:
    bench.arm()
    vision.wait_for_begin()
    for _ in range(3):
        bench.world.set(place=False)
        vision.wait_for_stop(STOPS_WITHIN_S)
        bench.wait_for(State.PAUSED)
        bench.world.set(place=True)
        vision.wait_for_begin()
        bench.wait_for(State.RECOGNISING)
    changes = [facts_of(record) for record in bench.records() if record.event == "state.changed"]
    assert [(fact["state"], fact["doubts"]) for fact in changes[-6:]] == [("paused", "place"), ("recognising", "")] * 3


def test_p10_told_to_end_in_the_middle_of_a_doubt_it_ends_in_order(bench: Bench, vision: VisionSimulator) -> None:
    bench.arm()
    vision.wait_for_begin()
    bench.world.set(clock="unknown", lamp="unreadable", place=False)
    vision.wait_for_stop(STOPS_WITHIN_S)
    assert bench.end(signal.SIGTERM) == 0
    assert not bench.world.lit


def test_p10_storage_that_is_destroyed_stops_recognition_and_what_is_secret_can_still_be_erased(
    bench: Bench, vision: VisionSimulator
) -> None:
    """Nothing comes back from this. The unit still says why, obeys its officers, and never starts on it again."""
    order = bench.arm(make_entry("first"), make_entry("second"))
    vision.wait_for_begin()
    vision.see(entry=0)
    assert bench.wait_for(State.RECOGNISING).last_sequence == 1
    for path in bench.state.glob("warden.db*"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    vision.see(entry=1)
    vision.wait_for_stop(STOPS_WITHIN_S)
    status = bench.wait_for(State.PAUSED)
    assert (status.doubts, status.last_sequence) == ((Doubt.STORAGE,), 1)
    assert vision.hears_nothing(1.5), "storage is tried again, and fails again"
    assert bench.left_of_deployments() != []
    assert bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest)).accepted
    assert bench.left_of_deployments() == []
    assert bench.status().state is State.ERASING, "it cannot certify what it cannot log"
    bench.kill()
    with pytest.raises(ConnectionError, match=r"warden\.db"):
        bench.start()
