"""A recogniser that works all day holds no more in the evening than in the morning."""

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from overt.recognition.attention import EVERY_PICTURE
from overt.recognition.frame import Frame
from overt.recognition.match import Gallery
from overt.recognition.pipeline import Recogniser
from tests.recognition.synthetic import (
    PICTURE_NS,
    Box,
    SimulatedDetector,
    SimulatedEmbedder,
    picture,
    template_of,
)

WAY = 8
"""Pictures from one side of the view to the other."""
PASSERS_BY = 4
"""Different people, who come by again and again; the first of them is listed."""
ROUNDS = 3
"""In each span that is measured: twelve passages, which leave 2 kB when what is known of a passage is kept."""
SPANS = 8
"""NumPy's own caches are bounded but fill at random; what accumulates, accumulates in the quietest span too."""
GROWTH_BYTES = 1024


def walk(person: int, step: int) -> tuple[list[Box], Frame]:
    """What is seen of a person's way, which begins with a picture of nobody."""
    box: Box = (20.0 + 16 * step, 100.0, 112.0, 112.0)
    return ([box], picture({person: box})) if step else ([], picture({}))


WALKS = [walk(person, step) for person in range(PASSERS_BY) for step in range(WAY)]


def rounds(recogniser: Recogniser, detector: SimulatedDetector, first: int, number: int = ROUNDS) -> None:
    """Let everybody pass, so many times, beginning with this number of a picture."""
    for count in range(first, first + number * len(WALKS)):
        boxes, seen = WALKS[count % len(WALKS)]
        detector.show(boxes)
        recogniser.process(replace(seen, number=count, captured_ns=count * PICTURE_NS))


def least_left_by(work: Callable[[], object]) -> int:
    """Bytes that some work leaves allocated, the least of several times."""
    left = []
    for _ in range(SPANS):
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        work()
        gc.collect()
        left.append(tracemalloc.get_traced_memory()[0] - before)
    return min(left)


def test_passage_after_passage_and_order_after_order_nothing_is_kept() -> None:
    detector, embedder = SimulatedDetector(), SimulatedEmbedder()
    listed = template_of(0)[None]

    def make() -> Recogniser:
        gallery = Gallery(listed, np.zeros(1, np.int32))
        return Recogniser(detector, embedder, gallery, threshold=0.6, pace=EVERY_PICTURE)

    def order() -> None:
        recogniser = Recogniser(
            detector, embedder, Gallery(listed, np.zeros(1, np.int32)), threshold=0.6, pace=EVERY_PICTURE
        )
        rounds(recogniser, detector, 0, 1)
        assert recogniser.counters.templates_made == recogniser.counters.templates_wiped > 0
        recogniser.close()

    recogniser = Recogniser(
        detector, embedder, Gallery(listed, np.zeros(1, np.int32)), threshold=0.6, pace=EVERY_PICTURE
    )
    numbers = iter(range(0, 10**6, ROUNDS * len(WALKS)))
    tracemalloc.start()
    try:
        assert least_left_by(lambda: rounds(recogniser, detector, next(numbers))) < GROWTH_BYTES
        assert least_left_by(order) < GROWTH_BYTES
    finally:
        tracemalloc.stop()
    assert recogniser.counters.faces_seen == SPANS * ROUNDS * PASSERS_BY
