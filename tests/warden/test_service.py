"""The warden as a process: real sockets, real store, real documents; vision and uplink are simulated peers."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import envelope
from overt.protocol.messages import Message
from overt.protocol.reports import Checkpoint, Health, Status
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Doubt, Ending, Refusal, State
from overt.runtime.channel import ChannelClosed, connect
from tests.builders import make_cancellation, make_entry
from tests.warden.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        made.start()
        yield made


def test_a_whole_deployment_from_the_order_to_the_erasure_certificate(bench: Bench) -> None:
    volunteer = make_entry("volunteer-7")
    with bench.vision() as vision, bench.uplink() as uplink:
        order = bench.arm(make_entry("other"), volunteer)
        assert vision.wait_for_begin().order == order.digest
        assert vision.templates[1:] == list(volunteer.templates)
        assert bench.wait_for(State.RECOGNISING).indicator_lit
        assert bench.world.lit

        sighting = vision.see(entry=1)
        uplink.until(lambda: len(uplink.on("alert")) == 1)
        publish = uplink.on("alert")[0]
        assert not publish.retain
        alert = bench.alert_in(publish.payload)
        assert (alert.entry, alert.sequence, alert.order, alert.score) == ("volunteer-7", 1, order.digest, 0.71)
        assert alert.runner_up_margin == pytest.approx(sighting.score - 0.2)

        vision.templates_made = 40
        vision.progress()
        uplink.until(lambda: bool(uplink.on("health")))
        health = envelope.verify(uplink.on("health")[-1].payload, Health, bench.identity.key)
        assert (health.templates_made, health.last_sequence) == (40, 1)

        receipt = bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
        assert receipt.accepted
        vision.wait_for_stop(answer=False)
        assert bench.world.lit, "the lamp goes dark when vision has forgotten, and not before"
        vision.clear()
        status = bench.wait_for(State.IDLE)
        assert not bench.world.lit
        assert status.ending is Ending.CANCELLED
        uplink.until(lambda: len(uplink.on("receipt")) == 4)
        certificate = bench.erasure_in(uplink.on("receipt")[-1].payload)
        assert (certificate.entries, certificate.templates_listed, certificate.alerts) == (2, 2, 1)
        assert (certificate.templates_made, certificate.templates_wiped) == (40, 40)
        uplink.until(lambda: bool(uplink.on("checkpoint")))
        envelope.verify(uplink.on("checkpoint")[-1].payload, Checkpoint, bench.identity.key)
    assert bench.left_of_deployments() == []
    assert bench.end() == 0


def test_no_template_is_ever_on_the_disk_not_during_the_deployment_and_not_after(bench: Bench) -> None:
    volunteer = make_entry()
    canary = volunteer.templates[0][:64]
    with bench.vision() as vision, bench.uplink():
        order = bench.arm(volunteer)
        vision.wait_for_begin()
        vision.see()
        assert canary not in bench.everything_on_disk()
        bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
        vision.wait_for_stop()
        bench.wait_for(State.IDLE)
        assert canary not in bench.everything_on_disk()


def test_the_gallery_is_wiped_even_in_a_vision_that_does_not_let_go(bench: Bench) -> None:
    with bench.vision() as vision:
        order = bench.arm()
        vision.wait_for_begin()
        assert not vision.gallery_is_wiped
        bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
        vision.wait_for_stop(answer=False)
        vision.wait_until_hung_up()
        bench.wait_for(State.IDLE)
        assert vision.gallery_is_wiped


def test_a_lost_condition_stops_vision_says_why_and_begins_again_by_itself(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
        for doubt, lost, good in (
            (Doubt.CLOCK, {"clock": "unknown"}, {"clock": "synchronised"}),
            (Doubt.PLACE, {"place": False}, {"place": True}),
            (Doubt.INDICATOR, {"lamp": "dark"}, {"lamp": "works"}),
            (Doubt.INDICATOR, {"lamp": "unreadable"}, {"lamp": "works"}),
        ):
            bench.world.set(**lost)
            vision.wait_for_stop()
            assert bench.wait_for(State.PAUSED).doubts == (doubt,)
            bench.world.set(**good)
            vision.wait_for_begin()
            bench.wait_for(State.RECOGNISING)


def test_trouble_that_vision_reports_pauses_and_its_recovery_resumes(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
        vision.trouble(Doubt.CAMERA)
        vision.wait_for_stop()
        assert bench.wait_for(State.PAUSED).doubts == (Doubt.CAMERA,)
        vision.recovered(Doubt.CAMERA)
        vision.wait_for_begin()


def test_a_vision_that_dies_pauses_and_the_next_one_begins_anew(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
    assert bench.wait_for(State.PAUSED).doubts == (Doubt.VISION,)
    assert not bench.world.lit
    with bench.vision() as vision:
        vision.wait_for_begin()
        bench.wait_for(State.RECOGNISING)


def test_a_vision_with_another_model_is_never_told_to_begin(bench: Bench) -> None:
    with bench.vision(model="f" * 64) as vision:
        order = bench.order()
        assert bench.deliver(Down.ORDER, order.data).refusal is Refusal.WRONG_MODEL
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
    with bench.vision(model="f" * 64) as vision:
        assert vision.hears_nothing()
        assert bench.status().doubts == (Doubt.MODEL,)


def test_a_second_vision_or_uplink_is_refused(bench: Bench) -> None:
    with bench.vision() as vision, bench.uplink() as uplink:
        bench.status()
        for name in ("vision.sock", "uplink.sock"):
            second = connect(bench.run / name, Message)  # type: ignore[arg-type]  # a union is a type too
            second.set_timeout(5)
            with pytest.raises(ChannelClosed):
                second.receive()
            second.close()
        assert vision.hears_nothing(0.05)
        bench.arm()
        vision.wait_for_begin()
        uplink.until(lambda: bool(uplink.on("receipt")))


def test_the_window_over_erases_without_being_told(bench: Bench) -> None:
    with bench.vision() as vision:
        bench.arm()
        vision.wait_for_begin()
        bench.world.set(ahead_s=7200)
        vision.wait_for_stop()
        assert bench.wait_for(State.IDLE).ending is Ending.WINDOW_OVER
    assert bench.left_of_deployments() == []


def test_stopping_the_warden_keeps_the_deployment_for_the_next_start(bench: Bench) -> None:
    with bench.vision() as vision:
        order = bench.arm()
        vision.wait_for_begin()
        bench.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]  # it runs
        vision.wait_for_stop()
        assert bench.process.wait(10) == 0  # type: ignore[union-attr]  # as above
    assert not bench.world.lit
    bench.start()
    with bench.vision() as vision:
        assert vision.wait_for_begin().order == order.digest
        assert bench.wait_for(State.RECOGNISING).order == order.digest


def test_status_is_retained_and_signed_and_says_what_the_unit_does(bench: Bench) -> None:
    with bench.uplink() as uplink:
        uplink.until(lambda: bool(uplink.on("status")))
        publish = uplink.on("status")[-1]
        assert publish.retain
        status = envelope.verify(publish.payload, Status, bench.identity.key)
        assert (status.state, status.order) == (State.IDLE, None)
