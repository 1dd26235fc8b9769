"""Telling the supervisor how the daemon is: systemd's notification protocol (sd_notify(3)), without its library."""

import contextlib
import os
import socket

_socket: socket.socket | None = None


def notify(state: str) -> None:
    """Send a state such as "READY=1" or "WATCHDOG=1". Without a supervisor that listens, nothing happens.

    The connection is made by the first call and kept, so that a daemon that locks itself in later can still send.
    """
    global _socket  # noqa: PLW0603 - one process has one supervisor
    address = os.environ.get("NOTIFY_SOCKET", "")
    if _socket is None and address[:1] in {"/", "@"}:
        _socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        with contextlib.suppress(OSError):
            _socket.connect("\0" + address[1:] if address[0] == "@" else address)
    if _socket is not None:
        with contextlib.suppress(OSError):  # a supervisor that does not listen must not stop the daemon
            _socket.send(state.encode())
