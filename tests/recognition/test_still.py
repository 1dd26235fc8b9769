"""Posters, screens and people on benches: told of once an hour while they stay; whoever walks is told of each time."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from overt.recognition import still
from overt.recognition.frame import Frame
from overt.recognition.passage import Policy
from overt.recognition.pipeline import Result, Sighting

from .synthetic import PICTURE_NS, VIEW, Box, picture
from .test_pipeline import LISTED, OTHER_LISTED, PASSER_BY, START_NS, Rig, crossing

POSTER: Box = (420, 60, 110, 110)
A_SECOND = 25
SHOWN, HIDDEN = 12, 30
"""A poster that people pass before: so many pictures in view, so many covered, which ends its track each time."""


@functools.lru_cache(64)
def _drawn(people: tuple[tuple[int, Box], ...]) -> Frame:
    return picture(dict(people))


class Street(Rig):
    """A rig whose clock can be put forward, so that an hour takes no hour."""

    later_ns = 0

    def show(self, people: dict[int, Box]) -> Result:
        self.detector.show(list(people.values()))
        self.number += 1
        now = START_NS + self.number * PICTURE_NS + self.later_ns
        drawn = _drawn(tuple(people.items()))
        return self.recogniser.process(replace(drawn, number=self.number, captured_ns=now))

    def see(self, people: dict[int, Box], pictures: int) -> list[Sighting]:
        return [sighting for _ in range(pictures) for sighting in self.show(people).sightings]

    def poster(self, times: int, box: Box = POSTER, noise: float = 0.0, person: int = LISTED) -> list[Sighting]:
        """A poster that is covered so many times; `noise` is the detector's, in pixels."""
        rng, found = np.random.default_rng(7), []
        for _ in range(times):
            for _ in range(SHOWN):
                x, y, w, h = np.array(box) + rng.normal(0, noise, 4)
                found += self.see({person: (float(x), float(y), float(w), float(h))}, 1)
            found += self.see({}, HIDDEN)
        return found


def test_a_poster_is_told_of_once_however_often_people_pass_before_it() -> None:
    street = Street()
    assert len(street.poster(6, noise=1.5)) == 1
    assert street.recogniser.counters.faces_seen == 6


def test_at_a_poster_nobody_looks_again_and_again() -> None:
    street = Street()
    street.poster(8)
    seconds = 8 * (SHOWN + HIDDEN) / A_SECOND
    assert street.recogniser.counters.templates_made <= 2 + seconds * 1e9 / still.LOOK_AGAIN_NS


@pytest.mark.parametrize("shown", [3, 5, 12])
def test_a_poster_that_is_seldom_found_is_told_of_once_too(shown: int) -> None:
    street = Street()
    found = []
    for _ in range(6):
        found += street.see({LISTED: POSTER}, shown) + street.see({}, HIDDEN)
    assert len(found) == 1


def test_a_camera_that_shakes_by_a_few_pixels_sees_the_same_poster() -> None:
    street = Street()
    found = []
    for number in range(6 * (SHOWN + HIDDEN)):
        x, y, w, h = POSTER
        shaken: Box = (x + 6 * np.sin(number * 0.9), y + 6 * np.cos(number * 0.7), w, h)
        found += street.see({LISTED: shaken} if number % (SHOWN + HIDDEN) < SHOWN else {}, 1)
    assert len(found) == 1


def test_a_poster_put_up_elsewhere_is_told_of_again() -> None:
    street = Street()
    assert len(street.poster(4)) == 1
    assert len(street.poster(4, (150, 200, 110, 110))) == 1


def test_after_an_hour_a_poster_is_told_of_once_more() -> None:
    street = Street()
    assert len(street.poster(4)) == 1
    street.later_ns = still.HOLD_NS - 3600 * 10**7
    assert street.poster(1) == []
    street.later_ns = still.HOLD_NS + 10**9
    assert len(street.poster(4)) == 1


def test_a_clock_that_is_put_back_forgets_the_places() -> None:
    street = Street()
    assert len(street.poster(2)) == 1
    street.later_ns = -(10**12)
    assert len(street.poster(2)) == 1


def test_somebody_who_walks_past_twice_is_told_of_twice() -> None:
    street = Street()
    for _ in range(2):
        found = [s for n in range(65) for s in street.show(crossing(LISTED, -50, 12)(n)).sightings]
        assert len(found) == 1
        street.see({}, 30)


def test_somebody_who_walks_past_their_own_poster_is_told_of() -> None:
    street = Street()
    assert len(street.poster(3)) == 1
    # The rig draws each person once: the poster is covered while they pass, and comes back after.
    x, y, w, h = POSTER
    found = [
        s for n in range(60) for s in street.show({LISTED: (x - 360 + 12.0 * n, y, w, h)} if n < 48 else {}).sightings
    ]
    assert len(found) == 1
    assert street.poster(3) == []


def test_somebody_who_stood_before_the_poster_unseen_is_told_of_when_they_walk_on() -> None:
    street = Street()
    assert len(street.poster(2)) == 1
    assert street.see({LISTED: POSTER}, 3 * A_SECOND) == []
    x, y, w, h = POSTER
    assert len([s for n in range(25) for s in street.show({LISTED: (x - 10.0 * n, y, w, h)}).sightings]) == 1


def test_another_listed_person_at_a_posters_place_is_told_of_within_a_minute() -> None:
    street = Street()
    assert len(street.poster(2)) == 1
    street.later_ns += still.LOOK_AGAIN_NS
    found = street.see({OTHER_LISTED: POSTER}, 2 * A_SECOND)
    assert [sighting.entry for sighting in found] == [1]


def test_somebody_who_sits_still_is_told_of_once_through_lost_and_regained_tracks() -> None:
    street = Street()
    found = []
    for number in range(12 * A_SECOND):
        sway = 6 * np.sin(number / 40)
        covered = number % 90 > 90 - HIDDEN
        found += street.see({} if covered else {LISTED: (200 + sway, 120, 120, 120)}, 1)
    assert len(found) == 1


def test_a_print_on_a_shirt_is_told_of_once_a_passage() -> None:
    street = Street()

    def walk(number: int) -> dict[int, Box]:
        x = -50 + 9.0 * number
        return {PASSER_BY: (x, 20, 110, 110), LISTED: (x, 180, 110, 110)} if x < VIEW[0] - 60 else {}

    for _ in range(2):
        assert len([s for n in range(90) for s in street.show(walk(n)).sightings]) == 1
        street.see({}, 30)


def test_nothing_is_remembered_of_anyone_who_did_not_match() -> None:
    street = Street()
    assert street.poster(5, person=PASSER_BY) == []
    street.see(crossing(PASSER_BY, -50, 8)(20), 20)
    assert len(street.recogniser._still) == 0
    assert not street.recogniser._still._there


def test_a_strangers_poster_costs_no_more_looks_than_the_policy_of_each_passage() -> None:
    street = Street()
    street.poster(10, person=PASSER_BY)
    assert street.recogniser.counters.templates_made <= 10 * Policy().max_shots


def test_places_are_few_and_forgotten_with_the_deployment() -> None:
    street = Street()
    for number in range(still.MAX_PLACES + 10):
        street.see({LISTED: (20.0 + 40 * (number % 12), 5.0 + 40 * (number // 12), 110, 110)}, 4)
        street.see({}, 30)
    assert 0 < len(street.recogniser._still) <= still.MAX_PLACES
    street.recogniser.close()
    assert len(street.recogniser._still) == 0


def test_whoever_walks_leaves_no_place_behind() -> None:
    street = Street()
    for number in range(90):
        street.show(crossing(LISTED, -50, 10)(number))
    street.see({}, 30)
    assert len(street.recogniser._still) == 0
