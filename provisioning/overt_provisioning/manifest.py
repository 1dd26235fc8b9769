"""The manifest of a watchlist: one CSV row for each image, with what the law wants said about each person."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from overt.protocol import fields
from overt.protocol.limits import WATCHLIST_MAX_ENTRIES, WATCHLIST_MAX_TEMPLATES_PER_ENTRY
from overt.protocol.vocabulary import Category

COLUMNS = (
    *("reference", "category", "legal_basis", "image_source", "image_date", "reviewed_by", "reviewed"),
    *("under_18", "under_18_rationale", "expires", "image"),
)
MAX_ROWS = WATCHLIST_MAX_ENTRIES * WATCHLIST_MAX_TEMPLATES_PER_ENTRY


class ManifestProblem(Exception):
    """The manifest as a whole cannot be read. The message says what was expected."""


class RowProblem(Exception):
    """One row cannot be used. The message names the field."""


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
    expires: fields.Time
    image: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^/\x00]+\Z")]


def read(path: Path) -> list[dict[str, str]]:
    """Read the rows of a manifest as they stand.

    Raises:
        ManifestProblem: Missing, not CSV, wrong columns, empty, or too many rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            found = tuple(reader.fieldnames or ())
            if set(found) != set(COLUMNS) or len(found) != len(COLUMNS):
                missing, unknown = set(COLUMNS) - set(found), set(found) - set(COLUMNS)
                raise ManifestProblem(
                    f"{path}: expected the columns {', '.join(COLUMNS)}; "
                    f"missing: {', '.join(sorted(missing)) or 'none'}; unknown: {', '.join(sorted(unknown)) or 'none'}"
                )
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
        RowProblem: A field is missing, unknown or out of its bounds.
    """
    if None in row or None in row.values():
        raise RowProblem(f"expected {len(COLUMNS)} fields in this row, found another number")
    plain: dict[str, object] = {key: value.strip() for key, value in row.items()}
    words = {"yes": True, "no": False}
    if plain["under_18"] not in words:
        raise RowProblem("under_18: expected yes or no")
    plain["under_18"] = words[str(plain["under_18"])]
    plain["under_18_rationale"] = plain["under_18_rationale"] or None
    for field in ("image_date", "reviewed", "expires"):
        plain[field] = _time(field, str(plain[field]))
    try:
        return msgspec.convert(plain, Row)
    except msgspec.ValidationError as error:
        raise RowProblem(str(error)) from error


def _time(field: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RowProblem(f"{field}: expected a time such as 2026-11-23T09:00:00+00:00") from None
    if found.tzinfo is None:
        raise RowProblem(f"{field}: expected a time with its zone, such as 2026-11-23T09:00:00+00:00")
    return found
