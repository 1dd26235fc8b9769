"""From rows and stills to entries: every row is judged by everything that is known of it, and all reasons are said."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from overt.protocol.authority import Checked
from overt.protocol.documents import Entry, Order, Watchlist
from overt_provisioning import criteria as rules
from overt_provisioning import manifest
from overt_provisioning.criteria import Criteria
from overt_provisioning.findings import Finding, Reason
from overt_provisioning.manifest import Row, RowProblem

if TYPE_CHECKING:
    from overt_provisioning.stills import Still

EnrolAll = Callable[[Iterable[Path | None]], Iterator["Still | None"]]
"""Stills in, what became of each out, in order; None for None."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row of the manifest.

    Attributes:
        row: Its number, counted as a spreadsheet does: the first after the heading is 2.
        reference: As it stands there.
        image: The image's file name, as it stands there.
        accepted: Whether it goes into the list.
        reason: Everything that is wrong with it, in one sentence; None when nothing is.
        quality: Of the face, 0 to 1, when there is a usable one.
        category: Of the person, when the row is well formed.
        under_18: The same.
        refusals: What is wrong with it, one by one.
        notes: What is worth a look although the row is accepted.
    """

    row: int
    reference: str
    image: str
    accepted: bool
    reason: str | None = None
    quality: float | None = None
    category: str | None = None
    under_18: bool | None = None
    refusals: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


class Draft(msgspec.Struct):
    """One entry in the making."""

    row: Row
    templates: list[bytes]
    quality: float
    oldest_image: datetime


class Judged(msgspec.Struct, frozen=True):
    """A line, and the small picture that the office's report shows beside it."""

    line: Line
    picture: bytes | None


class Drafts:
    """The entries in the making, by reference, and the faces among them."""

    def __init__(self, criteria: Criteria) -> None:
        from overt_provisioning.faces import Faces  # noqa: PLC0415 - heavy, and help must be quick

        self._criteria = criteria
        self._faces: Faces = Faces()
        self._entries: dict[str, Draft] = {}

    @property
    def entries(self) -> list[Draft]:
        """The entries, in the order of their first rows."""
        return list(self._entries.values())

    def judge_all(self, rows: Iterable[dict[str, str]], images: Path, enrol_all: EnrolAll) -> Iterator[Judged]:
        """Judge every row, take in those that can be used, and yield what became of each.

        Args:
            rows: Of the manifest, as they stand.
            images: The folder of the images.
            enrol_all: Enrols stills.
        """
        judged, shown = tee(rows)
        names = (manifest.image_name(row) for row in shown)
        stills = enrol_all(images / name if name else None for name in names)
        for number, (plain, still) in enumerate(zip(judged, stills, strict=True), start=2):
            yield Judged(self._line(number, plain, still), still.picture if still else None)

    def _line(self, number: int, plain: dict[str, str], still: "Still | None") -> Line:
        findings = [still.finding] if still and still.finding else []
        row: Row | None = None
        notes: list[Finding] = []
        try:
            row = manifest.parse(plain)
        except RowProblem as problem:
            findings = [*problem.findings, *findings]
        else:
            findings = [*rules.judge(row, self._criteria), *findings]
            notes.extend(rules.notes(row, self._criteria))
        if row and still and still.template and not findings:
            findings = self._take(row, still, notes)
        return Line(
            row=number,
            reference=str(plain.get("reference") or "")[:64],
            image=str(plain.get("image") or "")[:255],
            accepted=not findings,
            reason="; ".join(finding.detail for finding in findings) or None,
            quality=round(still.quality, 3) if still and still.template else None,
            category=row.category.value if row else None,
            under_18=row.under_18 if row else None,
            refusals=tuple(findings),
            notes=tuple(notes),
        )

    def _take(self, row: Row, still: "Still", notes: list[Finding]) -> list[Finding]:
        """Take a row in unless it does not fit those that were taken before; return why not."""
        known = self._entries.get(row.reference)
        first, images = (known.row, len(known.templates)) if known else (None, 0)
        findings = list(rules.judge_among(row, first, images, len(self._entries), self._criteria))
        assert still.template is not None  # noqa: S101 - the caller asked
        findings.extend(self._compare(row.reference, still.template, notes))
        if findings:
            return findings
        if known is None:
            known = self._entries[row.reference] = Draft(row, [], 0.0, row.image_date)
        known.templates.append(still.template)
        known.quality = max(known.quality, still.quality)
        known.oldest_image = min(known.oldest_image, row.image_date)
        self._faces.add(row.reference, still.template)
        return []

    def _compare(self, reference: str, template: bytes, notes: list[Finding]) -> Iterator[Finding]:
        """Refuse an image that is nearer to another entry than two people are, and note one unlike its own entry."""
        from overt_provisioning.faces import OTHER_PERSON, SAME_PERSON  # noqa: PLC0415 - heavy

        found = self._faces.nearest(template, reference)
        if found.other is not None and found.likeness >= SAME_PERSON:
            yield Finding(Reason.DUPLICATE, f"looks like the person of the entry {found.other}: one person, one entry")
        if found.own is not None and found.own < OTHER_PERSON:
            notes.append(Finding(Reason.UNLIKE, f"unlike every earlier image of {reference}: is it the same person?"))


def compile_list(drafts: list[Draft], order: Checked[Order], made: datetime) -> Watchlist:
    """Return the watchlist of these entries."""
    entries = tuple(
        Entry(
            reference=item.row.reference,
            category=item.row.category,
            legal_basis=item.row.legal_basis,
            image_source=item.row.image_source,
            image_date=item.oldest_image,
            reviewed_by=item.row.reviewed_by,
            reviewed=item.row.reviewed,
            under_18=item.row.under_18,
            under_18_rationale=item.row.under_18_rationale,
            under_18_authorised_by=item.row.under_18_authorised_by,
            expires=item.row.expires,
            quality=item.quality,
            templates=tuple(item.templates),
        )
        for item in drafts
    )
    return Watchlist(
        force=order.document.force, order=order.digest, made=made, model=order.document.model, entries=entries
    )
