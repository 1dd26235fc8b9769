"""Sockets that the supervisor has listened on since before the daemon ran (systemd's sd_listen_fds(3)).

Who connects while the daemon starts, or starts anew, waits instead of being turned away.
"""

import os
import socket
from pathlib import Path
from typing import Final

_FIRST: Final = 3
_handed_over: dict[str, socket.socket] | None = None


class BadHandover(Exception):
    """What the supervisor handed over is no listening socket of the contract's kind."""


def listening_at(path: Path) -> socket.socket | None:
    """Return the socket that the supervisor listens on at a path, for the life of the process; None: it does not.

    It is the same one at each call and not to be closed: it stays the supervisor's, and so does the path.

    Raises:
        BadHandover: Something else than listening AF_UNIX SOCK_SEQPACKET sockets was handed over.
    """
    global _handed_over  # noqa: PLW0603 - a process is handed its sockets once
    if _handed_over is None:
        _handed_over = _take()
    return _handed_over.get(str(path))


def _take() -> dict[str, socket.socket]:
    """Take what the environment announces, and out of it: programs that this one starts are handed nothing."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    return dict(_named(descriptor) for descriptor in range(_FIRST, _FIRST + int(count)))


def _named(descriptor: int) -> tuple[str, socket.socket]:
    try:
        found = socket.socket(fileno=descriptor)
        found.set_inheritable(False)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BadHandover(f"expected a socket from the supervisor, found descriptor {descriptor}: {error}") from error
    if (found.family, found.type, listens) != (socket.AF_UNIX, socket.SOCK_SEQPACKET, 1):
        raise BadHandover(
            "expected listening sockets of kind ListenSequentialPacket from the supervisor, found another: "
            "look at the .socket unit"
        )
    found.setblocking(True)
    return str(found.getsockname()), found
