"""The local command line's side of control.sock: ask the warden, or hand it a document by cable."""

from pathlib import Path
from typing import TypeVar

from overt import __version__
from overt.protocol import envelope, limits
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import Ask, AskCheckpoint, AskTime, Hello, Inbound, ToControl
from overt.protocol.reports import Challenge, Checkpoint, Receipt, Status
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Kind
from overt.runtime.channel import Channel, ChannelError, close_all, connect_and_say
from overt.runtime.memory import sealed_copy

R = TypeVar("R", Challenge, Checkpoint, Receipt, Status)

_PATIENCE_S = 60.0  # a full watchlist takes seconds to check


class NoAnswer(Exception):
    """The warden is not there, or does not answer."""


def ask_status(run: Path) -> tuple[Status, bytes]:
    """Return the unit's status, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _connect(run) as channel:
        return _status(channel)


def ask_time(run: Path) -> tuple[Challenge, bytes]:
    """Return a new challenge to sign the time for, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _connect(run) as channel:
        report = _ask(channel, AskTime())
    return _read(report, Kind.CHALLENGE, Challenge), report


def ask_checkpoint(run: Path) -> None:
    """Have the warden sign the head of the log, and keep the checkpoint with the log.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _connect(run) as channel:
        _read(_ask(channel, AskCheckpoint()), Kind.CHECKPOINT, Checkpoint)


def deliver(run: Path, leaf: Down, data: bytes) -> tuple[Receipt, bytes]:
    """Hand a document to the warden and return its receipt, and as the unit signed it.

    Raises:
        NoAnswer: No warden, or no answer.
    """
    with _connect(run) as channel:
        status, _ = _status(channel)
        topic = str(Topic(force=status.force, unit=status.unit, leaf=leaf))
        descriptor = sealed_copy("document", data)
        try:
            report = _ask(channel, Inbound(topic=topic), [descriptor])
        finally:
            close_all([descriptor])
    return _read(report, Kind.RECEIPT, Receipt), report


def read_document(path: Path) -> bytes:
    """Read a document to deliver. One byte above the largest allowed is read too, so that the warden refuses it.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(limits.WATCHLIST_MAX_BYTES + 1)


def _connect(run: Path) -> Channel[ToControl]:
    try:
        hello = Hello(daemon="control", version=__version__)
        channel: Channel[ToControl] = connect_and_say(run / "control.sock", ToControl, hello)
    except (ChannelError, OSError) as error:
        raise NoAnswer(f"the warden cannot be reached: {error}") from error
    channel.set_timeout(_PATIENCE_S)
    return channel


def _status(channel: Channel[ToControl]) -> tuple[Status, bytes]:
    report = _ask(channel, Ask())
    return _read(report, Kind.STATUS, Status), report


def _read(report: bytes, kind: Kind, type_: type[R]) -> R:
    try:
        return envelope.decode(envelope.parse(report, kind), type_)
    except ProtocolError as error:
        raise NoAnswer(f"the warden answered something else than a {kind.value}: {error.detail}") from error


def _ask(
    channel: Channel[ToControl], message: Ask | AskTime | AskCheckpoint | Inbound, descriptors: list[int] | None = None
) -> bytes:
    try:
        channel.send(message, descriptors or [])
        answer, strays = channel.receive()
    except (ChannelError, OSError) as error:
        raise NoAnswer(f"the warden does not answer: {error}") from error
    close_all(strays)
    return answer.report
