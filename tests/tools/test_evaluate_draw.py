"""Who is listed, who is looked for and who is anybody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt_tools.evaluate.draw import MOST_PROBES, draw
from overt_tools.evaluate.errors import EvaluateError
from overt_tools.evaluate.identification import figures, score
from overt_tools.evaluate.measured import Measured
from overt_tools.evaluate.stills import subject_of
from overt_tools.evaluate.trials import NO_FACE

Subjects = dict[str, tuple[str, ...]]


def subjects_of(counts: list[int]) -> Subjects:
    return {f"s{n}": tuple(f"s{n}/{image}.jpg" for image in range(count)) for n, count in enumerate(counts)}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=20), st.integers(0, 10), st.integers(1, 20))
def test_every_image_has_at_most_one_part_and_every_subject_one_kind(counts: list[int], seed: int, size: int) -> None:
    subjects = subjects_of(counts)
    able = [subject for subject, images in subjects.items() if len(images) > 1]
    if size > len(able) or size == len(subjects):
        with pytest.raises(EvaluateError, match="expected"):
            draw(subjects, size, seed)
        return
    chosen = draw(subjects, size, seed)
    assert len(chosen.listed) == size
    assert set(chosen.listed) <= set(able)
    parts = [*chosen.listed.values(), *chosen.probes, *chosen.impostors]
    assert len(set(parts)) == len(parts)
    for subject, image in chosen.listed.items():
        others = [probe for probe in chosen.probes if subject_of(probe) == subject]
        assert subject_of(image) == subject
        assert len(others) == min(MOST_PROBES, len(subjects[subject]) - 1)
    strangers = {image for subject, images in subjects.items() if subject not in chosen.listed for image in images}
    assert set(chosen.impostors) == strangers


def test_the_seed_decides_and_decides_alone() -> None:
    subjects = subjects_of([3] * 30)
    assert draw(subjects, 10, 1) == draw(dict(reversed(subjects.items())), 10, 1)
    assert draw(subjects, 10, 1).listed != draw(subjects, 10, 2).listed
    # Pinned, so that figures of different versions are of the same people.
    assert list(draw(subjects, 3, 1).listed.items()) == [("s15", "s15/1.jpg"), ("s17", "s17/0.jpg"), ("s6", "s6/1.jpg")]


def test_too_few_subjects_are_named_with_their_number() -> None:
    with pytest.raises(EvaluateError, match=r"at least 5 subjects .* found 2: choose --watchlist-size from 1 to 2"):
        draw(subjects_of([2, 3, 1, 1]), 5, 1)
    with pytest.raises(EvaluateError, match="found none among 2"):
        draw(subjects_of([1, 1]), 1, 1)
    with pytest.raises(EvaluateError, match="not listed"):
        draw(subjects_of([2, 2]), 2, 1)


DIRECTIONS = np.eye(6, dtype=np.float32)


def face(*weights: float) -> Measured:
    vector = np.zeros(6, np.float32)
    vector[: len(weights)] = weights
    return Measured(template=(vector / np.linalg.norm(vector)).astype("<f4").tobytes())


def test_misses_are_counted_whatever_their_cause() -> None:
    subjects: Subjects = {
        "anna": ("anna/1", "anna/2", "anna/3", "anna/4"),
        "bert": ("bert/1", "bert/2"),
        "cleo": ("cleo/1", "cleo/2"),
        "dan": ("dan/1",),
        "eve": ("eve/1",),
    }
    chosen = draw(subjects, 3, 1)
    assert set(chosen.listed) == {"anna", "bert", "cleo"}
    own = {"anna": face(1), "bert": face(0, 1), "cleo": Measured()}
    listed = {image: own[subject] for subject, image in chosen.listed.items()}
    good, faceless, other = [image for image in chosen.probes if image.startswith("anna")]
    searched = {good: face(0.9, 0.1), faceless: Measured(), other: face(0.3, 0.9)}
    searched |= {image: face(0, 0.9, 0.1) for image in chosen.probes if image.startswith("bert")}
    searched |= {image: face(0, 0, 1) for image in chosen.probes if image.startswith("cleo")}
    searched |= {"dan/1": face(0.1, 0.2, 1), "eve/1": Measured()}
    trials = score(chosen, listed, searched, "m", "d")

    by_image = dict(zip(trials.probe_image, zip(trials.genuine, trials.correct, trials.best, strict=True), strict=True))
    assert by_image[good][0] == by_image[good][2] > 0.9
    assert by_image[faceless] == (NO_FACE, False, NO_FACE)
    assert not by_image[other][1]
    assert by_image[other][0] == pytest.approx(0.316, abs=1e-3)
    assert by_image[other][2] == pytest.approx(0.949, abs=1e-3)
    (cleo,) = (by_image[image] for image in trials.probe_image if image.startswith("cleo"))
    assert cleo[:2] == (NO_FACE, False), "her listed still has no face"
    assert cleo[2] == pytest.approx(0, abs=1e-6), "what she is compared with are others"
    assert dict(zip(trials.impostor_image, trials.impostor, strict=True))["eve/1"] == NO_FACE

    result = figures(trials)
    assert (result["watchlist"], result["probes"], result["impostors"]) == (3, 5, 2)
    assert result["rank1"] == 2 / 5
    assert result["tpir"] == {"0.01": 2 / 5, "0.003": 2 / 5, "0.001": 2 / 5}
    assert set(result["threshold"]) == {"0.01", "0.003", "0.001"}
    assert result["wrong_entry"]["0.01"] == 1


def test_a_watchlist_on_which_nobody_could_be_enrolled_finds_nobody() -> None:
    chosen = draw({"a": ("a/1", "a/2"), "b": ("b/1",)}, 1, 1)
    measured = {image: face(1) for image in (*chosen.probes, *chosen.impostors)}
    result = figures(score(chosen, {chosen.listed["a"]: Measured()}, measured, "m", "d"))
    assert result["rank1"] == 0
    assert result["tpir"]["0.01"] == 0
