"""The warden killed at every kind of instant of a deployment, and started again: what it had promised still holds."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from overt.protocol import envelope, logfile, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import Order
from overt.protocol.reports import Erasure, Receipt
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Kind, Refusal, State
from overt.runtime.channel import ChannelError
from overt.runtime.control import NoAnswer
from overt.warden.log_export import export
from overt.warden.store import Store
from tests.builders import UNIT, make_cancellation, make_entry, make_watchlist
from tests.simulators.uplink import UplinkSimulator
from tests.simulators.vision import VisionSimulator
from tests.warden.bench import Bench

GONE = (NoAnswer, ChannelError, ConnectionError, TimeoutError)


class Story:
    """One deployment, told as far as the warden lives, and what it had promised by then."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.entry = make_entry()
        self.order: Checked[Order] = bench.order()
        self.watchlist = make_watchlist(bench.force, self.order.digest, self.entry)
        self.cancellation = make_cancellation(bench.force, self.order.digest)
        self.recipient: str | None = None
        self.loaded = self.cancelling = self.cancelled = False
        self.alerts: dict[int, str] = {}
        self.certificates: list[Erasure] = []

    def tell(self) -> None:
        """Everything, from the order to the certificate. Told twice, it goes on where it was."""
        with self.bench.vision() as vision, self.bench.uplink() as uplink:
            try:
                self._deploy(vision, uplink)
            finally:
                self._read(uplink)

    def _deploy(self, vision: VisionSimulator, uplink: UplinkSimulator) -> None:
        deliver = self.bench.deliver
        receipt = deliver(Down.ORDER, self.order.data)
        if receipt.refusal is Refusal.REPLAYED:
            assert self.cancelling, "refused as over, and nobody had ended it"
            assert self.bench.status().ending or self.cancelled
        else:
            self._promised(receipt)
            if not self.loaded:
                assert self.recipient is not None
                receipt = deliver(Down.WATCHLIST, sealing.seal(self.watchlist, [self.recipient]))
                assert receipt.accepted, receipt
                self.loaded = True
            vision.wait_for_begin(5.0)
            assert vision.templates == list(self.entry.templates)
            before = len(uplink.on("alert"))
            vision.see()
            uplink.until(lambda: len(uplink.on("alert")) > before, 5.0)
            self.cancelling = True
            assert deliver(Down.CANCEL, self.cancellation).accepted
            self.cancelled = True
            vision.wait_for_stop(5.0)
        self.bench.wait_for(State.IDLE)
        uplink.listen(0.2)

    def _promised(self, receipt: Receipt) -> None:
        assert receipt.accepted, receipt
        assert not self.cancelled, "an order that was cancelled came to life again"
        assert receipt.recipient is not None
        if self.recipient is not None:
            assert receipt.recipient == self.recipient, "a receipt had gone out for another key"
        self.recipient = receipt.recipient

    def _read(self, uplink: UplinkSimulator) -> None:
        for message in uplink.on("alert"):
            alert = self.bench.alert_in(message.payload)
            assert self.alerts.setdefault(alert.sequence, alert.id) == alert.id, "one number, two alerts"
        for message in uplink.on("receipt"):
            if envelope.parse(message.payload).kind is Kind.ERASURE:
                self.certificates.append(self.bench.erasure_in(message.payload))


def assert_log_is_whole(bench: Bench, certificates: list[Erasure]) -> None:
    """The log as it comes off the unit fits every checkpoint in it, and every certificate that went out."""
    path = bench.folder / "log.jsonl"
    export(bench.state, path, datetime.now(UTC))
    with path.open("rb") as lines:
        found = logfile.check(lines, UNIT, bench.identity.key, certificates)
    assert found.is_whole, found


def live_through(bench: Bench, step: int) -> Story:
    """Tell the story to a warden that dies at a step, then to one that lives; look at what is left."""
    story = Story(bench)
    tally = bench.folder / "tally"
    try:
        bench.start(module="tests.simulators.dying_warden", arguments=(str(step), str(tally)))
        story.tell()
    except GONE:
        assert bench.process is not None
        bench.process.wait(5)
    else:
        bench.end()
    was_loaded = story.loaded and not story.cancelled
    assert bench.process is not None
    assert bench.process.returncode in {0, -9}, bench.log.read_text()
    bench.start()
    if was_loaded:
        assert bench.status().state in {State.ARMED, State.ERASING, State.IDLE}
    story.tell()
    assert bench.end() == 0

    assert bench.left_of_deployments() == []
    assert story.entry.templates[0][:64] not in bench.everything_on_disk()
    assert sorted(story.alerts) == list(range(1, len(story.alerts) + 1)), "a gap in the numbers"
    assert {certificate.order for certificate in story.certificates} <= {story.order.digest}
    store = Store(bench.state / "warden.db")
    assert_log_is_whole(bench, story.certificates)
    assert store.is_spent(story.order.digest)
    assert store.uncertified() == []
    waiting = [envelope.parse(parcel.payload).kind for parcel in store.waiting(0, 100) if "receipt" in parcel.topic]
    assert story.certificates or Kind.ERASURE in waiting, "no certificate of the erasure"
    erased = [record for record in store.records() if record.event == "deployment.erased"]
    assert len(erased) == 1, "certified once"
    store.close()
    return story


# The story takes about 210 steps; the first 30 are the start.
@pytest.mark.parametrize("step", [40, 90, 115, 140])
def test_a_deployment_survives_a_power_cut(tmp_path: Path, step: int) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, step)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(2, 260, 2))
def test_a_deployment_survives_a_power_cut_at_any_step(tmp_path: Path, step: int) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, step)


def test_the_story_without_a_power_cut_has_as_many_steps_as_the_tests_above_believe(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, 10**9)
        assert 120 < int((tmp_path / "tally").read_text()) < 400  # ticks of a slow machine count as well
