"""One track per passage: people enter, cross, vanish behind each other for a moment, and leave."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from overt.recognition.detect import nothing, overlaps
from overt.recognition.track import Settings, State, Tracked, Tracker

from .synthetic import PICTURE_NS, VIEW, Box, detections

Walk = Callable[[float], Box | None]
"""Where a person's face is after so many seconds; None when they are not in view."""

SECOND = 1_000_000_000


def walking(x0: float, speed: float, *, y: float = 150, side: float = 60, start: float = 0, end: float = 1e9) -> Walk:
    def at(t: float) -> Box | None:
        x = x0 + speed * (t - start)
        return (x, y, side, side) if start <= t <= end and -side / 2 < x < VIEW[0] - side / 2 else None

    return at


def visible(boxes: list[Box]) -> list[Box]:
    """The first person is in front: whoever overlaps somebody in front of them is not seen."""
    seen: list[Box] = []
    for box in boxes:
        if all(overlaps(np.array([box], np.float32), np.array([b], np.float32))[0, 0] < 0.25 for b in seen):
            seen.append(box)
    return seen


def run(
    walks: list[Walk], seconds: float, *, noise: float = 1.5, miss: float = 0.0, seed: int = 0
) -> Iterator[tuple[float, list[Box | None], list[tuple[Tracked, Box]], list[Tracked]]]:
    """Play a scene at 25 pictures a second: time, where everyone is, tracks with their measured box, ended tracks."""
    random = np.random.default_rng(seed)
    tracker = Tracker()
    for number in range(round(seconds * 25)):
        t = number / 25
        where = [walk(t) for walk in walks]
        shown = [box for box in visible([box for box in where if box]) if random.random() >= miss]
        measured = [tuple(float(n) for n in np.array(box) + random.normal(0, noise, 4)) for box in shown]
        update = tracker.update(detections(measured), number * PICTURE_NS, VIEW)  # type: ignore[arg-type]  # four each
        yield t, where, [(tr, measured[tr.detection]) for tr in update.active if tr.detection >= 0], update.ended  # type: ignore[misc]  # four each


def tracks_by_person(walks: list[Walk], seconds: float, **kwargs: float) -> list[list[int]]:
    """For each person, the confirmed tracks that had their face, in order of appearance."""
    tracks: list[list[int]] = [[] for _ in walks]
    for _, where, seen, _ in run(walks, seconds, **kwargs):  # type: ignore[arg-type]  # numbers by name
        for tracked, box in seen:
            if tracked.state is not State.CONFIRMED:
                continue
            distance = [abs(p[0] - box[0]) + abs(p[1] - box[1]) if p else 1e9 for p in where]
            person = int(np.argmin(distance))
            if len([d for d in distance if d < 40]) == 1 and tracked.track not in tracks[person]:
                tracks[person].append(tracked.track)
    return tracks


def test_a_person_who_walks_through_is_one_track_that_ends() -> None:
    ended = []
    numbers = set()
    for _, _, seen, over in run([walking(-40, 200)], 5):
        ended += over
        numbers |= {tracked.track for tracked, _ in seen}
    assert len(numbers) == 1
    assert [tracked.track for tracked in ended] == list(numbers)


def test_it_counts_from_the_third_picture() -> None:
    states = [[tracked.state for tracked, _ in seen] for *_, seen, _ in run([walking(100, 100)], 0.16)]
    assert states == [[State.TENTATIVE], [State.TENTATIVE], [State.CONFIRMED], [State.CONFIRMED]]


def test_a_single_false_detection_never_counts() -> None:
    tracker = Tracker()
    tracker.update(detections([(50, 50, 40, 40)]), 0, VIEW)
    updates = [tracker.update(nothing(), n * PICTURE_NS, VIEW) for n in range(1, 12)]
    assert all(tracked.state is State.TENTATIVE for update in updates for tracked in update.active)
    assert sum(len(update.ended) for update in updates) == 1


@pytest.mark.parametrize("speeds", [(150, -150), (250, -120), (200, 60), (90, -220)])
@pytest.mark.parametrize("seed", range(4))
def test_two_people_who_cross_keep_their_tracks(speeds: tuple[float, float], seed: int) -> None:
    front = walking(60, speeds[0])
    behind = walking(60 + 1.3 * speeds[0] - 1.3 * speeds[1], speeds[1], y=155)  # they meet after 1.3 s
    first, second = tracks_by_person([front, behind], 2.6, seed=seed)
    assert len(first) == 1
    assert len(second) == 1
    assert first != second


@pytest.mark.parametrize("seed", range(3))
def test_six_people_in_three_lanes_are_six_tracks(seed: int) -> None:
    walks = [walking(40 + 25 * i, 120 + 15 * i, y=20 + 110 * (i % 3)) for i in range(3)]
    walks += [walking(560 - 20 * i, -110 - 10 * i, y=28 + 110 * (i % 3)) for i in range(3)]
    tracks = tracks_by_person(walks, 4, miss=0.05, seed=seed)
    assert [len(numbers) for numbers in tracks] == [1] * 6
    assert len({numbers[0] for numbers in tracks}) == 6


@pytest.mark.parametrize("gap", [0.2, 0.6, 0.9])
def test_a_brief_occlusion_does_not_end_a_track(gap: float) -> None:
    hidden = walking(60, 140)
    tracker = Tracker()
    numbers, regained = set(), 0
    for n in range(75):
        box = hidden(n / 25)
        assert box is not None
        seen = not 1.0 < n / 25 < 1.0 + gap
        update = tracker.update(detections([box] if seen else []), n * PICTURE_NS, VIEW)
        assert len(update.active) == 1
        assert not update.ended
        numbers.add(update.active[0].track)
        regained += update.active[0].regained
        assert (update.active[0].state is State.LOST) == (not seen)
    assert len(numbers) == 1
    assert regained == 1


def test_after_a_long_absence_it_is_a_new_passage() -> None:
    tracker = Tracker()
    for n in range(5):
        tracker.update(detections([(200, 100, 60, 60)]), n * PICTURE_NS, VIEW)
    back = tracker.update(detections([(200, 100, 60, 60)]), 4 * PICTURE_NS + 1001 * SECOND // 1000, VIEW)
    assert [tracked.track for tracked in back.ended] == [1]
    assert [tracked.track for tracked in back.active] == [2]


def test_whoever_leaves_and_returns_has_a_new_passage() -> None:
    there, back = walking(400, 220, end=1.2), walking(610, -220, start=2.0)
    (numbers, again) = tracks_by_person([there, back], 3.5)
    assert len(numbers) == len(again) == 1
    assert numbers != again


def test_one_who_left_is_not_awaited_in_the_view() -> None:
    tracker = Tracker()
    for n in range(10):
        tracker.update(detections([(560 + 8 * n, 100, 60, 60)]), n * PICTURE_NS, VIEW)
    ended_after = next(
        n for n in range(10, 40) if tracker.update(nothing(), n * PICTURE_NS, VIEW).ended
    )  # at 200 pixels a second
    assert ended_after < 14


def test_a_detector_that_misses_every_third_face_does_not_break_a_track() -> None:
    (numbers,) = tracks_by_person([walking(20, 130)], 4, miss=0.33, seed=5)
    assert len(numbers) == 1


def test_a_clock_that_steps_back_ends_all_tracks() -> None:
    tracker = Tracker()
    tracker.update(detections([(100, 100, 60, 60)]), 10 * SECOND, VIEW)
    update = tracker.update(detections([(100, 100, 60, 60)]), 9 * SECOND, VIEW)
    assert [tracked.track for tracked in update.ended] == [1]
    assert [tracked.track for tracked in update.active] == [2]


def test_two_pictures_of_one_instant_are_harmless() -> None:
    tracker = Tracker()
    for _ in range(3):
        update = tracker.update(detections([(100, 100, 60, 60)]), SECOND, VIEW)
    assert [tracked.track for tracked in update.active] == [1]
    assert all(np.isfinite(update.active[0].box))


def test_no_face_is_given_to_two_tracks_and_none_is_dropped() -> None:
    random = np.random.default_rng(3)
    tracker = Tracker(Settings(confirm_after=1))
    for n in range(60):
        count = int(random.integers(0, 9))
        placed = [(*random.uniform(0, 400, 2), *[random.uniform(20, 90)] * 2) for _ in range(count)]
        update = tracker.update(detections(placed), n * PICTURE_NS, VIEW)
        given = [tracked.detection for tracked in update.active if tracked.detection >= 0]
        assert sorted(given) == list(range(count))


def test_clearing_forgets_everything_and_numbers_start_anew() -> None:
    tracker = Tracker()
    tracker.update(detections([(100, 100, 60, 60)]), 0, VIEW)
    tracker.clear()
    update = tracker.update(detections([(300, 100, 60, 60)]), PICTURE_NS, VIEW)
    assert [tracked.track for tracked in update.active] == [1]
    assert update.ended == []


@pytest.mark.parametrize("phase", [n * 0.75 for n in range(9)])
def test_a_head_that_bobs_and_is_covered_slowly_is_awaited_where_it_goes(phase: float) -> None:
    """Walking behind a pillar: the box first shrinks to what is still seen, and its last velocities mislead."""
    tracker = Tracker()
    numbers = set()
    for n in range(87):
        x, y = 40 + 8 * n, 150 + 20 * np.sin(2 * np.pi * 2 * n / 25 + phase)
        right = min(x + 60, 330.0) if x < 330 else x + 60  # the pillar stands from 330 to 430
        shown: list[Box] = [(x, float(y), right - x, 80)] if right - x > 28 and not 330 <= x < 430 else []
        update = tracker.update(detections(shown), n * PICTURE_NS, (1200, 400))
        numbers |= {tracked.track for tracked in update.active}
    assert numbers == {1}
    assert update.active[0].state is State.CONFIRMED
