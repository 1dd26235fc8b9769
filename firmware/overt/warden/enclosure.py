"""Work with secrets in a process of its own, which takes every copy that Python and its libraries make with it.

Decrypting and parsing leaves copies on the heap that nobody can find to wipe. So the child does it, hands back what may
be known (and, as a memory file, what vision is to have), and is gone: its pages are the kernel's again, which clears
them before anyone else gets them. While it lives it can be neither dumped nor traced.
"""

import ctypes
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

import msgspec

from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal
from overt.runtime.channel import close_all
from overt.runtime.memory import MemoryUnsafe, harden_process, sealed_copy

_PATIENCE_S = 60.0
_PACKET_BYTES = 8192
_MAX_FILES = 2
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Work = Callable[[], tuple[bytes, int | None]]
"""Returns what may be known, and the descriptor of a memory file or None."""


class _Outcome(msgspec.Struct, frozen=True):
    """What the child says: nothing, or what went wrong."""

    refusal: Refusal | None = None
    unsafe: bool = False
    error: str = ""


def in_child(work: Work) -> tuple[bytes, int | None]:
    """Do some work in a child process.

    Returns:
        What the work returned; the descriptor is the caller's to close.

    Raises:
        ProtocolError: As the work raised it.
        MemoryUnsafe: As the work raised it.
        OSError: As the work raised it; or the child could not be made, died, or took more than a minute.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if child == 0:
        _live(work, theirs, parent)
    theirs.close()
    with ours:
        try:
            return _hear(ours)
        finally:
            os.kill(child, signal.SIGKILL)  # it has nothing more to do; or it hangs
            os.waitpid(child, 0)


def _hear(connection: socket.socket) -> tuple[bytes, int | None]:
    if not select.select([connection], [], [], _PATIENCE_S)[0]:
        raise OSError(f"expected an answer within {_PATIENCE_S:.0f} s, found none: the unit is overloaded")
    data, files, _, _ = socket.recv_fds(connection, _PACKET_BYTES, _MAX_FILES)
    try:
        outcome = msgspec.msgpack.decode(data, type=_Outcome)
        if outcome.refusal is not None:
            raise ProtocolError(outcome.refusal, outcome.error)
        if outcome.unsafe:
            raise MemoryUnsafe(0, outcome.error)
        if outcome.error:
            raise OSError(outcome.error)
        answer = os.pread(files[0], os.fstat(files[0]).st_size, 0)
    except msgspec.DecodeError as error:
        close_all(files)
        raise OSError("expected an answer, found none: the child process died") from error
    except BaseException:
        close_all(files)
        raise
    close_all(files[:1])
    return answer, files[1] if len(files) > 1 else None


def _live(work: Work, connection: socket.socket, parent: int) -> NoReturn:
    """Be the child: whatever happens, nothing of the parent's is run after it."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            harden_process()
            _tell(connection, *_outcome_of(work))
    finally:
        os._exit(0)


def _outcome_of(work: Work) -> tuple[_Outcome, list[int]]:
    try:
        answer, file = work()
        files = [sealed_copy("overt-answer", answer)]
    except ProtocolError as error:
        return _Outcome(refusal=error.code, error=error.detail[:1000]), []
    except MemoryUnsafe as error:
        return _Outcome(unsafe=True, error=str(error.strerror)[:1000]), []
    except OSError as error:
        return _Outcome(error=str(error)[:1000] or "failed"), []
    return _Outcome(), files if file is None else [*files, file]


def _tell(connection: socket.socket, outcome: _Outcome, files: list[int]) -> None:
    socket.send_fds(connection, [msgspec.msgpack.encode(outcome)], files)
