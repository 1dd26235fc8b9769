"""Sockets that the supervisor holds: who asks while the warden starts, or starts anew, is answered."""

import fcntl
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from overt.protocol.vocabulary import State
from tests.warden.bench import Bench

NAMES = ("control", "console")


class Supervisor:
    """What systemd does with a `.socket` unit: listens, and hands its sockets to each process that it starts."""

    def __init__(self, bench: Bench, kind: socket.SocketKind = socket.SOCK_SEQPACKET) -> None:
        self.bench, self.sockets = bench, [socket.socket(socket.AF_UNIX, kind) for _ in NAMES]
        for name, listener in zip(NAMES, self.sockets, strict=True):
            listener.bind(str(bench.run / f"{name}.sock"))
            listener.listen()

    def start(self) -> None:
        # Far from 3 and 4, where they are to be.
        numbers = [fcntl.fcntl(listener, fcntl.F_DUPFD, 20) for listener in self.sockets]
        moved = " ".join(f"{number}<&{own}" for number, own in enumerate(numbers, 3))
        warden = [sys.executable, "-m", "tests.simulators.warden_unit"]
        folders = map(str, (self.bench.state, self.bench.run, self.bench.folder))
        script = f'LISTEN_PID=$$ LISTEN_FDS={len(numbers)} exec "$@" {moved}'
        self.bench.launch(["bash", "-c", script, "bash", *warden, *folders], pass_fds=numbers)
        for number in numbers:
            os.close(number)

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        yield made


@contextmanager
def asked_meanwhile(bench: Bench) -> Iterator[None]:
    """Somebody asks for the state, at first in vain, and has been answered in the end."""
    heard: list[State] = []
    waits = threading.Thread(target=lambda: heard.append(bench.status().state))
    waits.start()
    yield
    waits.join(10)
    assert heard == [State.IDLE]


def test_who_asks_before_the_warden_runs_is_answered_once_it_does(bench: Bench) -> None:
    with closing(Supervisor(bench)) as supervisor:
        with asked_meanwhile(bench):
            supervisor.start()
        assert bench.end() == 0


def test_who_asks_while_the_warden_starts_anew_is_answered_by_the_next(bench: Bench) -> None:
    with closing(Supervisor(bench)) as supervisor:
        supervisor.start()
        assert bench.end() == 0
        assert all((bench.run / f"{name}.sock").is_socket() for name in NAMES), "they are the supervisor's"
        assert not (bench.run / "vision.sock").exists(), "and this one was the warden's own"
        with asked_meanwhile(bench):
            supervisor.start()


def test_a_socket_unit_of_another_kind_is_said_and_nothing_starts(bench: Bench) -> None:
    with closing(Supervisor(bench, socket.SOCK_STREAM)) as supervisor:
        with pytest.raises(ConnectionError, match="expected listening sockets of kind ListenSequentialPacket"):
            supervisor.start()
        assert bench.records() == []


def test_sockets_for_another_process_are_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "2")
    bench.start()
    assert bench.status().state is State.IDLE


def test_a_descriptor_that_is_not_there_is_said(bench: Bench) -> None:
    script = 'LISTEN_PID=$$ LISTEN_FDS=40 exec "$@"'
    folders = map(str, (bench.state, bench.run, bench.folder))
    with pytest.raises(ConnectionError, match="expected a socket from the supervisor"):
        bench.launch(["bash", "-c", script, "bash", sys.executable, "-m", "tests.simulators.warden_unit", *folders])
