"""Messages between the daemons of one unit: msgpack over AF_UNIX SOCK_SEQPACKET, one message type per hop.

Big things (a watchlist, the gallery) travel as memory files passed along with the message.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from overt.protocol import fields as f
from overt.protocol.light import Exposure
from overt.protocol.vocabulary import Act, Cause, Doubt, Engine, Refusal

MAX_BYTES = 64 * 1024
"""A packet larger than this is refused."""

Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1, description="Unix time in nanoseconds")]


class Hello(f.Value, tag="hello", frozen=True, kw_only=True):
    """The first message of a daemon to the warden. The uplink says at whose broker it is."""

    daemon: Literal["vision", "uplink", "control", "console"]
    version: f.Line
    model: f.Digest | None = None
    force: f.Slug | None = None


class Begin(f.Value, tag="begin", frozen=True, kw_only=True):
    """Warden to vision: recognise. Comes with the gallery as a sealed memory file."""

    order: f.Digest
    threshold: f.Threshold


class Began(f.Value, tag="began", frozen=True, kw_only=True):
    """Vision to warden: the first frame has come."""

    order: f.Digest
    captured_ns: Nanoseconds


class Stop(f.Value, tag="stop", frozen=True, kw_only=True):
    """Warden to vision: recognise no more, forget everything."""


class Effort(f.Value, tag="effort", frozen=True, kw_only=True):
    """Warden to vision: look for faces less often, to stay cool; 0 is full effort. Holds until the next."""

    step: Annotated[int, Meta(ge=0, le=2)]


class Aim(f.Value, tag="aim", frozen=True, kw_only=True):
    """Warden to vision: show a technician what the lens sees, and match nothing. Comes with the lane to show it in.

    Vision lets go of its embedder, and starts anew before it recognises again (docs/adr/0023).
    """

    seconds: Annotated[int, Meta(ge=1, le=3600)]


class Cleared(f.Value, tag="cleared", frozen=True, kw_only=True):
    """Vision to warden: nothing of the order is left here. Counters are of all the time since `Begin`."""

    order: f.Digest
    frames: f.Count
    faces_seen: f.Count
    templates_made: f.Count
    templates_wiped: f.Count


class Sighting(f.Value, tag="sighting", frozen=True, kw_only=True):
    """Vision to warden: a track scored above the threshold against the entry with this index."""

    order: f.Digest
    entry: Annotated[int, Meta(ge=0, lt=2**31)]
    score: f.Score
    runner_up_score: f.Score | None
    captured_ns: Nanoseconds
    decided_ns: Nanoseconds
    track_ms: f.Count
    track_frames: f.Count
    face_px: Annotated[float, Meta(ge=0.0, le=10000.0)]
    quality: f.Fraction


class Progress(f.Value, tag="progress", frozen=True, kw_only=True):
    """Vision to warden, about once a second: it moves, and how far. Counters since `Begin`."""

    frames: f.Count
    frames_dropped: f.Count
    frames_per_second: Annotated[float, Meta(ge=0.0, le=1000.0)]
    frame_age_ms: f.Count
    faces_seen: f.Count
    templates_made: f.Count
    templates_wiped: f.Count
    engine: Engine = Engine.CPU
    light: Annotated[Exposure | None, Meta(description="Of a view that a technician looks at; of no other")] = None


class Trouble(f.Value, tag="trouble", frozen=True, kw_only=True):
    """Vision to warden: it cannot see. It stays so until `Recovered`, or until vision starts anew."""

    doubt: Doubt
    cause: Cause
    detail: f.Line


class Recovered(f.Value, tag="recovered", frozen=True, kw_only=True):
    """Vision to warden: the trouble is over."""

    doubt: Doubt


class Publish(f.Value, tag="publish", frozen=True, kw_only=True):
    """Warden to uplink: deliver these bytes at least once. The uplink cannot open an alert."""

    id: f.Positive
    topic: Annotated[str, Meta(max_length=128)]
    payload: Annotated[bytes, Meta(max_length=48 * 1024)]
    retain: bool = False
    expires_in_s: f.Positive | None = None


class Delivered(f.Value, tag="delivered", frozen=True, kw_only=True):
    """Uplink to warden: the broker has acknowledged it."""

    id: f.Positive


class Undeliverable(f.Value, tag="undeliverable", frozen=True, kw_only=True):
    """Uplink to warden: the broker has refused it for good, with this MQTT reason code."""

    id: f.Positive
    reason_code: Annotated[int, Meta(ge=0, le=255)]


class Link(f.Value, tag="link", frozen=True, kw_only=True):
    """Uplink to warden: the connection to the broker came or went."""

    up: bool
    detail: f.Line
    refused: bool = False


class Inbound(f.Value, tag="inbound", frozen=True, kw_only=True):
    """Uplink (or the technician's cable) to warden: a document has come. Its bytes are in the memory file."""

    topic: Annotated[str, Meta(max_length=128)]


class Ask(f.Value, tag="ask", frozen=True, kw_only=True):
    """The local command line to the warden: what are you doing? Answered with `Answer`."""


class AskTime(f.Value, tag="ask_time", frozen=True, kw_only=True):
    """The local command line to the warden: make a challenge, for a technician to sign the time. As with `Ask`."""


class AskCheckpoint(f.Value, tag="ask_checkpoint", frozen=True, kw_only=True):
    """The local command line to the warden: sign the head of the log, which is about to be exported. As with `Ask`."""


class AskLog(f.Value, tag="ask_log", frozen=True, kw_only=True):
    """The console to the warden: the log after this record, as many lines as fit. Answered with `Answer`."""

    after: f.Count


class AskReceipts(f.Value, tag="ask_receipts", frozen=True, kw_only=True):
    """The console to the warden: receipts and certificates that wait for a network. Answered with `Answer`."""

    after: f.Count


class Greet(f.Value, tag="greet", frozen=True, kw_only=True):
    """The console to the warden: somebody is at the cable; sign a greeting. Answered with `Answer`."""

    session: f.Digest


class Perform(f.Value, tag="perform", frozen=True, kw_only=True):
    """The console to the warden: a technician's word, to be checked, logged and, if it is the warden's to do, done.

    What comes with the word is in the memory file. Answered with `Answer` or `Denied`.
    """

    visit: Annotated[bytes, Meta(max_length=16 * 1024)]


class Note(f.Value, tag="note", frozen=True, kw_only=True):
    """The console to the warden: the technician who is there looks at something. Answered with `Answer` or `Denied`."""

    act: Act


class Denied(f.Value, tag="denied", frozen=True, kw_only=True):
    """The warden to the console: no, and why."""

    code: Refusal
    detail: f.Line


class Answer(f.Value, tag="answer", frozen=True, kw_only=True):
    """The warden to the local command line: a signed report (status, challenge, checkpoint or receipt) as JSON."""

    report: Annotated[bytes, Meta(max_length=48 * 1024)]


FromVision = Hello | Began | Cleared | Sighting | Progress | Trouble | Recovered
ToVision = Begin | Stop | Effort | Aim
FromUplink = Hello | Delivered | Undeliverable | Link | Inbound
ToUplink = Publish
FromControl = Hello | Ask | AskTime | AskCheckpoint | Inbound
ToControl = Answer
ToConsole = Answer | Denied
FromConsole = Hello | Greet | Perform | Note | Ask | AskTime | AskCheckpoint | AskLog | AskReceipts | Inbound
Message = (
    Hello
    | Begin
    | Began
    | Stop
    | Effort
    | Aim
    | Cleared
    | Sighting
    | Progress
    | Trouble
    | Recovered
    | Publish
    | Delivered
    | Undeliverable
    | Link
    | Inbound
    | Ask
    | AskTime
    | AskCheckpoint
    | AskLog
    | AskReceipts
    | Greet
    | Perform
    | Note
    | Denied
    | Answer
)

encode = msgspec.msgpack.Encoder().encode
"""Turn a message into the bytes of one packet."""
