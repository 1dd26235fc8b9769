"""What people sign: charter, order, watchlist, cancellation, loan. What the unit signs is in `reports`.

Every struct is the payload of a DSSE envelope (see `envelope`). Times are aware; texts are one language, the public's.
"""

from typing import Annotated

from msgspec import Meta

from overt.protocol import fields as f
from overt.protocol import limits
from overt.protocol.vocabulary import Act, CancellationReason, Category, Characteristic, Role, UseCase


class PublicKey(f.Value, frozen=True, kw_only=True):
    """A key and the post whose holder uses it (a post, not a person's name)."""

    public: f.PublicKeyHex
    post: f.Line


class RoleKeys(f.Value, frozen=True, kw_only=True):
    """Which keys hold a role, and how many different ones must sign."""

    keys: Annotated[tuple[f.KeyId, ...], Meta(min_length=1, max_length=32)]
    threshold: Annotated[int, Meta(ge=1, le=8)] = 1


class ForceLimits(f.Value, frozen=True, kw_only=True):
    """A force's own limits: each can only be tighter than `overt.protocol.limits`."""

    watchlist_max_entries: Annotated[int, Meta(ge=1, le=limits.WATCHLIST_MAX_ENTRIES)] = 2000
    threshold_min: f.Threshold = limits.THRESHOLD_MIN
    window_max_hours: Annotated[int, Meta(ge=1, le=24)] = 24
    image_max_age_days: Annotated[int, Meta(ge=1, le=limits.IMAGE_MAX_AGE.days)] = limits.IMAGE_MAX_AGE.days
    image_max_age_days_under_18: Annotated[int, Meta(ge=1, le=limits.IMAGE_MAX_AGE_UNDER_18.days)] = (
        limits.IMAGE_MAX_AGE_UNDER_18.days
    )


class Charter(f.Value, tag="charter", frozen=True, kw_only=True):
    """A force's root of trust: which keys hold which role, and the force's own limits."""

    force: f.Slug
    title: f.Line
    version: f.Positive
    issued: f.Time
    expires: f.Time
    keys: Annotated[dict[f.KeyId, PublicKey], Meta(min_length=1, max_length=64)]
    roles: dict[Role, RoleKeys]
    limits: ForceLimits = ForceLimits()


class FixedSite(f.Value, tag="fixed_site", frozen=True, kw_only=True):
    """A place attested when the unit was put up."""

    name: f.Line
    latitude: f.Latitude
    longitude: f.Longitude


class Area(f.Value, tag="area", frozen=True, kw_only=True):
    """A place given as a polygon of (latitude, longitude) corners, not crossing itself."""

    name: f.Line
    corners: Annotated[tuple[tuple[f.Latitude, f.Longitude], ...], Meta(min_length=3, max_length=64)]


class Window(f.Value, frozen=True, kw_only=True):
    """From when to when an order is in force: start included, end not."""

    start: f.Time
    end: f.Time


class UnitRef(f.Value, frozen=True, kw_only=True):
    """A unit that may act under an order, by name and by its own signing key."""

    unit: f.Slug
    key: f.PublicKeyHex


class Paper(f.Value, frozen=True, kw_only=True):
    """A paper that the order stands on: its title and the digest of the file that was approved."""

    title: f.Line
    digest: f.Digest


class Notice(f.Value, frozen=True, kw_only=True):
    """What the public is told, and where anyone can check the order in force."""

    text: f.Text
    address: f.Address


class ControlRoom(f.Value, frozen=True, kw_only=True):
    """A control room that may read the alerts of this order."""

    name: f.Slug
    recipient: f.Recipient


class Retention(f.Value, frozen=True, kw_only=True):
    """How long things are kept. The same table drives the deletion and the published text."""

    alerts_hours: Annotated[int, Meta(ge=1, le=24)] = 24
    adjudication_minutes: Annotated[int, Meta(ge=1, le=10)] = 5


class Order(f.Value, tag="order", frozen=True, kw_only=True):
    """The written authority for one deployment."""

    force: f.Slug
    operation: f.Reference
    use_case: UseCase
    purpose: f.Text
    legal_basis: f.Text
    necessity: f.Text
    proportionality: f.Text
    place: FixedSite | Area
    expectation: f.Text
    issued: f.Time
    window: Window
    units: Annotated[tuple[UnitRef, ...], Meta(min_length=1, max_length=1000)]
    model: f.Digest
    threshold: f.Threshold
    categories: Annotated[tuple[Category, ...], Meta(min_length=1, max_length=len(Category))]
    watchlist_max_entries: Annotated[int, Meta(ge=1, le=limits.WATCHLIST_MAX_ENTRIES)]
    false_alert_ceiling: f.Fraction
    impact_assessment: Paper
    equality_assessment: Paper
    policy: Paper
    notice: Notice
    control_rooms: Annotated[tuple[ControlRoom, ...], Meta(min_length=1, max_length=16)]
    operators: Annotated[tuple[f.Line, ...], Meta(min_length=1, max_length=64)]
    retention: Retention = Retention()
    assurance: f.Digest | None = None


class Entry(f.Value, frozen=True, kw_only=True):
    """One person on a watchlist: an opaque reference, why, on what grounds, and the templates. No name, no image."""

    reference: f.Reference
    category: Category
    legal_basis: f.Line
    image_source: f.Line
    image_date: f.Time
    reviewed_by: f.Line
    reviewed: f.Time
    under_18: bool
    expires: f.Time
    quality: f.Fraction
    templates: Annotated[
        tuple[f.Template, ...], Meta(min_length=1, max_length=limits.WATCHLIST_MAX_TEMPLATES_PER_ENTRY)
    ]
    under_18_rationale: f.Line | None = None
    under_18_authorised_by: f.Line | None = None

    def __repr__(self) -> str:
        """Name the entry without its templates: a repr may end up in a log."""
        return f"Entry(reference={self.reference!r}, category={self.category.value!r})"


class Watchlist(f.Value, tag="watchlist", frozen=True, kw_only=True):
    """The people looked for in one deployment. Signed by the force, encrypted to the unit's key for that deployment."""

    force: f.Slug
    order: f.Digest
    made: f.Time
    model: f.Digest
    entries: Annotated[tuple[Entry, ...], Meta(min_length=1, max_length=limits.WATCHLIST_MAX_ENTRIES)]

    def __repr__(self) -> str:
        """Say how many are listed and nothing about them."""
        return f"Watchlist(order={self.order!r}, entries={len(self.entries)})"


class Loan(f.Value, tag="loan", frozen=True, kw_only=True):
    """A lender's grant of units to a borrower for a window (M1, mutual aid).

    It carries the borrower's charter: from acceptance to the end that charter governs the unit, and the lender's does
    not.
    """

    force: f.Slug
    borrower: f.Slug
    charter: Annotated[bytes, Meta(min_length=1, max_length=limits.CHARTER_MAX_BYTES, description="The envelope")]
    agreement: f.Reference
    legal_basis: f.Text
    issued: f.Time
    window: Window
    units: Annotated[tuple[UnitRef, ...], Meta(min_length=1, max_length=1000)]


class Figures(f.Value, frozen=True, kw_only=True):
    """What was counted of some testers. Counts, not rates: who decides on them divides for themselves."""

    passages: Annotated[f.Positive, Meta(description="Times that listed testers passed the zone of recognition")]
    recognised: Annotated[f.Count, Meta(description="Of these, times that they correctly raised an alert")]
    faces: Annotated[f.Positive, Meta(description="Faces seen of people who were not listed")]
    false_alerts: Annotated[f.Count, Meta(description="Of these, faces that raised an alert")]


class Group(f.Value, frozen=True, kw_only=True):
    """The testers who share a characteristic, as they described themselves."""

    characteristic: Characteristic
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,.()/&+-]{0,39}\Z", description="As the report has it")]
    figures: Figures


class Measurement(f.Value, frozen=True, kw_only=True):
    """What was measured at one threshold."""

    threshold: f.Threshold
    overall: Figures
    groups: Annotated[tuple[Group, ...], Meta(min_length=1, max_length=64)]


class Tolerance(f.Value, frozen=True, kw_only=True):
    """By how much the groups of one characteristic may differ and still count as treated equally."""

    recognition_gap: Annotated[float, Meta(ge=0.0, le=limits.RECOGNITION_GAP_MAX, description="Of TRR, best to worst")]
    false_alert_gap: Annotated[float, Meta(ge=0.0, le=limits.FALSE_ALERT_GAP_MAX, description="Of FPIR, the same")]


class Assurance(f.Value, tag="assurance", frozen=True, kw_only=True):
    """An assurance body's report on a model, measured on consenting testers: what thresholds it may be used at.

    A newer report on the same model takes the place of the one before, whatever it says.
    """

    force: f.Slug
    reference: f.Reference
    evaluator: Annotated[f.Line, Meta(description="Who measured, independently of the force and of the maker")]
    model: f.Digest
    data_set: Paper
    testers: Annotated[f.Positive, Meta(description="People who took part, with consent")]
    watchlist_entries: Annotated[int, Meta(ge=1, le=limits.WATCHLIST_MAX_ENTRIES)]
    issued: f.Time
    expires: f.Time
    tolerance: Tolerance
    measurements: Annotated[tuple[Measurement, ...], Meta(min_length=1, max_length=16)]


class Cancellation(f.Value, tag="cancellation", frozen=True, kw_only=True):
    """The end of an order, or of a loan, before its time.

    It needs one officer only: stopping is never made hard. A loan is ended by the lender or by the borrower.
    """

    force: f.Slug
    order: Annotated[f.Digest, Meta(description="The digest of the order or of the loan")]
    issued: f.Time
    reason: CancellationReason


Document = Charter | Order | Watchlist | Cancellation | Loan | Assurance


class SignedTime(f.Value, tag="time", frozen=True, kw_only=True):
    """A technician's word on the time, in answer to a unit's challenge. It is good for that one answer."""

    force: f.Slug
    unit: f.Slug
    challenge: f.Digest
    time: f.Time


class Visit(f.Value, tag="visit", frozen=True, kw_only=True):
    """A technician's word at the cable: I am here, and this is to be done. It is good for one act in one session."""

    force: f.Slug
    key: Annotated[f.PublicKeyHex, Meta(description="The unit's, whose greeting it answers")]
    session: Annotated[f.Digest, Meta(description="Of the fresh keys that encrypt this connection")]
    challenge: Annotated[f.Digest, Meta(description="The number in the unit's greeting")]
    number: Annotated[f.Count, Meta(description="0 for the visit itself; each act after it has a higher one")]
    act: Act
    arguments: Annotated[f.Digest, Meta(description="SHA-256 of what comes with it")]
    time: Annotated[f.Time, Meta(description="What the technician's machine takes the time for")]
