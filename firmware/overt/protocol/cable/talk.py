"""One question at a time, and its answer: cut into frames, numbered, repeated after loss, put together again. Pure.

The technician's side asks, the unit answers, and nobody speaks unasked. A question that gets no answer is sent again:
the unit knows its number and repeats the answer, or says that it is still at work. So nothing is done twice, and on a
line that loses anything all comes to the same end, only later.
"""

import struct
from enum import IntEnum
from typing import Final

import msgspec

from overt.protocol.cable.frames import BODY_MAX_BYTES, Frame, Part
from overt.protocol.cable.secrecy import KEY_BYTES, TAG_BYTES, Fresh, Sealer, session_digest
from overt.protocol.errors import NotReadable

VERSION: Final = 1
MESSAGE_MAX_BYTES: Final = 512 * 1024
"""Of one question or answer. A document that is longer goes in parts."""

_PIECE: Final = BODY_MAX_BYTES - TAG_BYTES - 1
_REFUSAL: Final = struct.Struct(">BH")


class Flag(IntEnum):
    """How a piece stands to the message that it is of."""

    LAST = 0
    MORE = 1
    GO_ON = 2


class Why(IntEnum):
    """Why the unit does not talk. It is said in the clear and signed by nobody: a hint, never a reason to trust."""

    VERSION = 1
    TOO_MANY = 2
    NO_SESSION = 3
    UNREADABLE = 4
    NO_WARDEN = 5


class Refused(msgspec.Struct, frozen=True):
    """The unit does not talk.

    Attributes:
        why: Why not.
        seconds: When it is worth trying again; 0 when that is not known.
    """

    why: Why
    seconds: int


def refusal(frame: Frame, why: Why, seconds: int = 0) -> Frame:
    """Return the unit's refusal of a frame."""
    body = _REFUSAL.pack(why, min(max(seconds, 0), 2**16 - 1))
    return Frame(Part.REFUSAL, frame.connection, frame.number, body)


def pieces_of(message: bytes) -> list[bytes]:
    """Cut a message into pieces that fit into frames, each with its flag.

    Raises:
        ValueError: Longer than `MESSAGE_MAX_BYTES`.
    """
    if len(message) > MESSAGE_MAX_BYTES:
        raise ValueError(f"expected a message of at most {MESSAGE_MAX_BYTES:,} bytes, found {len(message):,}")
    starts = range(0, max(len(message), 1), _PIECE)
    return [bytes([Flag.MORE if s + _PIECE < len(message) else Flag.LAST]) + message[s : s + _PIECE] for s in starts]


class Asker:
    """The technician's side of one connection. `outgoing` is to be sent, and sent again, until `take` is done."""

    def __init__(self, connection: int) -> None:
        self._connection, self._fresh = connection, Fresh()
        self._sealer: Sealer | None = None
        self._left: list[bytes] = []
        self._heard = bytearray()
        self._number = 0
        self.session = ""
        self.outgoing = Frame(Part.HELLO, connection, 0, bytes([VERSION]) + self._fresh.public)

    def ask(self, message: bytes) -> None:
        """Begin a question.

        Raises:
            ValueError: It is too long.
        """
        self._left = pieces_of(message)
        self._heard.clear()
        self._send(self._left.pop(0))

    def take(self, frame: Frame) -> bytes | Refused | Part | None:
        """Take a frame that came.

        Returns:
            The whole answer (to a hello: the unit's greeting); why the unit does not talk; `Part.WAIT` when it is at
            work; `Part.ANSWER` when a piece went over and `outgoing` is the next; None for what does not matter.

        Raises:
            NotReadable: It is no answer of the unit that this session is with.
        """
        if (frame.connection, frame.number) != (self._connection, self._number):
            return None
        match frame.part:
            case Part.WAIT:
                return Part.WAIT
            case Part.REFUSAL:
                return _read_refusal(frame)
            case Part.WELCOME if self._number == 0:
                return self._welcome(frame)
            case Part.ANSWER if self._sealer is not None and self._number > 0:
                return self._answer(self._sealer.open(frame))
        return None

    def _welcome(self, frame: Frame) -> bytes:
        unit, sealed = frame.body[:KEY_BYTES], frame.body[KEY_BYTES:]
        session = session_digest(self._connection, self._fresh.public, unit)
        sealer = self._fresh.agree(unit, session)
        greeting = sealer.open(frame, sealed)
        self._sealer, self.session = sealer, session
        return greeting

    def _answer(self, plain: bytes) -> bytes | Part:
        flag, piece = plain[0], plain[1:]
        if flag == Flag.GO_ON and self._left:
            self._send(self._left.pop(0))
            return Part.ANSWER
        self._heard += piece
        if len(self._heard) > MESSAGE_MAX_BYTES:
            raise NotReadable("the unit's answer is longer than any answer is")
        if flag == Flag.MORE:
            self._send(bytes([Flag.GO_ON]))
            return Part.ANSWER
        return bytes(self._heard)

    def _send(self, plain: bytes) -> None:
        if self._sealer is None:
            raise NotReadable("there is no session yet")
        self._number += 1
        self.outgoing = self._sealer.seal(Frame(Part.ASK, self._connection, self._number), plain)


class Hello(msgspec.Struct, frozen=True):
    """A technician's side begins a connection.

    Attributes:
        frame: What came.
        session: The digest that the unit has to sign.
    """

    frame: Frame
    session: str


class Answerer:
    """The unit's side. One connection at a time: a new hello takes the place of the one before."""

    def __init__(self) -> None:
        self._hello: Frame | None = None
        self._fresh = Fresh()
        self._sealer: Sealer | None = None
        self._number = 0
        self._reply: Frame | None = None
        self._left: list[bytes] = []
        self._heard = bytearray()

    def take(self, frame: Frame) -> Frame | Hello | bytes | None:
        """Take a frame that came.

        Returns:
            A frame to send; a hello, to be answered with `welcome`; a whole question, to be answered with `answer`;
            None for a frame that does not matter.
        """
        match frame.part:
            case Part.HELLO:
                return self._take_hello(frame)
            case Part.ASK:
                return self._take_ask(frame)
        return None

    def _take_ask(self, frame: Frame) -> Frame | bytes | None:
        hello = self._hello
        if hello is None or self._sealer is None or frame.connection != hello.connection:
            return refusal(frame, Why.NO_SESSION)
        if frame.number == self._number and frame.number > 0:
            return self._reply or Frame(Part.WAIT, frame.connection, frame.number)
        if frame.number != self._number + 1 or (self._reply is None and self._number > 0):
            return None
        try:
            plain = self._sealer.open(frame)
        except NotReadable:
            return refusal(frame, Why.UNREADABLE)
        self._number = frame.number
        return self._take_piece(plain)

    def welcome(self, hello: Hello, greeting: bytes) -> Frame | None:
        """Return the answer to a hello, with the unit's signed greeting; None when another hello has come since."""
        if self._hello != hello.frame:
            return None
        try:
            sealer = self._fresh.agree(hello.frame.body[1:], hello.session)
        except NotReadable:
            return refusal(hello.frame, Why.UNREADABLE)
        blank = Frame(Part.WELCOME, hello.frame.connection, 0)
        sealed = sealer.seal(blank, greeting)
        self._sealer = sealer
        self._reply = Frame(blank.part, blank.connection, blank.number, self._fresh.public + sealed.body)
        return self._reply

    def answer(self, message: bytes) -> Frame:
        """Return the first frame of an answer to the question in hand.

        Raises:
            ValueError: It is too long.
        """
        self._left = pieces_of(message)
        return self._send(self._left.pop(0))

    def forget(self) -> None:
        """End the connection, if there is one."""
        self._hello, self._sealer, self._reply = None, None, None
        self._number = 0
        self._left.clear()
        self._heard.clear()

    def _take_hello(self, frame: Frame) -> Frame | Hello | None:
        if frame == self._hello:
            return self._reply if self._number == 0 else None  # sent again before our welcome arrived, or much delayed
        if len(frame.body) != 1 + KEY_BYTES or frame.number != 0:
            return None
        if frame.body[0] != VERSION:
            return refusal(frame, Why.VERSION)
        self.forget()
        self._hello, self._fresh = frame, Fresh()
        return Hello(frame, session_digest(frame.connection, frame.body[1:], self._fresh.public))

    def _take_piece(self, plain: bytes) -> Frame | bytes | None:
        self._reply = None
        flag, piece = plain[0] if plain else Flag.LAST, plain[1:]
        if flag == Flag.GO_ON and self._left:
            return self._send(self._left.pop(0))
        self._heard += piece
        if len(self._heard) > MESSAGE_MAX_BYTES:
            self.forget()
            return None
        if flag == Flag.MORE:
            return self._send(bytes([Flag.GO_ON]))
        message = bytes(self._heard)
        self._heard.clear()
        return message

    def _send(self, plain: bytes) -> Frame:
        if self._sealer is None or self._hello is None:
            raise NotReadable("there is no session")
        self._reply = self._sealer.seal(Frame(Part.ANSWER, self._hello.connection, self._number), plain)
        return self._reply


def _read_refusal(frame: Frame) -> Refused | None:
    try:
        why, seconds = _REFUSAL.unpack(frame.body)
        return Refused(Why(why), seconds)
    except (struct.error, ValueError):
        return None
