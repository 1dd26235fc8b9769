"""One picture of nobody, and what a network makes of it: by that a machine is known to compute as it should."""

from typing import Final

import numpy as np

from overt.recognition.align import SIZE
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.catalogue import Artefact
from overt.recognition.engine import Detector, Embedder
from overt.recognition.errors import BadModel

FLOATS_APART: Final = 0.01
"""How far from the catalogue's answer a network of floats may be, relative to the answer's length. x86-64 and aarch64
are less than 0.0001 apart."""
INTEGERS_APART: Final = 0.25
"""The same where dense layers compute in 8-bit integers: x86-64 and aarch64 are 0.075 apart, another picture 1."""


def pattern(size: tuple[int, int]) -> Bytes:
    """Return a picture with something of everything in it, and nobody.

    Args:
        size: Width and height in pixels.
    """
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x / (5.0 + 3 * c) + y / (11.0 - 2 * c)) for c in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def detector_answer(detector: Detector) -> Floats:
    """Return what a detector gives for the pattern: the mean of each output's numbers, by the outputs' names."""
    outputs = detector.detect(pattern(detector.size))
    return np.array([outputs[name].mean(dtype=np.float64) for name in sorted(outputs)], np.float32)


def embedder_answer(embedder: Embedder) -> Floats:
    """Return what an embedder gives for the pattern: the template, of length one."""
    templates = np.zeros((1, embedder.dimension), np.float32)
    embedder.embed(pattern((SIZE, SIZE))[None], templates)
    return templates.reshape(-1)


def apart(found: Floats, expected: Floats) -> float:
    """Return how far an answer is from another, relative to that one's length; infinity if they cannot be compared."""
    if found.shape != expected.shape or not expected.any():
        return float("inf")
    distance = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return distance if np.isfinite(distance) else float("inf")


def limit_of(artefact: Artefact) -> float:
    """Return how far an artefact's answer may be from the catalogue's. See `apart`."""
    return INTEGERS_APART if artefact.dense_integers else FLOATS_APART


def compare(artefact: Artefact, found: Floats) -> float:
    """Compare an answer with the catalogue's.

    Returns:
        How far it is from it. See `apart`.

    Raises:
        BadModel: Too far, or the catalogue has none.
    """
    distance, limit = apart(found, np.array(artefact.answer, np.float32)), limit_of(artefact)
    if not artefact.answer:
        raise BadModel(f"expected an answer of {artefact.name} in the catalogue to compare with, found none")
    if distance > limit:
        raise BadModel(
            f"expected {artefact.name} to compute what the catalogue says, within {limit:g}, found it {distance:.3g} "
            "away: this machine computes something else"
        )
    return distance
