"""A poster of a real face, with the unit's own networks: cut from the footage, put up, covered now and then."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from overt.recognition.pipeline import Recogniser
from overt.vision.sources.convert import Converter
from overt_tools.bench.listed import THRESHOLD, gallery_of, load_models, stills_of_volunteer
from overt_tools.scene.truth import load_truth

BUILD = Path(__file__).parents[2] / "build"
SCENE = BUILD / "demo" / "scene.mp4"
Rgb = NDArray[np.uint8]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SCENE.exists() or not (BUILD / "models" / "catalogue.toml").exists(),
        reason="the models and the demonstration's footage are not there: run 'make models footage'",
    ),
]


def street_and_poster() -> tuple[Rgb, Rgb]:
    """The empty street, and the volunteer's head and shoulders when they are nearest."""
    volunteer = next(p for p in load_truth(SCENE.with_suffix(".json")).passages if p.listed and p.opportunity)
    assert volunteer.opportunity is not None
    number = volunteer.opportunity.last - 5
    left, top, wide, high = next(s.box for s in volunteer.sightings if s.frame == number)
    with av.open(str(SCENE)) as container:
        for count, frame in enumerate(container.decode(video=0)):
            if count == 0:
                street = frame.to_ndarray(format="rgb24")
            if count == number:
                rgb = frame.to_ndarray(format="rgb24")
                break
    rows = slice(max(0, round(top - high * 0.6)), round(top + high * 1.6))
    columns = slice(max(0, round(left - wide * 0.7)), round(left + wide * 1.7))
    return np.asarray(street, np.uint8), np.asarray(rgb[rows, columns], np.uint8)


def test_a_poster_of_a_listed_face_is_told_of_once_and_again_where_it_is_put_up_anew() -> None:
    street, poster = street_and_poster()
    models = load_models(BUILD / "models")
    gallery = gallery_of(
        stills_of_volunteer(BUILD / "models", BUILD / "cache"), models.detector, models.embedder, entries=1
    )
    recogniser = Recogniser(models.detector, models.embedder, gallery, THRESHOLD)
    converter, rng, number = Converter(models.detector.size, "poster"), np.random.default_rng(5), 0

    def play(corner: tuple[int, int], times: int) -> int:
        nonlocal number
        told = 0
        for count in range(times * 45):
            picture = street.copy()
            if count % 45 < 15:  # then somebody stands before it
                row, column = corner[0] + int(rng.integers(-2, 3)), corner[1] + int(rng.integers(-2, 3))
                picture[row : row + poster.shape[0], column : column + poster.shape[1]] = poster
            noisy = np.clip(picture + rng.integers(-4, 5, picture.shape, np.int8), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24").reformat(format="yuv420p")
            number += 1
            told += len(recogniser.process(converter.frame(frame, 10**9 + number * 40_000_000)).sightings)
        return told

    assert play((200, 900), 5) == 1
    assert play((200, 300), 3) == 1
    assert recogniser.counters.faces_seen == 8
    recogniser.close()
