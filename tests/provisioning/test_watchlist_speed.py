"""Looking for one person under two references stays quick on the largest list that a unit takes."""

import time

import numpy as np
import pytest

from overt.protocol.limits import TEMPLATE_VALUES, WATCHLIST_MAX_ENTRIES
from overt_provisioning.faces import SAME_PERSON, Faces


@pytest.mark.slow
def test_a_whole_list_is_compared_with_itself_in_seconds() -> None:
    matrix = np.random.default_rng(1).normal(size=(WATCHLIST_MAX_ENTRIES, TEMPLATE_VALUES)).astype("<f4")
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix[-1] = matrix[17]
    faces, start = Faces(), time.perf_counter()
    found = []
    for number, template in enumerate(matrix):
        nearest = faces.nearest(template.tobytes(), f"v{number}")
        if nearest.likeness >= SAME_PERSON:
            found.append((number, nearest.other))
        faces.add(f"v{number}", template.tobytes())
    seconds = time.perf_counter() - start
    assert found == [(WATCHLIST_MAX_ENTRIES - 1, "v17")]
    assert seconds < 30
