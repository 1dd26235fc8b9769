"""Frames on a serial line: a header, a body, a checksum, stuffed so that a zero byte stands between frames only. Pure.

Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999) keeps zeros out
of a frame, so a reader that comes in the middle, or after the cable was torn, is in step again at the next zero. CRC-32
finds what the line has changed. It is no protection against people: `secrecy` is.
"""

import struct
import zlib
from enum import IntEnum
from typing import Final

import msgspec

BODY_MAX_BYTES: Final = 2048
"""Of one frame: a fifth of a second at 115,200 baud, so a frame that is lost costs no more than that."""

_HEADER: Final = struct.Struct(">BIQ")
_CHECK_BYTES: Final = 4
_CONTENT_MAX: Final = _HEADER.size + BODY_MAX_BYTES + _CHECK_BYTES
STUFFED_MAX_BYTES: Final = _CONTENT_MAX + _CONTENT_MAX // 254 + 1
_BLOCK: Final = 254
_NOISE_KEPT: Final = 400


class Part(IntEnum):
    """What a frame is. The technician's side sends the odd ones, the unit the even ones."""

    HELLO = 1
    WELCOME = 2
    ASK = 3
    ANSWER = 4
    WAIT = 6
    REFUSAL = 8


class Frame(msgspec.Struct, frozen=True):
    """One frame.

    Attributes:
        part: What it is.
        connection: A number drawn by the technician's side; what is of another connection is not listened to.
        number: Each question has the next; its answer has the same.
        body: Up to `BODY_MAX_BYTES`.
    """

    part: Part
    connection: int
    number: int
    body: bytes = b""

    @property
    def heading(self) -> bytes:
        """The header's bytes, which encryption binds the body to."""
        return _HEADER.pack(self.part, self.connection, self.number)


def encode(frame: Frame) -> bytes:
    """Return a frame as bytes for the line.

    Raises:
        ValueError: Its body is too long.
    """
    if len(frame.body) > BODY_MAX_BYTES:
        raise ValueError(f"expected a body of at most {BODY_MAX_BYTES} bytes, found {len(frame.body)}")
    content = frame.heading + frame.body
    return b"\0" + stuff(content + zlib.crc32(content).to_bytes(_CHECK_BYTES, "big")) + b"\0"


def stuff(data: bytes) -> bytes:
    """Return the bytes without a zero in them."""
    stuffed = bytearray()
    for piece in data.split(b"\0"):
        for start in range(0, len(piece) - len(piece) % _BLOCK, _BLOCK):
            stuffed.append(_BLOCK + 1)
            stuffed += piece[start : start + _BLOCK]
        rest = piece[len(piece) - len(piece) % _BLOCK :]
        stuffed.append(len(rest) + 1)
        stuffed += rest
    return bytes(stuffed)


def unstuff(data: bytes) -> bytes | None:
    """Return what `stuff` was given; None when these bytes are not of its making."""
    plain, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if code == 0 or len(block) != code - 1:
            return None
        plain += block
        at += code
        if code <= _BLOCK and at < len(data):
            plain.append(0)
    return bytes(plain)


def decode(stuffed: bytes) -> Frame | None:
    """Return the frame between two zeros; None when it is none, or was damaged on its way."""
    content = unstuff(stuffed) if len(stuffed) <= STUFFED_MAX_BYTES else None
    if content is None or not _HEADER.size + _CHECK_BYTES <= len(content) <= _CONTENT_MAX:
        return None
    content, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    part, connection, number = _HEADER.unpack_from(content)
    if zlib.crc32(content).to_bytes(_CHECK_BYTES, "big") != check or part not in set(Part):
        return None
    return Frame(Part(part), connection, number, content[_HEADER.size :])


class Framer:
    """Finds frames in what a line brings; of what is none it keeps the end, to tell a person what it was."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._drowned = False
        self.noise = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that are complete now."""
        *ended, rest = data.split(b"\0")
        found = [frame for piece in ended if (frame := self._end(piece)) is not None]
        self._hold(rest)
        return found

    def _end(self, piece: bytes) -> Frame | None:
        self._hold(piece)
        held, drowned = bytes(self._held), self._drowned
        self._held.clear()
        self._drowned = False
        frame = None if drowned else decode(held)
        if frame is None and held:
            self._keep(held)
        return frame

    def _hold(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) > STUFFED_MAX_BYTES:
            self._drowned = True  # no frame is so long: wait for the next zero, and hold no more than is worth showing
            self._keep(bytes(self._held))
            del self._held[:-1]

    def _keep(self, noise: bytes) -> None:
        self.noise = (self.noise + noise)[-_NOISE_KEPT:]

    @property
    def heard(self) -> bytes:
        """What came last and is no frame, or none yet."""
        return (self.noise + bytes(self._held))[-_NOISE_KEPT:]
