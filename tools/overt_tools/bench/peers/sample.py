"""The pictures that all peers look at, decoded once, the same for all."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from ..footage import Reel
from ..truth import Footage

STREET_EVERY, CROWD_EVERY, EMPTY_EVERY = 25, 5, 75
"""Peers look at one picture in so many: a slow one takes seconds for each, and all look at the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One footage's pictures to look at."""

    footage: Footage
    numbers: frozenset[int]

    def pictures(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode them.

        Yields:
            The picture's number, and (h, w, 3) uint8 RGB.
        """
        for number, picture in raw_pictures(self):
            yield number, np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)


class Samples(NamedTuple):
    """What peers look at of each footage."""

    street: Sample
    crowd: Sample
    chart: Sample
    empty: Sample


def raw_pictures(sample: Sample) -> Iterator[tuple[int, Any]]:
    """Decode a sample's pictures, one thread, and give them as the decoder does."""
    last = max(sample.numbers, default=-1)
    with av.open(str(sample.footage.path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, picture in enumerate(container.decode(video=0)):
            if number in sample.numbers:
                yield number, picture
            if number >= last:
                return


def samples_of(reel: Reel, thinner: int = 1) -> "Samples":
    """Choose pictures: of the street, of the crowd with anybody in view, the last of each chart's page, of nobody.

    Args:
        reel: The footage.
        thinner: Of these, only one in so many, for a quick look.
    """
    street, crowd = STREET_EVERY * thinner, CROWD_EVERY * thinner
    empty = EMPTY_EVERY * thinner
    return Samples(
        Sample(reel.street, frozenset(range(0, reel.street.count, street))),
        Sample(reel.crowd, frozenset(n for n in range(0, reel.crowd.count, crowd) if reel.crowd.people(n))),
        Sample(reel.chart, frozenset(sorted(reel.chart.shown)[::thinner])),
        Sample(reel.empty, frozenset(range(0, reel.empty.count, empty))),
    )


def decoding_ms(footage: Footage, pictures: int = 100) -> float:
    """CPU milliseconds to decode a picture to RGB: what every peer needs, and Overt does not."""
    sample = Sample(footage, frozenset(range(min(pictures, footage.count))))
    began = time.process_time()
    count = sum(1 for _ in sample.pictures())
    return (time.process_time() - began) * 1e3 / max(1, count)
