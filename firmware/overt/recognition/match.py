"""Whose face is it, of those on the watchlist? Cosine similarity against all of them.

A scalar product per row (`numpy.vecdot`) reads the gallery where it lies, from its first byte to its last, as fast as
memory gives it. A product of matrix and vector (BLAS's gemv) reads several rows in turns, which halves the speed of a
gallery larger than the cache; one of two matrices (gemm) packs copies of both into memory of its own, unlocked and
never wiped; and both start threads of their own on a large gallery. See docs/adr/0012.
"""

from dataclasses import dataclass, field

import numpy as np

from overt.recognition.arrays import MATRIX_AXES, Floats, Indices
from overt.recognition.errors import BadGallery

_UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a template may be."""

_BLOCK_BYTES = 512 * 1024
"""So much of the gallery is compared with each of several templates before the next: a core's cache can hold it."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """The templates to search in.

    Attributes:
        matrix: (N, d) float32, C-contiguous, each row a unit vector; may be a read-only view of a memory file.
        entry: (N,) int32: the watchlist entry to which each row belongs; an entry may have several.

    Raises:
        BadGallery: Other shapes, dtypes or order; rows that are not finite unit vectors; a negative entry.
    """

    matrix: Floats = field(repr=False)
    entry: Indices = field(repr=False)

    def __post_init__(self) -> None:
        matrix, entry = self.matrix, self.entry
        if matrix.ndim != MATRIX_AXES or matrix.dtype != np.float32 or not matrix.flags.c_contiguous:
            raise BadGallery(f"expected templates (N, d) float32 in rows, found {matrix.shape} {matrix.dtype}")
        if entry.shape != matrix.shape[:1] or entry.dtype != np.int32:
            raise BadGallery(f"expected {matrix.shape[0]} int32 entry indices, found {entry.shape} {entry.dtype}")
        if len(entry) == 0:
            return
        if int(entry.min()) < 0:
            raise BadGallery("expected entry indices from zero up, found a negative one")
        squares = np.einsum("ij,ij->i", matrix, matrix)
        # Written so that a length that is not a number fails too.
        if not bool((np.abs(squares - 1) <= 2 * _UNIT_TOLERANCE).all()):
            raise BadGallery("expected every template to have length 1, found one that has not")

    def __len__(self) -> int:
        return int(self.matrix.shape[0])


def empty_gallery(dimension: int) -> Gallery:
    """Return a gallery with nobody in it."""
    return Gallery(np.empty((0, dimension), np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Match:
    """The best entry for a template, and the best among all other entries.

    Attributes:
        entry: Index of the entry; -1 when the gallery is empty.
        score: Cosine, -1..1; -1 when the gallery is empty.
        runner_up_entry: Index of the second-best entry; -1 when there is none.
        runner_up_score: Its cosine; None when there is none.
    """

    entry: int
    score: float
    runner_up_entry: int
    runner_up_score: float | None


def search(gallery: Gallery, template: Floats) -> Match:
    """Find a template's best entry and runner-up.

    Args:
        gallery: Where to search.
        template: (d,) float32, a finite unit vector.

    Raises:
        BadGallery: The template is not one.
    """
    if template.ndim != 1:
        raise BadGallery(f"expected a template of shape (d,), found {template.shape}")
    return search_all(gallery, template[None])[0]


def search_all(gallery: Gallery, templates: Floats) -> list[Match]:
    """Find the best entry and runner-up of several templates, reading the gallery once for all of them.

    Of rows with the same score the first counts. The scores against the whole gallery describe the face too, so they
    are zeroed before returning.

    Args:
        gallery: Where to search.
        templates: (n, d) float32, finite unit vectors.

    Raises:
        BadGallery: They are not.
    """
    dimension = gallery.matrix.shape[1]
    if templates.ndim != MATRIX_AXES or templates.shape[1] != dimension or templates.dtype != np.float32:
        raise BadGallery(f"expected templates (n, {dimension}) float32, found {templates.shape} {templates.dtype}")
    squares = np.einsum("ij,ij->i", templates, templates)
    if not bool((np.abs(squares - 1) <= 2 * _UNIT_TOLERANCE).all()):
        raise BadGallery("expected templates of length 1, found one that has not")
    if len(gallery) == 0:
        return [Match(-1, -1.0, -1, None)] * len(templates)
    scores = np.empty((len(templates), len(gallery)), np.float32)
    try:
        _compare(gallery.matrix, templates, scores)
        return [_best_two(row, gallery.entry) for row in scores]
    finally:
        scores.fill(0)


def _compare(matrix: Floats, templates: Floats, scores: Floats) -> None:
    """Write the cosine of template i and row j to scores[i, j]."""
    step = max(1, _BLOCK_BYTES // matrix[:1].nbytes) if len(templates) > 1 else len(matrix)
    for start in range(0, len(matrix), step):
        block = matrix[start : start + step]
        for row, template in zip(scores, templates, strict=True):
            np.vecdot(block, template, out=row[start : start + step])


def _best_two(scores: Floats, entry: Indices) -> Match:
    best = int(scores.argmax())
    score = float(scores[best])
    scores[entry == entry[best]] = -np.inf
    second = int(scores.argmax())
    runner_up = float(scores[second])
    if not np.isfinite(runner_up):
        return Match(int(entry[best]), _cosine(score), -1, None)
    return Match(int(entry[best]), _cosine(score), int(entry[second]), _cosine(runner_up))


def _cosine(value: float) -> float:
    """Keep rounding from carrying a cosine past its range."""
    return max(-1.0, min(1.0, value))
