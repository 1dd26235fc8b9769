"""Sockets between daemons: AF_UNIX SOCK_SEQPACKET, one msgpack message a packet, peers checked by their credentials."""

import array
import contextlib
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

import msgspec

from overt.protocol import messages
from overt.protocol.messages import Message
from overt.runtime.activation import BadHandover, listening_at

M = TypeVar("M")
_CREDENTIALS = struct.Struct("3i")
_MAX_DESCRIPTORS = 4
_BACKLOG = 4


class ChannelError(Exception):
    """A peer cannot be reached, is not who it should be, or does not speak the contract."""


class ChannelClosed(ChannelError):
    """The peer is gone."""


class BadMessage(ChannelError):
    """A packet that is not a message this side may receive. The channel is still usable."""


class Channel(Generic[M]):
    """One end of a connection that receives messages of the union `M`."""

    def __init__(self, connection: socket.socket, receives: type[M]) -> None:
        self._socket = connection
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(receives)

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._socket.fileno()

    def peer(self) -> tuple[int, int]:
        """Return the peer's process id and user id, as the kernel attests them."""
        raw = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        return pid, uid

    def set_timeout(self, seconds: float | None) -> None:
        """Bound the wait of `receive` and `send`; None waits for ever."""
        self._socket.settimeout(seconds)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message, with descriptors passed along.

        Raises:
            ChannelClosed: The peer is gone.
            TimeoutError: The peer does not take it in time.
            ValueError: Larger than `messages.MAX_BYTES`.
        """
        data = messages.encode(message)
        if len(data) > messages.MAX_BYTES:
            raise ValueError(f"expected a message of at most {messages.MAX_BYTES} bytes, found {len(data)}")
        try:
            socket.send_fds(self._socket, [data], list(descriptors), socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosed("the peer is gone") from error

    def receive(self) -> tuple[M, list[int]]:
        """Receive one message and the descriptors that came with it, which are then the caller's to close.

        Raises:
            ChannelClosed: The peer is gone.
            BadMessage: Not a message that this side may receive; its descriptors have been closed.
            TimeoutError: Nothing came in time.
        """
        try:
            data, control, flags, _ = self._socket.recvmsg(
                messages.MAX_BYTES, socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError as error:
            raise ChannelClosed("the peer is gone") from error
        descriptors = _descriptors(control)
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise BadMessage("expected a packet within the limits, found a larger one")
            if not data:
                raise ChannelClosed("the peer is gone")
            return self._decoder.decode(data), descriptors
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            close_all(descriptors)
            raise BadMessage("expected a message of the contract, found other bytes") from error
        except ChannelError:
            close_all(descriptors)
            raise

    def close(self) -> None:
        """Hang up. Calling it twice is fine."""
        self._socket.close()

    def __enter__(self) -> "Channel[M]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Listener:
    """A listening socket at a path: the supervisor's where it has one there, or one of its own."""

    def __init__(self, path: Path, mode: int = 0o660) -> None:
        """Listen, replacing the socket that a killed process left behind.

        Raises:
            ChannelError: Another process listens there, or the path cannot be used.
        """
        self._path = path
        try:
            handed_over = listening_at(path)
        except BadHandover as error:
            raise ChannelError(str(error)) from error
        self._own = handed_over is None
        self._socket = handed_over or _listen(path, mode)

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._socket.fileno()

    def accept(self, receives: type[M], allowed_uids: frozenset[int]) -> Channel[M]:
        """Take the next connection.

        Args:
            receives: The union of messages that the peer may send.
            allowed_uids: Users whose processes may connect.

        Raises:
            ChannelError: The peer runs as another user; it has been hung up on.
        """
        connection, _ = self._socket.accept()
        channel: Channel[M] = Channel(connection, receives)
        _, uid = channel.peer()
        if uid not in allowed_uids:
            channel.close()
            raise ChannelError(f"expected a peer of user {sorted(allowed_uids)}, found user {uid}")
        return channel

    def close(self) -> None:
        """Stop listening and remove the path. Where the supervisor listens, who comes waits for the next daemon."""
        if self._own:
            self._socket.close()
            self._path.unlink(missing_ok=True)


def _listen(path: Path, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        _remove_dead_socket(path)
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen(_BACKLOG)
    except ChannelError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise ChannelError(f"cannot listen at {path}: {error.strerror or error}") from error
    return listener


def connect(path: Path, receives: type[M]) -> Channel[M]:
    """Connect to a listener.

    Raises:
        ChannelError: Nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise ChannelError(f"nobody listens at {path} ({error.strerror or error}): is the daemon running?") from error
    return Channel(connection, receives)


def connect_and_say(path: Path, receives: type[M], *words: Message) -> Channel[M]:
    """Connect to a listener and send the first messages; of a listener that dies meanwhile nothing is left open.

    Raises:
        ChannelError: Nobody listens there, or it is gone already.
        OSError: It could not be sent.
    """
    channel = connect(path, receives)
    try:
        for word in words:
            channel.send(word)
    except BaseException:
        channel.close()
        raise
    return channel


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that came with a message and are not wanted."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _descriptors(control: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _remove_dead_socket(path: Path) -> None:
    if not path.is_socket():
        return
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        probe.connect(str(path))
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except OSError:
        return
    else:
        raise ChannelError(f"another process already listens at {path}: stop it first")
    finally:
        probe.close()
