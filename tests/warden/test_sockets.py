"""Whoever connects may send anything: the warden answers, refuses or hangs up, and goes on."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import limits, messages
from overt.protocol.messages import Ask, Inbound, ToControl
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Refusal, State
from overt.runtime.channel import ChannelError, connect
from tests.builders import make_cancellation
from tests.warden.bench import Bench
from tests.warden.test_enrolment import overt_camera


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        made.start()
        yield made
        assert made.end() == 0, made.log.read_text()


def raw(bench: Bench, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(5)
    connection.connect(str(bench.run / name))
    return connection


GARBAGE = [
    b"\0",
    b"\xc1",
    b"junk",
    b"\x81\xa4type\xa5hello",
    b"\xdf\xff\xff\xff\xff",
    os.urandom(60_000),
    b"\x93" * 999,
]


@pytest.mark.parametrize("name", ["vision.sock", "uplink.sock", "control.sock"])
def test_garbage_on_a_socket_is_refused_and_the_unit_goes_on(bench: Bench, name: str) -> None:
    with raw(bench, name) as connection:
        for data in GARBAGE:
            connection.send(data)
        assert bench.status().state is State.IDLE
    assert bench.status().state is State.IDLE


@pytest.mark.parametrize("name", ["vision.sock", "uplink.sock", "control.sock"])
def test_messages_that_are_not_this_peers_to_send_are_refused(bench: Bench, name: str) -> None:
    with raw(bench, name) as connection:
        for message in (
            messages.Stop(),
            messages.Publish(id=1, topic="x", payload=b""),
            messages.Answer(report=b""),
            messages.Begin(order="0" * 64, threshold=0.5),
            messages.Delivered(id=2**53),
            messages.Undeliverable(id=2**53, reason_code=255),
            messages.Cleared(order="0" * 64, frames=0, faces_seen=0, templates_made=2**53, templates_wiped=0),
        ):
            connection.send(messages.encode(message))
        assert bench.status().state is State.IDLE


def test_files_that_are_not_documents_are_refused(bench: Bench, tmp_path: Path) -> None:
    pipe_read, pipe_write = os.pipe()
    folder = os.open(tmp_path, os.O_RDONLY)
    zero = os.open("/dev/zero", os.O_RDONLY)
    inbound = messages.encode(Inbound(topic="overt/v1/test-force/unit-1/order"))
    try:
        with raw(bench, "uplink.sock") as connection:
            for descriptors in ([], [pipe_read], [folder], [zero], [zero, zero], [zero] * 4):
                socket.send_fds(connection, [inbound], descriptors)
            assert bench.status().state is State.IDLE
    finally:
        for descriptor in (pipe_read, pipe_write, folder, zero):
            os.close(descriptor)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_descriptors_that_peers_send_are_not_kept(bench: Bench) -> None:
    assert bench.process is not None
    bench.status()
    before = open_files(bench.process.pid)
    zero = os.open("/dev/zero", os.O_RDONLY)
    with raw(bench, "uplink.sock") as connection:
        for _ in range(50):
            for message in (b"junk", messages.encode(Inbound(topic="x")), messages.encode(Ask())):
                socket.send_fds(connection, [message], [zero, zero])
        bench.status()
    os.close(zero)
    deadline = time.monotonic() + 5
    while open_files(bench.process.pid) > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_files(bench.process.pid) <= before


def test_an_inbound_that_is_too_large_gets_a_receipt_by_cable(bench: Bench) -> None:
    receipt = bench.deliver(Down.ORDER, bytes(limits.DOCUMENT_MAX_BYTES + 1))
    assert receipt.refusal is Refusal.TOO_LARGE


def test_a_peer_that_connects_and_says_nothing_holds_nobody_up(bench: Bench) -> None:
    with raw(bench, "control.sock"), raw(bench, "control.sock"), raw(bench, "vision.sock"):
        assert bench.status().state is State.IDLE


def test_a_second_warden_on_the_same_state_is_refused(bench: Bench, tmp_path: Path) -> None:
    ended = overt_camera("warden", "--state", bench.state, "--run", tmp_path)
    assert ended.returncode == 3
    assert "in use" in ended.stderr


def test_the_warden_leaves_no_core_dump(bench: Bench) -> None:
    assert bench.process is not None
    limits_of = Path(f"/proc/{bench.process.pid}/limits").read_text()
    core = next(line for line in limits_of.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_the_technicians_cable_works_with_the_network_gone(bench: Bench, tmp_path: Path) -> None:
    order = bench.order()
    for name, data in (("order", order.data), ("bad", b"junk")):
        (tmp_path / name).write_bytes(data)
    receipt = tmp_path / "receipt.json"
    done = overt_camera("deliver", "order", tmp_path / "order", "--run", bench.run, "--receipt", receipt)
    assert (done.returncode, done.stderr) == (0, "")
    recipient = bench.receipt_in(receipt.read_bytes()).recipient
    assert recipient is not None
    assert recipient in done.stdout
    refused = overt_camera("deliver", "watchlist", tmp_path / "bad", "--run", bench.run)
    assert refused.returncode == 1
    assert "not_readable" in refused.stdout
    (tmp_path / "list").write_bytes(bench.sealed_watchlist(order, recipient))
    assert overt_camera("deliver", "watchlist", tmp_path / "list", "--run", bench.run, "--json").returncode == 0
    status = overt_camera("status", "--run", bench.run)
    assert "armed" in status.stdout
    assert "vision" in status.stdout, "what is missing is said"
    (tmp_path / "end").write_bytes(make_cancellation(bench.force, order.digest))
    assert overt_camera("deliver", "cancel", tmp_path / "end", "--run", bench.run).returncode == 0
    assert overt_camera("deliver", "cancel", tmp_path / "nothing", "--run", bench.run).returncode == 2
    as_json = overt_camera("status", "--run", bench.run, "--json")
    assert '"state":"idle"' in as_json.stdout


def test_without_a_warden_the_commands_say_so_with_3(tmp_path: Path) -> None:
    (tmp_path / "order").write_bytes(b"{}")
    assert overt_camera("status", "--run", tmp_path).returncode == 3
    assert overt_camera("deliver", "order", tmp_path / "order", "--run", tmp_path).returncode == 3


def test_alerts_wait_for_the_uplink_and_are_sent_again_until_acknowledged(bench: Bench) -> None:
    with bench.vision() as vision:
        order = bench.arm(operation="ALERTS")
        vision.wait_for_begin()
        vision.see()
        with bench.uplink(acknowledges=False) as uplink:
            uplink.until(lambda: len(uplink.on("alert")) == 1)
        with bench.uplink() as uplink:
            uplink.until(lambda: len(uplink.on("alert")) == 1)
            uplink.listen(0.2)
        with bench.uplink() as uplink:
            uplink.listen(0.5)
            assert uplink.on("alert") == []
        bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
        vision.wait_for_stop()
        bench.wait_for(State.IDLE)


def test_what_the_broker_refuses_for_good_holds_up_nothing(bench: Bench) -> None:
    with bench.vision() as vision, bench.uplink(acknowledges=False) as uplink:
        order = bench.arm(operation="REFUSED")
        vision.wait_for_begin()
        vision.see()
        uplink.until(lambda: bool(uplink.on("alert")))
        for message in uplink.on("alert") + uplink.on("receipt"):
            uplink.refuse(message)
        bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
        vision.wait_for_stop()
        uplink.until(lambda: len(uplink.on("receipt")) >= 4)
    with bench.uplink() as uplink:
        uplink.listen(0.5)
        assert uplink.on("alert") == []


def test_no_more_than_a_small_window_is_on_its_way(bench: Bench) -> None:
    with bench.uplink(acknowledges=False) as uplink:
        for number in range(25):
            bench.deliver(Down.ORDER, f"junk {number}".encode())
        uplink.listen(0.5)
        durable = [message for message in uplink.published if message.topic.endswith("/receipt")]
        assert len(durable) == 16
        for message in durable:
            uplink.acknowledge(message)
        uplink.acknowledges = True
        uplink.until(lambda: len(uplink.on("receipt")) >= 25)


def test_while_the_broker_is_away_everything_waits_in_the_warden(bench: Bench) -> None:
    with bench.uplink() as uplink:
        uplink.until(lambda: bool(uplink.on("status")))
        uplink.channel.send(messages.Link(up=False, detail="away"))
        bench.status()
        bench.deliver(Down.ORDER, b"junk while away")
        assert uplink.listen(0.3) == []
        uplink.channel.send(messages.Link(up=True, detail="back"))
        uplink.until(lambda: bool(uplink.on("receipt")))


def test_control_is_told_when_a_document_cannot_be_answered(bench: Bench) -> None:
    with connect(bench.run / "control.sock", ToControl) as channel:
        channel.send(Inbound(topic="overt/v1/other/unit/order"))
        with pytest.raises(ChannelError):
            channel.receive()
