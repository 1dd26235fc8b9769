"""The manifest of a watchlist: one CSV row for each image, with what the law wants said about each person."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from overt.protocol import fields
from overt.protocol.limits import WATCHLIST_MAX_ENTRIES, WATCHLIST_MAX_TEMPLATES_PER_ENTRY
from overt.protocol.vocabulary import Category
from overt_provisioning.findings import Finding, Reason

OPTIONAL = ("under_18_authorised_by",)
COLUMNS = (
    *("reference", "category", "legal_basis", "image_source", "image_date", "reviewed_by", "reviewed"),
    *("under_18", "under_18_rationale", *OPTIONAL, "expires", "image"),
)
MAX_ROWS = WATCHLIST_MAX_ENTRIES * WATCHLIST_MAX_TEMPLATES_PER_ENTRY

_PLACEHOLDERS = frozenset(
    (
        *("n/a", "na", "n.a", "none", "nil", "null", "unknown", "not known", "unsure", "tbc", "tbd", "todo", "to do"),
        *("to be confirmed", "to follow", "pending", "xx", "xxx", "test", "various", "internet", "other"),
    )
)
"""What is written where nothing is known. None of it is a source, a basis, a post or a rationale."""
_FEWEST_LETTERS = 2
_IMAGE_NAME = r"^[^/\x00-\x1f\x7f]+\Z"


class ManifestProblem(Exception):
    """The manifest as a whole cannot be read. The message says what was expected."""


class RowProblem(Exception):
    """One row cannot be used.

    Attributes:
        findings: Everything that is wrong with it; each names the field.
    """

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(finding.detail for finding in findings))
        self.findings = findings


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image of one person."""

    reference: fields.Reference
    category: Category
    legal_basis: fields.Line
    image_source: fields.Line
    image_date: fields.Time
    reviewed_by: fields.Line
    reviewed: fields.Time
    under_18: bool
    under_18_rationale: fields.Line | None
    under_18_authorised_by: fields.Line | None
    expires: fields.Time
    image: Annotated[str, Meta(min_length=1, max_length=255, pattern=_IMAGE_NAME)]


_TYPES = get_type_hints(Row, include_extras=True)
_TIMES = frozenset({"image_date", "reviewed", "expires"})
_WORDS = {"yes": True, "no": False}
_BLANK = {
    "legal_basis": Reason.NO_LAWFUL_SOURCE,
    "image_source": Reason.NO_LAWFUL_SOURCE,
    "reviewed_by": Reason.NOT_REVIEWED,
    "reviewed": Reason.NOT_REVIEWED,
}
"""Fields whose want has a name of its own."""
_WANTED = {
    "legal_basis": "the legal basis on which the person is listed (O5)",
    "image_source": "where the image comes from (O5)",
    "reviewed_by": "the post that reviewed the entry (O5)",
    "reviewed": "when the entry was reviewed (O5)",
}


def read(path: Path) -> list[dict[str, str]]:
    """Read the rows of a manifest as they stand.

    Raises:
        ManifestProblem: Missing, not CSV, wrong columns, empty, or too many rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, tuple(reader.fieldnames or ()))
            rows = []
            for row in reader:
                rows.append(row)
                if len(rows) > MAX_ROWS:
                    raise ManifestProblem(f"{path}: expected at most {MAX_ROWS:,} rows, found more")
    except OSError as error:
        raise ManifestProblem(f"expected a manifest in {path}, cannot read it: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ManifestProblem(f"expected CSV in UTF-8 in {path}: {error}") from error
    if not rows:
        raise ManifestProblem(f"{path}: expected at least one row, found none")
    return rows


def parse(row: dict[str, str]) -> Row:
    """Check one row.

    Raises:
        RowProblem: Fields are missing, unknown or out of their bounds: all of them at once.
    """
    if None in row or None in row.values():
        raise RowProblem([Finding(Reason.MALFORMED, "expected as many fields in this row as there are columns")])
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name in COLUMNS:
        text = row.get(name, "").strip()
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            reason = _BLANK.get(name, Reason.MALFORMED) if not text or is_placeholder(text) else Reason.MALFORMED
            findings.append(Finding(reason, f"{name}: {error}"))
    if findings:
        raise RowProblem(findings)
    return Row(**values)


def image_name(row: dict[str, str]) -> str | None:
    """Return the name of a row's image, however wrong the rest of the row is; None when it names none."""
    try:
        return str(_value("image", (row.get("image") or "").strip()))
    except ValueError:
        return None


def is_placeholder(text: str) -> bool:
    """Tell whether a text only fills a field: it says nothing, or what people write where they know nothing."""
    letters = sum(character.isalnum() for character in text)
    return letters < _FEWEST_LETTERS or text.strip(" .?!-()").casefold() in _PLACEHOLDERS


def _check_columns(path: Path, found: tuple[str, ...]) -> None:
    missing, unknown = set(COLUMNS) - set(found) - set(OPTIONAL), set(found) - set(COLUMNS)
    if missing or unknown or len(set(found)) != len(found):
        raise ManifestProblem(
            f"{path}: expected the columns {', '.join(COLUMNS)}, each once; "
            f"missing: {', '.join(sorted(missing)) or 'none'}; unknown: {', '.join(sorted(unknown)) or 'none'}"
        )


def _value(name: str, text: str) -> object:
    """Return a field's value.

    Raises:
        ValueError: Not one. The message says what was expected.
    """
    if name == "under_18":
        if text.casefold() not in _WORDS:
            raise ValueError("expected yes or no")
        return _WORDS[text.casefold()]
    if name in _TIMES:
        return _time(text)
    if name.startswith("under_18_") and not text:
        return None
    if name in _BLANK and is_placeholder(text):
        raise ValueError(f"expected {_WANTED[name]}, found {'nothing' if not text else 'a word that says nothing'}")
    try:
        value: object = msgspec.convert(text, _TYPES[name])
    except msgspec.ValidationError as error:
        raise ValueError(_lower(str(error))) from None
    if name == "image" and text in {".", ".."}:
        raise ValueError("expected the name of a file")
    return value


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("expected a time such as 2026-11-23T09:00:00+00:00") from None
    if found.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-11-23T09:00:00+00:00")
    return found
