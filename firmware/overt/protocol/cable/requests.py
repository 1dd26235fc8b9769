"""What a technician's side can ask of a unit, once the connection is encrypted: msgpack, one question, one answer."""

from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from overt.protocol import fields as f
from overt.protocol import limits
from overt.protocol.documents import FixedSite
from overt.protocol.topics import Down

PART_BYTES: Final = 32 * 1024
"""Of a document that goes in parts."""
ARGUMENTS_MAX_BYTES: Final = 448 * 1024
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z.]{0,31}\Z")]


class Question(f.Value, frozen=True, kw_only=True):
    """One question.

    Attributes:
        name: Which of the requests that the unit knows.
        arguments: As that request defines, msgpack.
        visit: The technician's signed word, for what changes the unit.
    """

    name: Name
    arguments: Annotated[bytes, Meta(max_length=ARGUMENTS_MAX_BYTES)] = b""
    visit: Annotated[bytes, Meta(max_length=16 * 1024)] = b""


class Objection(StrEnum):
    """Why the unit does not do what it was asked."""

    REFUSED = "refused"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    NOT_LET_IN = "not_let_in"
    FAILED = "failed"
    SESSION_OVER = "session_over"


class Sorry(f.Value, tag="sorry", frozen=True, kw_only=True):
    """The unit did not do it, and nothing was changed. The detail is one sentence."""

    cause: Objection
    detail: f.Line


class Done(f.Value, tag="done", frozen=True, kw_only=True):
    """The unit did it. What comes back is as the request defines."""

    data: bytes = b""


Reply = Done | Sorry
encode = msgspec.msgpack.Encoder().encode
_question = msgspec.msgpack.Decoder(Question)
_reply: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def read_question(data: bytes) -> Question:
    """Read a question.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _question.decode(data)


def read_reply(data: bytes) -> Reply:
    """Read a reply.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _reply.decode(data)


A = TypeVar("A", bound=f.Value)

# What goes with each request, and what comes back


class Identify(f.Value, frozen=True, kw_only=True):
    """`identify`: make the unit's keys under this name. Comes back: `Identified`. The same again gives the same."""

    unit: f.Slug


class Identified(f.Value, frozen=True, kw_only=True):
    """The unit's name, its public key, and the request for its certificate (PEM)."""

    unit: f.Slug
    key: f.PublicKeyHex
    request: Annotated[bytes, Meta(max_length=16 * 1024)]


_Paper = Annotated[bytes, Meta(max_length=64 * 1024)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]


class Enrol(f.Value, frozen=True, kw_only=True):
    """`enrol`: take the unit into a force, at a site. As `overt-camera enrol`, whose words these are."""

    charter: Annotated[bytes, Meta(max_length=limits.CHARTER_MAX_BYTES)]
    authority: _Paper
    certificate: _Paper
    broker: Word
    site: FixedSite | None = None
    gps: Word | None = None
    indicator: Word | None = None
    tamper: Word | None = None


class Enrolled(f.Value, frozen=True, kw_only=True):
    """Which force has the unit now."""

    force: f.Slug
    title: f.Line


class Part(f.Value, frozen=True, kw_only=True):
    """`part`: so much of something that will be delivered. Empty data asks how much is there. Comes back: `Held`."""

    digest: f.Digest
    size: f.Count
    offset: f.Count
    data: Annotated[bytes, Meta(max_length=PART_BYTES)] = b""


class Held(f.Value, frozen=True, kw_only=True):
    """So many bytes are there."""

    bytes_held: f.Count


class Deliver(f.Value, frozen=True, kw_only=True):
    """`deliver`: take the document whose parts are all there. Comes back: the signed receipt."""

    kind: Down
    digest: f.Digest


class Log(f.Value, frozen=True, kw_only=True):
    """`log`: the log after this record, as many lines as fit; none when that is all."""

    after: f.Count


class Receipts(f.Value, frozen=True, kw_only=True):
    """`receipts`: receipts and certificates that wait for a network, with a number above this one."""

    after: f.Count


class Waiting(f.Value, frozen=True, kw_only=True):
    """One of them, as the unit signed it."""

    number: f.Positive
    signed: Annotated[bytes, Meta(max_length=48 * 1024)]


class Farewell(f.Value, frozen=True, kw_only=True):
    """`decommission`: the log was taken off up to this record. Comes back: the signed certificate."""

    records: f.Count
    head: f.Digest


class Interface(f.Value, frozen=True, kw_only=True):
    """A network interface, and whether it has a link."""

    name: Annotated[str, Meta(max_length=32)]
    up: bool


class Diagnosis(f.Value, frozen=True, kw_only=True):
    """`diagnose`: what the machine knows of its health."""

    version: f.Line
    time: f.Time
    uptime_s: f.Count
    temperature_c: float | None
    memory_free_mib: f.Count
    disk_free_mib: f.Count
    load: float
    interfaces: Annotated[tuple[Interface, ...], Meta(max_length=16)]
