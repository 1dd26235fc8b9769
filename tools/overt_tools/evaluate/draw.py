"""Who is listed, who is looked for and who is anybody, in a measured identification: by a seed, and by names alone.

The order of the SHA-256 of "seed/name" takes the place of a random generator: it is the same everywhere and for ever,
and someone added to the set changes nobody else's place in it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import EvaluateError

MOST_PROBES = 3
"""Images of each listed subject that are looked for, so that a few people with many images do not decide."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The images of an identification.

    Attributes:
        listed: The still that each listed subject is listed with, by subject.
        probes: Other images of listed subjects.
        impostors: All images of everyone else.
    """

    listed: Mapping[str, str]
    probes: tuple[str, ...]
    impostors: tuple[str, ...]


def draw(subjects: Mapping[str, tuple[str, ...]], size: int, seed: int) -> Draw:
    """Choose by lot.

    Args:
        subjects: The images of each.
        size: How many to list; each needs at least two images.
        seed: Of the choice.

    Raises:
        EvaluateError: Too few subjects with two images, or nobody left who is not listed.
    """
    able = [subject for subject, images in subjects.items() if len(images) > 1]
    if not 1 <= size <= len(able):
        raise EvaluateError(
            f"expected at least {max(size, 1)} subjects with two or more images for a watchlist of {size}, found "
            f"{len(able)}: choose --watchlist-size from 1 to {len(able)}"
            if able
            else f"expected subjects with two or more images, found none among {len(subjects)}"
        )
    listed: dict[str, str] = {}
    probes: list[str] = []
    for subject in sorted(shuffled(able, seed)[:size]):
        first, *others = shuffled(subjects[subject], seed)
        listed[subject] = first
        probes += sorted(others[:MOST_PROBES])
    impostors = tuple(image for subject in sorted(subjects) if subject not in listed for image in subjects[subject])
    if not impostors:
        raise EvaluateError(
            f"expected people who are not listed, found that all {len(subjects)} are: choose a smaller --watchlist-size"
        )
    return Draw(listed, tuple(probes), impostors)


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Return names in an order that a seed decides."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
