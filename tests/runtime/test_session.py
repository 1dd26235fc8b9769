"""A session with brokers that behave badly: small servers on this machine that say what a broker should not."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from overt.runtime import session as sessions
from overt.runtime.broker import Broker
from overt.runtime.mqtt import LinkLost
from overt.runtime.retry import Backoff
from overt.runtime.session import Down, Happening, Session, Up

TAKEN = bytes([0x20, 3, 0, 0, 0])  # CONNACK of MQTT 5, accepted
TAKEN_311 = bytes([0x20, 2, 0, 0])


class BadBroker:
    """Answers each connection with the next of its lines, then hangs up or stays silent."""

    def __init__(self, *answers: bytes | None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._answers = list(answers)
        self.heard: list[bytes] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def broker(self) -> Broker:
        return Broker("127.0.0.1", self._socket.getsockname()[1], None)

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.heard.append(connection.recv(4096))
            if answer is None:
                self._open.append(connection)
                continue
            connection.sendall(answer)
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()


@contextmanager
def session_with(*answers: bytes | None) -> Iterator[tuple[Session, BadBroker]]:
    server = BadBroker(*answers)
    session = Session(server.broker, "unit-1", (), max_packet=1024, backoff=Backoff(0.05, 0.05))
    try:
        yield session, server
    finally:
        session.close()
        server.close()


def next_change(session: Session, seconds: float = 5.0) -> Happening:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for item in session.wait(0.1)[0]:
            if isinstance(item, Up | Down):
                return item
    raise AssertionError("nothing happened")


@pytest.mark.parametrize("code", [0x86, 0x87, 0x8A])
def test_an_authorisation_refusal_says_so_and_waits_longer(code: int) -> None:
    with session_with(bytes([0x20, 3, 0, code, 0])) as (session, _):
        change = next_change(session)
        assert isinstance(change, Down)
        assert change.refused
        assert "refuses the connection" in change.detail
        assert change.retry_in_s >= 5 * Backoff.FLOOR_S
        assert not session.up


def test_a_broker_that_is_busy_is_no_refusal() -> None:
    with session_with(bytes([0x20, 3, 0, 0x88, 0])) as (session, _):
        change = next_change(session)
        assert isinstance(change, Down)
        assert not change.refused


def test_a_broker_that_speaks_only_3_1_1_is_spoken_to_in_3_1_1_at_once_and_from_then_on() -> None:
    with session_with(bytes([0x20, 2, 0, 1]), TAKEN_311, None) as (session, server):
        change = next_change(session)
        assert isinstance(change, Up)
        assert change.connected.version == 4
        assert isinstance(next_change(session), Down)
        session.wait(0.2)
        session.wait(0.2)
        assert [connect[8] for connect in server.heard] == [5, 4, 4]


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff\xff", b"\x20\x03\x00", b"\x00" * 40, b"\x20\x00"],
)
def test_something_that_is_no_broker_is_a_lost_link(garbage: bytes) -> None:
    with session_with(garbage) as (session, _):
        change = next_change(session)
        assert isinstance(change, Down)
        assert not change.refused
        assert change.detail.isprintable()


def test_a_broker_that_takes_the_connection_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_ANSWER_PATIENCE_S", 0.2)
    with session_with(None) as (session, _):
        change = next_change(session)
        assert isinstance(change, Down)
        assert "does not answer" in change.detail


def test_a_second_client_of_the_same_name_is_named_as_the_reason() -> None:
    with session_with(TAKEN + bytes([0xE0, 2, 0x8E, 0])) as (session, _):
        assert isinstance(next_change(session), Up)
        change = next_change(session)
        assert isinstance(change, Down)
        assert "session taken over" in change.detail


def test_no_broker_at_all_is_a_lost_link_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    session = Session(Broker("127.0.0.1", port, None), "unit-1", (), max_packet=1024, backoff=Backoff(0.05, 0.05))
    changes = [next_change(session), next_change(session)]
    assert all(isinstance(change, Down) and "no broker answers" in change.detail for change in changes)
    with pytest.raises(LinkLost):
        session.publish("a", b"", retain=False, expires_in_s=None)
    session.close()


def test_waiting_watches_the_owners_own_descriptors_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, session_with(None) as (session, _):
        assert session.wait(0.05, [ours.fileno()])[1] == []
        theirs.send(b"x")
        assert session.wait(1.0, [ours.fileno()])[1] == [ours.fileno()]
