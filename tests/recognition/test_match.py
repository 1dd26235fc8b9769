"""The best entry and the best other one, as a plain loop would find them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.recognition.errors import BadGallery
from overt.recognition.match import Gallery, Match, empty_gallery, search, search_all


def units(n: int, seed: int, dimension: int = 128) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def brute_force(gallery: Gallery, template: np.ndarray) -> dict[int, float]:
    best: dict[int, float] = {}
    for row, entry in zip(gallery.matrix.tolist(), gallery.entry.tolist(), strict=True):
        score = sum(a * float(b) for a, b in zip(row, template, strict=True))
        best[entry] = max(score, best.get(entry, -2))
    return best


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 10_000))
def test_it_agrees_with_brute_force(rows: int, entries: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    gallery = Gallery(units(rows, seed), random.integers(0, entries, rows).astype(np.int32))
    template = units(1, seed + 1)[0]
    ranked = sorted(brute_force(gallery, template).items(), key=lambda item: -item[1])
    match = search(gallery, template)
    assert match.entry == ranked[0][0]
    assert match.score == pytest.approx(ranked[0][1], abs=1e-5)
    if len(ranked) == 1:
        assert (match.runner_up_entry, match.runner_up_score) == (-1, None)
    else:
        assert match.runner_up_entry == ranked[1][0]
        assert match.runner_up_score == pytest.approx(ranked[1][1], abs=1e-5)


def test_the_runner_up_is_another_entry_even_if_the_best_has_many_templates() -> None:
    matrix = units(6, 1)
    matrix[1] = matrix[2] = matrix[0]
    match = search(Gallery(matrix, np.array([4, 4, 4, 7, 8, 9], np.int32)), matrix[0].copy())
    assert match.entry == 4
    assert match.score == pytest.approx(1, abs=1e-6)
    assert match.score <= 1
    assert match.runner_up_entry in {7, 8, 9}


def test_several_templates_at_once_give_the_same_as_one_by_one() -> None:
    gallery = Gallery(units(200, 3), np.arange(200, dtype=np.int32) // 2)
    templates = units(5, 4)
    assert search_all(gallery, templates) == [search(gallery, template) for template in templates]
    assert search_all(gallery, templates[:0]) == []


def crossed(n: int, seed: int) -> np.ndarray:
    """Unit vectors of four halves, of either sign, in four of eight places: whose cosines are exact and often equal."""
    random = np.random.default_rng(seed)
    rows = np.zeros((n, 128), np.float32)
    for row in rows:
        row[random.permutation(8)[:4] * 16] = random.choice([-0.5, 0.5], 4)
    return rows


def first_of_the_best(gallery: Gallery, template: np.ndarray) -> Match:
    """The plain loop, which keeps the first row of those with the same score."""
    best: dict[int, float] = {}
    scores = (gallery.matrix.astype(np.float64) @ template.astype(np.float64)).tolist()
    for entry, score in sorted(zip(gallery.entry.tolist(), scores, strict=True), key=lambda pair: -pair[1]):
        best.setdefault(entry, score)
    (entry, score), *others = best.items()
    return Match(entry, score, *(others[0] if others else (-1, None)))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(1, 2500), st.integers(1, 900), st.integers(1, 4), st.integers(0, 10_000))
def test_of_equal_scores_the_first_row_counts_in_large_galleries_too(
    rows: int, entries: int, faces: int, seed: int
) -> None:
    entry = np.random.default_rng(seed).integers(0, entries, rows).astype(np.int32)
    gallery, templates = Gallery(crossed(rows, seed), entry), crossed(faces, seed + 1)
    assert search_all(gallery, templates) == [first_of_the_best(gallery, template) for template in templates]


@pytest.mark.parametrize("dimension", [128, 256])
def test_several_templates_against_a_large_gallery_give_the_same_as_one_by_one(dimension: int) -> None:
    gallery = Gallery(units(5000, 6, dimension), np.arange(5000, dtype=np.int32) // 3)
    templates = units(4, 7, dimension)
    assert search_all(gallery, templates) == [search(gallery, template) for template in templates]


@pytest.mark.slow
def test_a_million_templates_can_be_searched() -> None:
    random = np.random.default_rng(8)
    matrix = random.standard_normal((1_000_000, 128), np.float32)
    matrix /= np.sqrt(np.einsum("ij,ij->i", matrix, matrix))[:, None]
    gallery = Gallery(matrix, np.arange(len(matrix), dtype=np.int32))
    probes = matrix[[0, 123_456, 999_999]] + 0.2 * units(3, 9)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    for match, entry, probe in zip(search_all(gallery, probes), (0, 123_456, 999_999), probes, strict=True):
        scores = np.concatenate([part @ probe.astype(np.float64) for part in np.array_split(matrix, 50)])
        second, first = np.argsort(scores)[-2:]
        assert (match.entry, match.runner_up_entry) == (entry, second)
        assert first == entry
        assert match.score == pytest.approx(scores[first], abs=1e-5)
        assert match.runner_up_score == pytest.approx(scores[second], abs=1e-5)


def test_a_read_only_gallery_is_searched_in_place() -> None:
    data = units(10, 5).tobytes()
    matrix = np.frombuffer(data, np.float32).reshape(10, 128)
    gallery = Gallery(matrix, np.frombuffer(np.arange(10, dtype=np.int32).tobytes(), np.int32))
    assert gallery.matrix is matrix
    assert search(gallery, matrix[6].copy()).entry == 6


def test_an_empty_gallery_matches_nobody() -> None:
    assert search(empty_gallery(128), units(1, 0)[0]) == Match(-1, -1.0, -1, None)


@pytest.mark.parametrize(
    ("matrix", "entry"),
    [
        (units(3, 0).astype(np.float64), np.zeros(3, np.int32)),
        (np.asfortranarray(units(3, 0)), np.zeros(3, np.int32)),
        (units(3, 0), np.zeros(2, np.int32)),
        (units(3, 0), np.zeros(3, np.int64)),
        (units(3, 0), np.array([0, -1, 1], np.int32)),
        (units(3, 0) * np.float32(1.01), np.zeros(3, np.int32)),
        (units(3, 0) * np.float32(np.nan), np.zeros(3, np.int32)),
        (np.zeros((3, 128), np.float32), np.zeros(3, np.int32)),
        (np.zeros(128, np.float32), np.zeros(1, np.int32)),
    ],
)
def test_a_gallery_of_anything_but_unit_vectors_is_refused(matrix: np.ndarray, entry: np.ndarray) -> None:
    with pytest.raises(BadGallery, match="expected"):
        Gallery(matrix, entry)


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 0.0, 2.0])
def test_a_template_that_is_no_unit_vector_is_refused(spoil: float) -> None:
    gallery = Gallery(units(3, 0), np.arange(3, dtype=np.int32))
    with pytest.raises(BadGallery, match="length 1"):
        search(gallery, units(1, 1)[0] * np.float32(spoil))


def test_templates_of_another_shape_are_refused() -> None:
    gallery = Gallery(units(3, 0), np.arange(3, dtype=np.int32))
    with pytest.raises(BadGallery, match=r"\(d,\)"):
        search(gallery, units(2, 1))
    with pytest.raises(BadGallery, match=r"\(n, 128\)"):
        search_all(gallery, units(2, 1, dimension=64))
    with pytest.raises(BadGallery, match="float64"):
        search_all(gallery, units(2, 1).astype(np.float64))


def test_a_gallery_does_not_print_its_templates() -> None:
    gallery = Gallery(units(3, 0), np.arange(3, dtype=np.int32))
    assert "0." not in repr(gallery)
