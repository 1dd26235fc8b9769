import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.runtime import notify as module
from overt.runtime.notify import notify


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(module, "_socket", None)
        yield listening
        if module._socket is not None:
            module._socket.close()


def test_the_supervisor_hears_each_state(supervisor: socket.socket) -> None:
    notify("READY=1")
    notify("WATCHDOG=1")
    assert supervisor.recv(100) == b"READY=1"
    assert supervisor.recv(100) == b"WATCHDOG=1"


def test_one_connection_serves_for_ever_so_that_a_locked_in_daemon_can_go_on(supervisor: socket.socket) -> None:
    notify("READY=1")
    first = module._socket
    notify("WATCHDOG=1")
    assert module._socket is first
    assert supervisor.recv(100) == b"READY=1"


def test_a_supervisor_that_went_away_does_not_stop_the_daemon(supervisor: socket.socket) -> None:
    notify("READY=1")
    supervisor.close()
    notify("WATCHDOG=1")


@pytest.mark.parametrize("address", ["", "nonsense", "/no/such/socket"])
def test_without_a_supervisor_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setattr(module, "_socket", None)
    notify("READY=1")
    if module._socket is not None:
        module._socket.close()
