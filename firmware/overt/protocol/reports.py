"""What the unit signs: receipts, alerts, status, health, checkpoints, certificates of erasure and of return."""

from typing import Annotated

from msgspec import Meta

from overt.protocol import fields as f
from overt.protocol.documents import FixedSite
from overt.protocol.vocabulary import Category, Cause, ClockQuality, Doubt, Ending, Engine, Kind, Part, Refusal, State

Celsius = Annotated[float, Meta(ge=-40.0, le=125.0, description="Degrees Celsius, the hottest of the board's sensors")]
CoolingStep = Annotated[
    int, Meta(ge=0, le=3, description="To stay cool: 0 nothing, 1 and 2 faces are looked for less often, 3 off")
]


class Receipt(f.Value, tag="receipt", frozen=True, kw_only=True):
    """The unit's answer to a document. For an accepted order it carries the key that its watchlist must be sent to."""

    force: f.Slug
    unit: f.Slug
    document: Kind
    digest: f.Digest
    order: f.Digest | None
    accepted: bool
    received: f.Time
    log_position: f.Count
    recipient: f.Recipient | None = None
    refusal: Refusal | None = None
    detail: f.Line | None = None


class Alert(f.Value, tag="alert", frozen=True, kw_only=True):
    """A face in the stream scored above the threshold against an entry: a *possible* match, for a person to judge."""

    id: f.AlertId
    force: f.Slug
    unit: f.Slug
    order: f.Digest
    sequence: f.Positive
    entry: f.Reference
    category: Category
    score: f.Score
    threshold: f.Threshold
    runner_up_margin: Annotated[float, Meta(ge=-2.0, le=2.0)] | None
    model: f.Digest
    watchlist: f.Digest
    captured: f.Time
    decided: f.Time
    published: f.Time
    expires: f.Time
    clock: ClockQuality
    place: FixedSite
    track_ms: f.Count
    track_frames: f.Count
    face_px: Annotated[float, Meta(ge=0.0, le=10000.0, description="Pixels between the eyes")]
    quality: f.Fraction


class Status(f.Value, tag="status", frozen=True, kw_only=True):
    """What the unit is doing and, when recognition is off, why."""

    force: f.Slug
    unit: f.Slug
    sent: f.Time
    state: State
    since: f.Time
    doubts: tuple[Doubt, ...] = ()
    causes: Annotated[
        tuple[Cause, ...], Meta(description="What is behind each doubt, and what else has to be seen to")
    ] = ()
    ending: Ending | None = None
    order: f.Digest | None = None
    last_sequence: f.Count = 0
    indicator_lit: bool = False
    notice: f.Address | None = None
    version: f.Line = "unknown"
    clock: ClockQuality = ClockQuality.UNKNOWN
    lender: f.Slug | None = None
    loan_end: f.Time | None = None
    temperature_c: Celsius | None = None
    cooling_step: CoolingStep = 0


class Health(f.Value, tag="health", frozen=True, kw_only=True):
    """The unit's counters since recognition began. Nothing here is about any one person."""

    force: f.Slug
    unit: f.Slug
    sent: f.Time
    order: f.Digest | None
    last_sequence: f.Count
    frames: f.Count
    frames_dropped: f.Count
    frames_per_second: Annotated[float, Meta(ge=0.0, le=1000.0)]
    frame_age_ms: f.Count
    faces_seen: f.Count
    templates_made: f.Count
    templates_wiped: f.Count
    alerts_waiting: f.Count
    temperature_c: Celsius | None = None
    cooling_step: CoolingStep = 0
    supply_weak: bool = False
    engine: Engine = Engine.CPU


class Check(f.Value, frozen=True, kw_only=True):
    """One thing that the unit has measured of itself, and what it has to be."""

    part: Part
    found: f.Line
    limit: f.Line
    well: bool
    cause: Annotated[Cause | None, Meta(description="Why it is not well, where the unit knows")] = None


class Inspection(f.Value, tag="inspection", frozen=True, kw_only=True):
    """What the unit found when a technician had it test itself. The technician countersigns it on the laptop."""

    force: f.Slug
    unit: f.Slug
    sent: f.Time
    clock: ClockQuality
    version: f.Line
    checks: Annotated[tuple[Check, ...], Meta(min_length=1, max_length=16)]


class Checkpoint(f.Value, tag="checkpoint", frozen=True, kw_only=True):
    """The head of the unit's audit log: published, so that a log cut short later shows."""

    force: f.Slug
    unit: f.Slug
    sent: f.Time
    records: f.Count
    head: f.Digest
    order: f.Digest | None = None
    last_sequence: f.Count = 0


class Erasure(f.Value, tag="erasure", frozen=True, kw_only=True):
    """The unit's word that a deployment's watchlist and key are gone."""

    force: f.Slug
    unit: f.Slug
    order: f.Digest
    watchlist: f.Digest | None
    recipient: f.Recipient
    ending: Ending
    erased: f.Time
    entries: f.Count
    templates_listed: f.Count
    templates_made: f.Count
    templates_wiped: f.Count
    alerts: f.Count
    log_position: f.Count
    log_head: f.Digest


class HandBack(f.Value, tag="handback", frozen=True, kw_only=True):
    """The unit's word that a loan is over and that nothing of the borrower's is left on it. Both forces get one."""

    force: f.Slug
    unit: f.Slug
    lender: f.Slug
    borrower: f.Slug
    loan: f.Digest
    ending: Ending
    ended: f.Time
    deployments: Annotated[f.Count, Meta(description="Orders that were worked under; each has its erasure certificate")]
    undelivered: Annotated[f.Count, Meta(description="Alerts that no broker had taken, and which are gone")]
    log_position: f.Count
    log_head: f.Digest


class Challenge(f.Value, tag="challenge", frozen=True, kw_only=True):
    """A unit that does not know the time asks for it. The number is random: no old answer fits a new challenge."""

    force: f.Slug
    unit: f.Slug
    number: f.Digest
    sent: Annotated[f.Time, Meta(description="What the unit takes the time for")]


class Greeting(f.Value, tag="greeting", frozen=True, kw_only=True):
    """A unit's first word at the cable: who it is. A blank one has no force yet, and perhaps no name."""

    force: f.Slug | None
    unit: f.Slug | None
    key: f.PublicKeyHex
    session: Annotated[f.Digest, Meta(description="Of the fresh keys that encrypt this connection")]
    challenge: Annotated[f.Digest, Meta(description="Random; what a technician signs names it")]
    sent: Annotated[f.Time, Meta(description="What the unit takes the time for")]
    clock: ClockQuality
    version: f.Line
    locked_s: Annotated[f.Count, Meta(description="After too many failures: seconds until a visit is let in")] = 0
    decommissioned: Annotated[bool, Meta(description="It keeps the certificate of its own erasure")] = False


class Decommission(f.Value, tag="decommission", frozen=True, kw_only=True):
    """The unit's last word: its keys, its force's papers and its log are gone. Signed before its key was destroyed."""

    force: f.Slug | None
    unit: f.Slug | None
    key: f.PublicKeyHex
    technician: f.KeyId
    erased: f.Time
    clock: ClockQuality
    orders: Annotated[f.Count, Meta(description="Deployments that it had known; each has its erasure certificate")]
    log_position: f.Count
    log_head: f.Digest


Report = Receipt | Alert | Status | Health | Checkpoint | Erasure | HandBack | Challenge | Greeting | Decommission
