"""The warden's desks from the other side: what the local command line and the console ask it, and hand it by cable."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from overt import __version__
from overt.protocol import envelope, limits
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import (
    Ask,
    AskCheckpoint,
    AskLog,
    AskReceipts,
    AskTime,
    Denied,
    Greet,
    Hello,
    Inbound,
    Message,
    Note,
    Perform,
    ToConsole,
)
from overt.protocol.reports import Challenge, Checkpoint, Receipt, Status
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Act, Kind
from overt.runtime.channel import Channel, ChannelError, close_all, connect_and_say
from overt.runtime.memory import sealed_copy

R = TypeVar("R", Challenge, Checkpoint, Receipt, Status)

_PATIENCE_S = 60.0  # a full watchlist takes seconds to check


class NoAnswer(Exception):
    """The warden is not there, or does not answer."""


class Desk:
    """A connection to one of the warden's desks. To be closed."""

    def __init__(self, run: Path, name: str = "control") -> None:
        """Connect.

        Args:
            run: The folder of the sockets.
            name: `control`, the local command line's, or `console`, where whoever asks has to be let in first.

        Raises:
            NoAnswer: No warden.
        """
        # The union is a value here, and no type: the type checker cannot tell.
        receives: Any = ToConsole
        try:
            hello = Hello(daemon="console" if name == "console" else "control", version=__version__)
            self._channel: Channel[Any] = connect_and_say(run / f"{name}.sock", receives, hello)
        except (ChannelError, OSError) as error:
            raise NoAnswer(f"the warden cannot be reached: {error}") from error
        self._channel.set_timeout(_PATIENCE_S)
        self.lane: int | None = None
        """Where vision shows a technician what it sees, once the warden has opened that."""

    def status(self) -> tuple[Status, bytes]:
        """Return the unit's status, and as the unit signed it.

        Raises:
            NoAnswer: No answer.
            ProtocolError: At the console's desk: nobody was let in.
        """
        return self._signed(Ask(), Kind.STATUS, Status)

    def time(self) -> tuple[Challenge, bytes]:
        """Return a new challenge to sign the time for, and as the unit signed it. Raises as `status`."""
        return self._signed(AskTime(), Kind.CHALLENGE, Challenge)

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """Have the warden sign the head of the log, and keep that with the log. Raises as `status`."""
        return self._signed(AskCheckpoint(), Kind.CHECKPOINT, Checkpoint)

    def deliver(self, leaf: Down, data: bytes) -> tuple[Receipt, bytes]:
        """Hand over a document; return its receipt, and as the unit signed it. Raises as `status`."""
        status, _ = self.status()
        topic = str(Topic(force=status.force, unit=status.unit, leaf=leaf))
        return self._signed(Inbound(topic=topic), Kind.RECEIPT, Receipt, data)

    def greet(self, session: str) -> bytes:
        """Return the unit's signed greeting for a session. Raises as `status`."""
        return self._ask(Greet(session=session))

    def perform(self, visit: bytes, arguments: bytes) -> bytes:
        """Hand over a technician's signed word and what comes with it; return what comes back. Raises as `status`."""
        return self._ask(Perform(visit=visit), arguments)

    def note(self, act: Act) -> None:
        """Have the warden log what the technician who is there looks at. Raises as `status`."""
        self._ask(Note(act=act))

    def log(self, after: int) -> bytes:
        """Return the lines of the log after a record, as many as fit; none when that is all. Raises as `status`."""
        return self._ask(AskLog(after=after))

    def receipts(self, after: int) -> bytes:
        """Return receipts and certificates that wait for a network, as many as fit. Raises as `status`."""
        return self._ask(AskReceipts(after=after))

    def close(self) -> None:
        """Hang up."""
        self.close_lane()
        self._channel.close()

    def close_lane(self) -> None:
        """See no more of what the lens sees: vision notices, and switches the camera off."""
        lane, self.lane = self.lane, None
        if lane is not None:
            os.close(lane)

    def __enter__(self) -> "Desk":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _signed(self, message: Message, kind: Kind, type_: type[R], data: bytes | None = None) -> tuple[R, bytes]:
        report = self._ask(message, data)
        try:
            return envelope.decode(envelope.parse(report, kind), type_), report
        except ProtocolError as error:
            raise NoAnswer(f"the warden answered something else than a {kind.value}: {error.detail}") from error

    def _ask(self, message: Message, data: bytes | None = None) -> bytes:
        files = [] if data is None else [sealed_copy("document", data)]
        try:
            answer = self._exchange(message, files)
        finally:
            close_all(files)
        if isinstance(answer, Denied):
            raise ProtocolError(answer.code, answer.detail)
        return bytes(answer.report)

    def _exchange(self, message: Message, files: Sequence[int]) -> Any:  # noqa: ANN401 - a union of messages
        try:
            self._channel.send(message, files)
            answer, strays = self._channel.receive()
        except (ChannelError, OSError) as error:
            raise NoAnswer(f"the warden does not answer: {error}") from error
        if strays and isinstance(message, Perform):
            self.close_lane()
            self.lane = strays.pop(0)
        close_all(strays)
        return answer


@contextmanager
def _local(run: Path) -> Iterator[Desk]:
    """Yield the local command line's desk. What it denies (a blank unit everything) is no answer either."""
    try:
        with Desk(run) as desk:
            yield desk
    except ProtocolError as error:
        raise NoAnswer(error.detail) from error


def ask_status(run: Path) -> tuple[Status, bytes]:
    """Return the unit's status, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _local(run) as desk:
        return desk.status()


def ask_time(run: Path) -> tuple[Challenge, bytes]:
    """Return a new challenge to sign the time for, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _local(run) as desk:
        return desk.time()


def ask_checkpoint(run: Path) -> None:
    """Have the warden sign the head of the log, and keep the checkpoint with the log.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _local(run) as desk:
        desk.checkpoint()


def deliver(run: Path, leaf: Down, data: bytes) -> tuple[Receipt, bytes]:
    """Hand a document to the warden and return its receipt, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _local(run) as desk:
        return desk.deliver(leaf, data)


def read_document(path: Path) -> bytes:
    """Read a document to deliver. One byte above the largest allowed is read too, so that the warden refuses it.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(limits.WATCHLIST_MAX_BYTES + 1)
