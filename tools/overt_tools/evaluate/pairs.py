"""Pairs of stills for verification, as the protocol of Labeled Faces in the Wild has them."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from .errors import EvaluateError
from .labels import read_table

COLUMNS = ("fold", "image_a", "image_b", "same")
_TRUTHS = {"1": True, "0": False, "true": True, "false": False}
_FEWEST_FOLDS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images, and whether they show one person."""

    fold: str
    image_a: str
    image_b: str
    same: bool


def read_pairs(path: Path, images: Container[str], *, quick: bool = False) -> tuple[Pair, ...]:
    """Read a CSV file with the columns fold, image_a, image_b, same (1 or 0).

    Args:
        path: The file.
        images: Those of the set.
        quick: Leave out pairs whose images the set does not have, as for a look at a part of it.

    Raises:
        EvaluateError: A column is missing, a value is not understood, an image is not in the set, or there are fewer
            than two folds, or a fold without which no pair of one person, or of two, is left.
    """
    header, rows = read_table(path)
    if missing := [name for name in COLUMNS if name not in header]:
        raise EvaluateError(
            f"expected columns {', '.join(COLUMNS)} in {path}, found {', '.join(header) or 'none'}: "
            f"{', '.join(missing)} missing"
        )
    pairs = []
    for number, row in rows:
        same = _TRUTHS.get(row["same"].strip().lower())
        if same is None:
            raise EvaluateError(f"expected same as 1 or 0 in line {number} of {path}, found {row['same']!r}")
        pair = Pair(row["fold"].strip(), row["image_a"], row["image_b"], same)
        strangers = [image for image in (pair.image_a, pair.image_b) if image not in images]
        if strangers and not quick:
            raise EvaluateError(f"expected images of the set in line {number} of {path}, found {strangers[0]}")
        if not strangers:
            pairs.append(pair)
    _check_folds(pairs, path)
    return tuple(pairs)


def _check_folds(pairs: list[Pair], path: Path) -> None:
    folds = sorted({pair.fold for pair in pairs})
    if len(folds) < _FEWEST_FOLDS:
        raise EvaluateError(f"expected at least two folds of pairs in {path}, found {len(folds)}")
    for fold in folds:
        if len({pair.same for pair in pairs if pair.fold != fold}) < 2:  # noqa: PLR2004 - both answers
            raise EvaluateError(
                f"expected pairs of one person and of two outside fold {fold} of {path}, found one kind"
            )
