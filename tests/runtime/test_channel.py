import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import messages
from overt.protocol.messages import FromVision, Hello, Inbound, Progress, Stop, ToVision
from overt.runtime.channel import BadMessage, Channel, ChannelClosed, ChannelError, Listener, connect

ME = frozenset({os.geteuid()})
HELLO = Hello(daemon="vision", version="1", model="0" * 64)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Channel[FromVision], Channel[ToVision]]]:
    listener = Listener(tmp_path / "vision.sock")
    vision: Channel[ToVision] = connect(tmp_path / "vision.sock", ToVision)  # type: ignore[arg-type]  # a union
    warden: Channel[FromVision] = listener.accept(FromVision, ME)  # type: ignore[arg-type]  # a union
    yield warden, vision
    warden.close()
    vision.close()
    listener.close()
    assert not (tmp_path / "vision.sock").exists()


def test_a_message_arrives_whole(ends: tuple[Channel[FromVision], Channel[ToVision]]) -> None:
    warden, vision = ends
    vision.send(HELLO)
    assert warden.receive() == (HELLO, [])


def test_a_memory_file_travels_with_its_message(ends: tuple[Channel[FromVision], Channel[ToVision]]) -> None:
    warden, vision = ends
    file = os.memfd_create("watchlist")
    os.write(file, b"sealed bytes")
    vision.send(HELLO, [file])
    os.close(file)
    _, (received,) = warden.receive()
    assert os.pread(received, 100, 0) == b"sealed bytes"
    assert not os.get_inheritable(received)
    os.close(received)


def test_a_message_of_another_hop_is_refused_and_the_channel_lives_on(
    ends: tuple[Channel[FromVision], Channel[ToVision]],
) -> None:
    warden, vision = ends
    vision.send(Stop())
    vision.send(HELLO)
    with pytest.raises(BadMessage):
        warden.receive()
    assert warden.receive() == (HELLO, [])


@pytest.mark.parametrize("packet", [b"\xff", b"{}", os.urandom(500), messages.encode({"type": "hello", "extra": 1})])
def test_garbage_is_refused_and_its_descriptors_are_closed(tmp_path: Path, packet: bytes) -> None:
    listener = Listener(tmp_path / "s")
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(str(tmp_path / "s"))
    warden: Channel[FromVision] = listener.accept(FromVision, ME)  # type: ignore[arg-type]  # a union
    file = os.memfd_create("x")
    before = len(os.listdir("/proc/self/fd"))
    socket.send_fds(peer, [packet], [file])
    with pytest.raises(BadMessage):
        warden.receive()
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(file)
    peer.send(messages.encode(HELLO))
    assert warden.receive()[0] == HELLO
    peer.close()
    with pytest.raises(ChannelClosed):
        warden.receive()
    warden.close()
    listener.close()


def test_a_packet_over_the_limit_is_refused_by_the_sender_and_by_the_receiver(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "s")
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(str(tmp_path / "s"))
    warden: Channel[FromVision] = listener.accept(FromVision, ME)  # type: ignore[arg-type]  # a union
    peer.send(bytes(messages.MAX_BYTES + 1))
    with pytest.raises(BadMessage, match="larger"):
        warden.receive()
    with pytest.raises(ValueError, match="at most"):
        warden.send(messages.Answer(report=bytes(messages.MAX_BYTES)))
    peer.close()
    warden.close()
    listener.close()


def test_sending_to_a_peer_that_is_gone_says_so(ends: tuple[Channel[FromVision], Channel[ToVision]]) -> None:
    warden, vision = ends
    warden.close()
    with pytest.raises(ChannelClosed):
        vision.send(HELLO)


def test_a_peer_of_another_user_is_hung_up_on(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "s")
    peer: Channel[ToVision] = connect(tmp_path / "s", ToVision)  # type: ignore[arg-type]  # a union
    with pytest.raises(ChannelError, match="expected a peer of user"):
        listener.accept(FromVision, frozenset({os.geteuid() + 1}))  # type: ignore[arg-type]  # a union
    with pytest.raises(ChannelClosed):
        peer.receive()
    peer.close()
    listener.close()


def test_a_socket_left_by_a_killed_process_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    dead.bind(str(tmp_path / "s"))
    dead.close()
    listener = Listener(tmp_path / "s")
    with pytest.raises(ChannelError, match="already listens"):
        Listener(tmp_path / "s")
    listener.close()


def test_nobody_listening_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="is the daemon running"):
        connect(tmp_path / "nobody", ToVision)  # type: ignore[arg-type]  # a union


def test_the_limit_holds_the_largest_message_that_is_ever_sent() -> None:
    largest = messages.Publish(id=2**53, topic="t" * 128, payload=bytes(48 * 1024), expires_in_s=86400)
    assert len(messages.encode(largest)) <= messages.MAX_BYTES
    assert Inbound(topic="t")
    assert Progress
