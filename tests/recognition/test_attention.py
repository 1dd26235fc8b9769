"""When to look for faces: at once when something moves, now and then when nothing does."""

from collections.abc import Callable

import numpy as np
import pytest

from overt.recognition.arrays import Bytes
from overt.recognition.attention import EVERY_PICTURE, SLOWER, Attention, Pace
from overt.recognition.track import Tracker

from .synthetic import detections

WIDTH, HEIGHT = 960, 544
PICTURE_NS = 40_000_000
START_NS = 1_700_000_000_000_000_000
PACE = Pace()

View = Callable[[int], Bytes]


def street(seed: int = 1) -> Bytes:
    """A view with edges and flat parts."""
    coarse = np.random.default_rng(seed).integers(30, 220, (HEIGHT // 32, WIDTH // 32, 3))
    return np.repeat(np.repeat(coarse, 32, axis=0), 32, axis=1).astype(np.uint8)


STREET = street()


def looks(view: View, pictures: int, *, following: bool = False, pace: Pace = PACE) -> list[int]:
    """The numbers of the pictures that are looked at."""
    attention = Attention(pace)
    return [
        number
        for number in range(pictures)
        if attention.wants(view(number), START_NS + number * PICTURE_NS, following=following)
    ]


def noisy(number: int) -> Bytes:
    noise = np.random.default_rng(number).normal(0, 4, STREET.shape)
    return np.clip(STREET + noise, 0, 255).astype(np.uint8)


def with_a_head(number: int, since: int, side: int = 24) -> Bytes:
    """A head of 24 pixels of the detector's input, 48 of the view's, that has come in."""
    view = noisy(number)
    if number >= since:
        view[200 : 200 + side, 400 : 400 + side] = (120, 150, 190)
    return view


def test_the_first_picture_is_looked_at_and_then_an_unchanged_street_ten_times_less_often_than_pictures_come() -> None:
    assert looks(lambda _: STREET, 100) == list(range(0, 100, PACE.idle_ms // 40))


def test_sensor_noise_is_not_movement() -> None:
    assert len(looks(noisy, 40)) == 4


@pytest.mark.parametrize("factor", [0.97, 1.03], ids=["dusk", "dawn"])
def test_light_that_changes_slowly_is_not_movement(factor: float) -> None:
    assert len(looks(lambda n: np.clip(STREET * factor ** (n / 25), 0, 255).astype(np.uint8), 100)) <= 12


def test_a_lamp_that_flickers_over_the_whole_view_is_not_movement() -> None:
    assert len(looks(lambda n: (STREET * (1 - 0.1 * (n % 3))).astype(np.uint8), 100)) <= 12


def test_a_head_that_comes_in_is_looked_at_in_its_first_picture() -> None:
    for since in (3, 7, 15, 18):
        assert since in looks(lambda n, since=since: with_a_head(n, since), since + 2)


def test_a_face_that_was_there_all_along_is_found_within_the_bound() -> None:
    found = looks(lambda n: with_a_head(n, 0), 40)
    assert max(np.diff(found)) * 40 <= PACE.idle_ms


def test_a_followed_face_has_every_second_picture_of_a_camera_at_25_a_second() -> None:
    assert looks(lambda _: STREET, 20, following=True) == list(range(0, 20, 2))


def test_a_slow_cameras_pictures_are_all_looked_at_while_a_face_is_followed() -> None:
    attention = Attention()
    assert all(attention.wants(STREET, START_NS + n * 100_000_000, following=True) for n in range(10))


def test_every_picture_means_every_picture() -> None:
    assert looks(lambda _: STREET, 20, pace=EVERY_PICTURE) == list(range(20))


def test_each_step_down_looks_less_often_and_the_last_half_as_often() -> None:
    moving = [len(looks(street, 300, pace=pace)) for pace in SLOWER]
    assert moving == [150, 100, 75]
    calm = [len(looks(lambda _: STREET, 300, pace=pace)) for pace in SLOWER]
    assert calm == sorted(calm, reverse=True)
    assert calm[0] == 2 * calm[2]


@pytest.mark.parametrize("pace", SLOWER, ids=["full effort", "eased", "slow"])
def test_a_face_that_crosses_the_view_at_a_walk_stays_one_track_at_every_step(pace: Pace) -> None:
    tracker, attention, seen = Tracker(), Attention(pace), set()
    for number in range(75):
        now_ns = START_NS + number * PICTURE_NS
        if attention.wants(street(number % 2), now_ns, following=bool(seen)):
            left = 100 + number * 0.04 * 7 * 60  # seven times its own size of 60 pixels a second
            update = tracker.update(detections([(left, 150.0, 60.0, 60.0)]), now_ns, (1920, 1080))
            seen |= {tracked.track for tracked in update.active}
    assert len(seen) == 1


def test_a_pace_can_change_at_any_time() -> None:
    attention = Attention(SLOWER[2])
    assert attention.wants(STREET, START_NS, following=True)
    assert not attention.wants(STREET, START_NS + 2 * PICTURE_NS, following=True)
    attention.change_pace(SLOWER[0])
    assert attention.wants(STREET, START_NS + 3 * PICTURE_NS, following=True)


def test_a_clock_that_steps_back_is_looked_at() -> None:
    attention = Attention()
    assert attention.wants(STREET, START_NS, following=False)
    assert attention.wants(STREET, START_NS - PICTURE_NS, following=False)


def test_nothing_of_the_last_picture_is_kept_after_the_end() -> None:
    attention = Attention()
    attention.wants(STREET, START_NS, following=False)
    kept = attention._seen
    assert kept is not None
    attention.clear()
    assert not kept.any()
