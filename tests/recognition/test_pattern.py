"""A machine is known to compute as it should by what its networks give for a picture of nobody."""

import msgspec
import numpy as np
import pytest

from overt.recognition.catalogue import Artefact, parse
from overt.recognition.errors import BadModel
from overt.recognition.pattern import FLOATS_APART, INTEGERS_APART, apart, compare, limit_of, pattern

from .test_catalogue import SHIPPED

CATALOGUE = parse(SHIPPED.read_bytes())


def test_the_picture_is_the_same_every_time_and_has_every_brightness() -> None:
    first = pattern((64, 32))
    assert first.shape == (32, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, pattern((64, 32)))
    assert first.max() - first.min() > 200


@pytest.mark.parametrize(
    ("found", "expected", "distance"),
    [
        ([3.0, 4.0], [3.0, 4.0], 0.0),
        ([0.0, 0.0], [3.0, 4.0], 1.0),
        ([1.0], [1.0, 0.0], np.inf),
        ([1.0, 0.0], [], np.inf),
        ([np.nan, 0.0], [1.0, 0.0], np.inf),
        ([1.0, 0.0], [0.0, 0.0], np.inf),
    ],
)
def test_how_far_an_answer_is_from_another(found: list[float], expected: list[float], distance: float) -> None:
    assert apart(np.array(found, np.float32), np.array(expected, np.float32)) == distance


def test_every_network_that_may_run_has_an_answer_and_those_of_integers_a_wider_limit() -> None:
    for artefact in CATALOGUE.artefact:
        assert len(artefact.answer) == (12 if artefact.role == "detector" else 128)
        assert compare(artefact, np.array(artefact.answer, np.float32)) == 0.0
        assert limit_of(artefact) == (INTEGERS_APART if artefact.dense_integers else FLOATS_APART)


@pytest.mark.parametrize("artefact", CATALOGUE.artefact, ids=lambda artefact: artefact.name)
def test_another_result_is_refused_and_so_is_a_catalogue_that_has_none(artefact: Artefact) -> None:
    right = np.array(artefact.answer, np.float32)
    with pytest.raises(BadModel, match="computes something else"):
        compare(artefact, np.roll(right, 1))
    with pytest.raises(BadModel, match="in the catalogue to compare with"):
        compare(msgspec.structs.replace(artefact, answer=()), right)
