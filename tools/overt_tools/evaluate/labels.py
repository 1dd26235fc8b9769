"""Labels of people in a set, as they describe themselves: read from a file, never inferred from a picture."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import EvaluateError

_NOT_CHARACTERISTICS = ("image", "subject")


@dataclass(frozen=True, slots=True)
class Labels:
    """Which groups the people on the images belong to.

    Attributes:
        characteristics: What the file labels, in its order.
        groups: For each labelled image, its group by characteristic; a characteristic that is empty there is left out.
        unlabelled: Images of the set of which the file says nothing.
        unknown: Images in the file that the set does not have.
    """

    characteristics: tuple[str, ...]
    groups: Mapping[str, Mapping[str, str]] = field(repr=False)
    unlabelled: tuple[str, ...] = field(repr=False)
    unknown: tuple[str, ...] = field(repr=False)

    def group(self, image: str, characteristic: str) -> str | None:
        """Return an image's group, or None if it has no label."""
        return self.groups.get(image, {}).get(characteristic)


def read_labels(path: Path, images: Iterable[str]) -> Labels:
    """Read a CSV file of labels: a column image ("subject/image.jpg"), perhaps subject, and one per characteristic.

    Args:
        path: The file.
        images: Those of the set.

    Raises:
        EvaluateError: The file cannot be read, has no column image or no characteristic, or contradicts itself.
    """
    header, rows = read_table(path)
    characteristics = tuple(name for name in header if name not in _NOT_CHARACTERISTICS)
    if "image" not in header or not characteristics:
        raise EvaluateError(
            f"expected columns image and at least one characteristic in {path}, found {', '.join(header) or 'none'}"
        )
    groups: dict[str, dict[str, str]] = {}
    for number, row in rows:
        labels = {name: row[name].strip() for name in characteristics if row[name].strip()}
        if groups.setdefault(row["image"], labels) != labels:
            raise EvaluateError(f"expected one label for {row['image']} in {path}, found another in line {number}")
    wanted = set(images)
    unlabelled = tuple(sorted(image for image in wanted if not groups.get(image)))
    unknown = tuple(sorted(set(groups) - wanted))
    if len(unknown) == len(groups):
        example = f", such as {unknown[0]}" if unknown else ""
        raise EvaluateError(
            f"expected labels in {path} for images of the set, found {len(groups)} for others{example}: "
            "the column image holds paths below the folder of the set (subject/image.jpg)"
        )
    return Labels(characteristics, groups, unlabelled, unknown)


def counted(labels: Labels, images: Sequence[str]) -> dict[str, Any]:
    """Return how many of these images each group has, and how many have no label."""
    return {
        "images": {
            name: dict(Counter(group for image in images if (group := labels.group(image, name))).most_common())
            for name in labels.characteristics
        },
        "unlabelled": sum(not labels.groups.get(image) for image in images),
    }


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read a CSV file with a header.

    Returns:
        The columns, and each row with its line in the file.

    Raises:
        EvaluateError: It cannot be read as one: not UTF-8, a column twice, a row of another length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(row)]
    except OSError as error:
        raise EvaluateError(f"expected a table in {path}, could not read it: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EvaluateError(f"expected a table of comma-separated values in {path}, found something else") from error
    if len(set(header)) != len(header) or "" in header:
        raise EvaluateError(f"expected each column of {path} to have a name of its own, found {', '.join(header)}")
    for number, row in rows:
        if len(row) != len(header):
            raise EvaluateError(f"expected {len(header)} values in line {number} of {path}, found {len(row)}")
    return header, [(number, dict(zip(header, row, strict=True))) for number, row in rows]
