"""From pictures to sightings: one per passage of a listed person, none of a passer-by, and nothing left behind."""

import gc
import mmap
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from overt.recognition.attention import EVERY_PICTURE, Pace
from overt.recognition.errors import BadFrame, BadGallery, RecognitionError
from overt.recognition.match import Gallery, empty_gallery
from overt.recognition.pipeline import MAX_LOOKS_PER_FRAME, Recogniser, Result, Sighting
from overt.recognition.quality import Gates

from .synthetic import (
    PICTURE_NS,
    VIEW,
    Box,
    SimulatedDetector,
    SimulatedEmbedder,
    SimulatedWindows,
    picture,
    template_of,
)

LISTED, OTHER_LISTED, PASSER_BY = 1, 2, 3
START_NS = 1_700_000_000 * 1_000_000_000

Scene = Callable[[int], dict[int, Box]]
"""Who is where in a picture."""


def listed(*people: int) -> Gallery:
    matrix = np.stack([template_of(person) for person in people])
    return Gallery(matrix, np.arange(len(people), dtype=np.int32))


class Rig:
    """A recogniser with its simulated engines, and the only two buffers that ever hold biometric data."""

    def __init__(self, gallery: Gallery | None = None, threshold: float = 0.6) -> None:
        self.detector, self.embedder = SimulatedDetector(), SimulatedEmbedder()
        gallery = listed(LISTED, OTHER_LISTED) if gallery is None else gallery
        self.recogniser = Recogniser(self.detector, self.embedder, gallery, threshold, pace=EVERY_PICTURE)
        self.number = 0

    def show(self, people: dict[int, Box]) -> Result:
        self.detector.show(list(people.values()))
        self.number += 1
        return self.recogniser.process(picture(people, self.number, START_NS + self.number * PICTURE_NS))

    def play(self, scene: Scene, pictures: int) -> Iterator[Result]:
        for number in range(pictures):
            yield self.show(scene(number))

    def meet(self, person: int) -> None:
        """Show somebody twice: the next picture of them is the first that is looked at."""
        for _ in range(2):
            self.show({person: (200, 100, 120, 120)})
        assert self.recogniser.counters.templates_made == 0

    def left_behind(self) -> int:
        """Bytes that are not zero in the buffers for aligned faces and for templates."""
        return int(np.count_nonzero(self.recogniser._faces) + np.count_nonzero(self.recogniser._templates))


def crossing(person: int, x0: float, speed: float, y: float = 120) -> Scene:
    """A walk at pixels per picture, in view while at least half of the face is."""

    def scene(number: int) -> dict[int, Box]:
        x = x0 + speed * number
        return {person: (x, y, 120, 120)} if -60 < x < VIEW[0] - 60 else {}

    return scene


def sightings(results: Iterator[Result]) -> list[Sighting]:
    return [sighting for result in results for sighting in result.sightings]


def test_a_listed_person_is_sighted_once_in_a_passage() -> None:
    rig = Rig()
    (sighting,) = sightings(rig.play(crossing(LISTED, -50, 8), 95))
    assert sighting.entry == 0
    assert sighting.score > 0.7
    assert sighting.runner_up_score is not None
    assert sighting.runner_up_score < 0.4
    assert sighting.face_px == pytest.approx(37.8, abs=0.5)
    assert 0 < sighting.quality <= 1
    assert sighting.track_frames >= 3
    assert sighting.track_ms == (sighting.track_frames - 1) * 40
    counters = rig.recogniser.counters
    assert (counters.frames, counters.faces_seen) == (95, 1)
    assert counters.templates_made == counters.templates_wiped == 1


def test_the_sighting_comes_with_the_third_picture_of_a_good_face() -> None:
    rig = Rig()
    results = list(rig.play(lambda _: {LISTED: (200, 100, 120, 120)}, 5))
    assert [len(result.sightings) for result in results] == [0, 0, 1, 0, 0]
    assert results[2].sightings[0].captured_ns == START_NS + 3 * PICTURE_NS
    assert [result.in_view for result in results] == [0, 0, 1, 1, 1]


def test_each_passage_of_a_listed_person_gives_its_own_sighting() -> None:
    rig = Rig()
    there = sightings(rig.play(crossing(LISTED, -50, 12), 65))
    back = sightings(rig.play(crossing(LISTED, 570, -12), 65))
    assert [len(there), len(back)] == [1, 1]
    assert rig.recogniser.counters.faces_seen == 2


def test_a_passer_by_gives_none_and_is_looked_at_seldom() -> None:
    rig = Rig()
    assert sightings(rig.play(crossing(PASSER_BY, -50, 5), 150)) == []
    counters = rig.recogniser.counters
    assert counters.faces_seen == 1
    assert 1 <= counters.templates_made <= 5
    assert counters.templates_made == counters.templates_wiped


def test_two_listed_people_and_a_passer_by_who_cross_are_told_apart() -> None:
    rig = Rig()

    def scene(number: int) -> dict[int, Box]:
        return {
            PASSER_BY: (20 + 5 * number, 20, 110, 110),
            LISTED: (500 - 5 * number, 130, 110, 110),
            OTHER_LISTED: (40 + 4 * number, 250, 110, 110),
        }

    found = sightings(rig.play(scene, 80))
    assert sorted(sighting.entry for sighting in found) == [0, 1]
    assert rig.recogniser.counters.faces_seen == 3


def test_nothing_is_left_in_the_buffers_after_any_picture() -> None:
    rig = Rig()
    for result in rig.play(crossing(PASSER_BY, 0, 10), 50):
        assert rig.left_behind() == 0
        assert result.counters.templates_made == result.counters.templates_wiped
    assert rig.recogniser.counters.templates_made > 0


def test_the_engine_forgets_a_face_with_the_next_picture_without_one() -> None:
    rig = Rig()
    rig.meet(PASSER_BY)
    rig.show({PASSER_BY: (200, 100, 120, 120)})
    assert rig.embedder.memory.any()
    rig.show({PASSER_BY: (200, 100, 120, 120)})
    assert not rig.embedder.memory.any()


def test_no_template_is_anywhere_the_recogniser_can_reach() -> None:
    rig = Rig()
    kept = list(rig.play(crossing(PASSER_BY, 0, 10), 50))
    template = template_of(PASSER_BY)
    seen, queue = set(), [rig.recogniser, kept]
    arrays = 0
    while queue:
        item = queue.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            arrays += 1
            if item.size % 128 == 0 and item.dtype == np.float32:
                rows = item.reshape(-1, 128)
                lengths = np.linalg.norm(rows, axis=1)
                assert not (rows[lengths > 0] @ template / lengths[lengths > 0] > 0.7).any()
        elif type(item).__module__.startswith(("overt", "builtins", "tests", "recognition")):
            queue += gc.get_referents(item)
    assert arrays >= 4  # both buffers and the gallery's two


def test_an_engine_that_fails_leaves_nothing_and_the_counts_equal() -> None:
    rig = Rig()
    rig.meet(PASSER_BY)
    rig.embedder.failing = True
    with pytest.raises(RuntimeError, match="half-way"):
        rig.show({PASSER_BY: (200, 100, 120, 120)})
    counters = rig.recogniser.counters
    assert rig.left_behind() == 0
    assert counters.templates_made == counters.templates_wiped == 1
    rig.embedder.failing = False
    rig.show({LISTED: (205, 100, 120, 120)})
    assert rig.left_behind() == 0


def test_a_template_that_cannot_be_matched_is_wiped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.meet(PASSER_BY)
    monkeypatch.setattr(rig.embedder, "_projection", np.full_like(rig.embedder._projection, np.nan))
    with pytest.raises(RecognitionError, match="length 1"):
        rig.show({PASSER_BY: (200, 100, 120, 120)})
    counters = rig.recogniser.counters
    assert rig.left_behind() == 0
    assert counters.templates_made == counters.templates_wiped == 1


def test_a_crowd_takes_turns() -> None:
    rig = Rig()
    people: dict[int, Box] = {10 + i: (10 + 105.0 * (i % 6), 20 + 180.0 * (i // 6), 100, 100) for i in range(12)}
    made = [result.counters.templates_made for result in rig.play(lambda _: people, 6)]
    assert max(np.diff([0, *made])) == MAX_LOOKS_PER_FRAME
    assert made == [0, 0, 4, 8, 12, 12]


def test_small_faces_are_followed_but_not_looked_at() -> None:
    rig = Rig()
    assert sightings(rig.play(lambda _: {LISTED: (200, 100, 40, 40)}, 10)) == []
    assert rig.recogniser.counters.faces_seen == 1
    assert rig.recogniser.counters.templates_made == 0


def test_a_listed_person_who_comes_close_is_sighted_when_large_enough() -> None:
    rig = Rig()
    found = sightings(rig.play(lambda n: {LISTED: (200 - n, 100 - n, 40 + 2 * n, 40 + 2 * n)}, 60))
    assert len(found) == 1
    assert found[0].face_px >= Gates().min_inter_eye_px


def test_with_nobody_listed_nobody_is_sighted() -> None:
    rig = Rig(empty_gallery(128))
    assert sightings(rig.play(crossing(LISTED, 0, 10), 40)) == []


def test_the_threshold_is_what_decides() -> None:
    assert sightings(Rig(threshold=1.0).play(crossing(LISTED, 0, 10), 40)) == []
    assert len(sightings(Rig(threshold=0.5).play(crossing(LISTED, 0, 10), 40))) == 1


def test_closing_forgets_everything_and_lets_go_of_the_gallery() -> None:
    matrix = np.stack([template_of(LISTED)])
    with tempfile.TemporaryFile() as file:
        file.write(matrix.tobytes())
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    rig = Rig(Gallery(np.frombuffer(mapped, np.float32).reshape(1, 128), np.zeros(1, np.int32)))
    rig.meet(LISTED)
    assert len(rig.show({LISTED: (200, 100, 120, 120)}).sightings) == 1
    with pytest.raises(BufferError):
        mapped.close()
    rig.recogniser.close()
    mapped.close()
    assert rig.left_behind() == 0
    assert not rig.embedder.memory.any()
    assert rig.detector.flushed == 1
    assert not rig.recogniser._passages
    assert rig.recogniser.counters.templates_wiped == 1
    with pytest.raises(BadFrame, match="closed"):
        rig.show({LISTED: (200, 100, 120, 120)})
    rig.recogniser.close()


def test_passages_that_are_over_are_forgotten() -> None:
    rig = Rig()
    for _ in rig.play(crossing(LISTED, 0, 14), 80):
        pass
    assert not rig.recogniser._passages
    assert not rig.recogniser._totals.confirmed


def test_a_gallery_of_another_model_and_an_absurd_threshold_are_refused() -> None:
    with pytest.raises(BadGallery, match="another model"):
        Rig(empty_gallery(64))
    for threshold in (-1.0, 1.5, float("nan")):
        with pytest.raises(BadGallery, match="threshold"):
            Rig(threshold=threshold)


def test_a_small_picture_of_another_size_is_refused_before_it_counts() -> None:
    rig = Rig()
    rig.detector.size = (640, 384)
    with pytest.raises(BadFrame, match="small picture"):
        rig.show({})
    assert rig.recogniser.counters.frames == 0


class RigWithWindows(Rig):
    """The same at the pace of a unit, with a detector for windows or without."""

    def __init__(self, *, windows: bool = True) -> None:
        super().__init__()
        self.windows = SimulatedWindows(lambda: self.detector.faces)
        self.recogniser = Recogniser(
            self.detector,
            self.embedder,
            listed(LISTED, OTHER_LISTED),
            0.6,
            window_detector=self.windows if windows else None,
            pace=Pace(),
        )


def two_and_a_passer_by(number: int) -> dict[int, Box]:
    """Faces small enough for windows; the third comes in while the others are followed."""
    people: dict[int, Box] = {LISTED: (40 + 3 * number, 20, 90, 90), PASSER_BY: (480 - 3 * number, 140, 90, 90)}
    if number >= 40:
        people[OTHER_LISTED] = (30 + 4 * (number - 40), 260, 90, 90)
    return people


def test_with_windows_the_same_people_are_sighted_and_the_whole_view_is_looked_at_less() -> None:
    with_windows, without = RigWithWindows(), RigWithWindows(windows=False)
    entries = [
        [sighting.entry for sighting in sightings(rig.play(two_and_a_passer_by, 130))]
        for rig in (with_windows, without)
    ]
    assert entries == [[0, 1], [0, 1]]
    assert with_windows.recogniser.counters.faces_seen == without.recogniser.counters.faces_seen == 3
    assert with_windows.detector.runs < 0.6 * without.detector.runs


def test_somebody_who_comes_while_others_are_followed_is_found_within_the_bound_for_newcomers() -> None:
    rig = RigWithWindows()
    seen = [result.in_view for result in rig.play(two_and_a_passer_by, 70)]
    first = seen.index(3) - 40
    confirming = 2 * 2  # two more looks at every second picture
    assert first * PICTURE_NS // 1_000_000 <= Pace().newcomer_ms + (confirming + 1) * PICTURE_NS // 1_000_000


def test_the_windows_engine_is_overwritten_with_the_first_whole_view_after_it_was_used_and_at_the_end() -> None:
    rig = RigWithWindows()
    whole = 0
    for result in rig.play(lambda n: {PASSER_BY: (20 + 3 * n, 100, 90, 90)}, 60):
        del result
        if rig.detector.runs > whole and rig.windows.runs:
            assert not rig.recogniser._windows_used
        whole = rig.detector.runs
    assert rig.windows.runs > 0
    assert rig.windows.flushed > 0
    while not rig.recogniser._windows_used:
        rig.show({PASSER_BY: (200, 100, 90, 90)})
    flushed = rig.windows.flushed
    rig.recogniser.close()
    assert rig.windows.flushed == flushed + 1


def test_when_nobody_is_followed_any_more_the_windows_engine_holds_nothing_of_anyone() -> None:
    rig = RigWithWindows()
    for _ in range(20):
        rig.show({PASSER_BY: (200, 100, 90, 90)})
    assert rig.windows.runs > 0
    for _ in range(40):
        rig.show({})
    assert not rig.recogniser._windows_used
