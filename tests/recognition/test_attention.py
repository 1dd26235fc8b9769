"""When to look for faces: at once when something moves, now and then when nothing does."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.recognition.arrays import Bytes
from overt.recognition.attention import EVERY_PICTURE, SLOWER, Attention, Pace, block_means
from overt.recognition.frame import Frame
from overt.recognition.track import Tracker

from .synthetic import detections

WIDTH, HEIGHT = 960, 540
SCALE = 1.0
PICTURE_NS = 40_000_000
START_NS = 1_700_000_000_000_000_000
PACE = Pace()

View = Callable[[int], Bytes]


def street(seed: int = 1) -> Bytes:
    """A view with edges and flat parts."""
    coarse = np.random.default_rng(seed).integers(30, 220, (HEIGHT // 30, WIDTH // 32))
    return np.repeat(np.repeat(coarse, 30, axis=0), 32, axis=1).astype(np.uint8)


STREET = street()


NEVER = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)


def never() -> Bytes:
    raise AssertionError("nobody needs the small picture to decide whether to look")


def frame(y: Bytes, now_ns: int) -> Frame:
    """A picture of which only the luma may be read."""
    return Frame(0, now_ns, y, NEVER, NEVER, never, SCALE)


def looks(view: View, pictures: int, *, following: bool = False, pace: Pace = PACE) -> list[int]:
    """The numbers of the pictures that are looked at."""
    attention = Attention(pace)
    return [
        number
        for number in range(pictures)
        if attention.wants(frame(view(number), START_NS + number * PICTURE_NS), following=following)
    ]


def noisy(number: int) -> Bytes:
    noise = np.random.default_rng(number).normal(0, 4, STREET.shape)
    return np.clip(STREET + noise, 0, 255).astype(np.uint8)


def with_a_head(number: int, since: int, side: int = 24) -> Bytes:
    """A head of 24 pixels of the detector's input that has come in."""
    view = noisy(number)
    if number >= since:
        view[200 : 200 + side, 400 : 400 + side] = 250
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
    for since in (7, 15, 18):
        assert since in looks(lambda n, since=since: with_a_head(n, since), since + 2)


def test_one_that_comes_in_just_after_a_look_is_looked_at_within_the_bound_for_newcomers() -> None:
    assert looks(lambda n: with_a_head(n, 1), 8)[1] * 40 <= PACE.newcomer_ms


def test_a_tree_in_the_wind_is_looked_at_as_often_as_newcomers_need_and_no_more() -> None:
    assert looks(street, 100) == list(range(0, 100, PACE.newcomer_ms // 40))


def test_a_street_that_has_been_calm_is_looked_at_once_a_second_and_a_newcomer_at_once() -> None:
    still = looks(lambda _: STREET, 1000)
    assert set(np.diff([n for n in still if n * 40 >= PACE.settle_ms])) == {PACE.calm_ms // 40}
    assert 620 in looks(lambda n: with_a_head(n, 620), 625)
    followed = Attention()
    for number in range(0, 500, 2):
        followed.wants(frame(STREET, START_NS + number * PICTURE_NS), following=True)
    after = [n for n in range(500, 600) if followed.wants(frame(STREET, START_NS + n * PICTURE_NS), following=False)]
    assert max(np.diff(after)) * 40 == PACE.idle_ms, "it has to settle again"


def test_a_face_that_was_there_all_along_is_found_within_the_bound() -> None:
    found = looks(lambda n: with_a_head(n, 0), 40)
    assert max(np.diff(found)) * 40 <= PACE.idle_ms


def test_a_followed_face_has_every_second_picture_of_a_camera_at_25_a_second() -> None:
    assert looks(lambda _: STREET, 20, following=True) == list(range(0, 20, 2))


def test_a_slow_cameras_pictures_are_all_looked_at_while_a_face_is_followed() -> None:
    attention = Attention()
    assert all(attention.wants(frame(STREET, START_NS + n * 100_000_000), following=True) for n in range(10))


def test_every_picture_means_every_picture() -> None:
    assert looks(lambda _: STREET, 20, pace=EVERY_PICTURE) == list(range(20))


def test_each_step_down_looks_less_often_and_the_last_half_as_often() -> None:
    moving = [len(looks(street, 300, following=True, pace=pace)) for pace in SLOWER]
    assert moving == [150, 100, 75]
    calm = [len(looks(lambda _: STREET, 100, pace=pace)) for pace in SLOWER]
    assert calm == sorted(calm, reverse=True)
    assert calm[0] == 2 * calm[2]


@pytest.mark.parametrize("pace", SLOWER, ids=["full effort", "eased", "slow"])
def test_a_face_that_crosses_the_view_at_a_walk_stays_one_track_at_every_step(pace: Pace) -> None:
    tracker, attention, seen = Tracker(), Attention(pace), set()
    for number in range(75):
        now_ns = START_NS + number * PICTURE_NS
        if attention.wants(frame(street(number % 2), now_ns), following=bool(seen)):
            left = 100 + number * 0.04 * 7 * 60  # seven times its own size of 60 pixels a second
            update = tracker.update(detections([(left, 150.0, 60.0, 60.0)]), now_ns, (1920, 1080))
            seen |= {tracked.track for tracked in update.active}
    assert len(seen) == 1


def test_a_pace_can_change_at_any_time() -> None:
    attention = Attention(SLOWER[2])
    assert attention.wants(frame(STREET, START_NS), following=True)
    assert not attention.wants(frame(STREET, START_NS + 2 * PICTURE_NS), following=True)
    attention.change_pace(SLOWER[0])
    assert attention.wants(frame(STREET, START_NS + 3 * PICTURE_NS), following=True)


def test_a_clock_that_steps_back_is_looked_at() -> None:
    attention = Attention()
    assert attention.wants(frame(STREET, START_NS), following=False)
    assert attention.wants(frame(STREET, START_NS - PICTURE_NS), following=False)


def test_nothing_of_the_last_picture_is_kept_after_the_end() -> None:
    attention = Attention()
    attention.wants(frame(STREET, START_NS), following=False)
    kept = attention._seen
    assert kept is not None
    attention.clear()
    assert not kept.any()


def followed_at(left: float, top: float, side: float = 40.0) -> list[tuple[float, float, float, float]]:
    return [(left, top, side, side)]


def stirred(*changes: tuple[int, int]) -> Attention:
    """A view of which the whole was just looked at, and in which something has moved since at these x, y."""
    attention = Attention()
    attention.wants(frame(STREET, START_NS), following=True)
    assert attention.whole([], lost=False)
    view = STREET.copy()
    for x, y in changes:
        view[y : y + 24, x : x + 24] ^= 128
    assert attention.wants(frame(view, START_NS + 5 * PICTURE_NS), following=True)
    return attention


def test_the_whole_view_need_not_be_looked_at_when_only_a_followed_face_and_its_body_move() -> None:
    attention = stirred((400, 200), (380, 320), (420, 500))
    assert not attention.whole(followed_at(395, 195), lost=False)


@pytest.mark.parametrize("at", [(100, 200), (400, 60), (700, 400)], ids=["beside", "above", "far off"])
def test_it_is_looked_at_when_something_else_moves(at: tuple[int, int]) -> None:
    assert stirred((400, 200), at).whole(followed_at(395, 195), lost=False)


def test_it_is_looked_at_when_a_face_is_lost() -> None:
    assert stirred().whole(followed_at(395, 195), lost=True)


@pytest.mark.parametrize("pace", SLOWER, ids=["full effort", "eased", "slow"])
def test_a_newcomer_who_never_moves_waits_no_longer_than_the_bound_while_others_are_followed(pace: Pace) -> None:
    attention = Attention(pace)
    whole = [
        number
        for number in range(100)
        if attention.wants(frame(STREET, START_NS + number * PICTURE_NS), following=True)
        and attention.whole(followed_at(395, 195), lost=False)
    ]
    assert max(np.diff(whole)) * 40 <= pace.idle_ms + 2 * pace.busy_ms


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    block=st.integers(1, 40),
    extra=st.integers(0, 9),
    level=st.integers(0, 255),
)
def test_the_mean_of_an_even_block_is_its_level_whatever_the_sizes(
    rows: int, columns: int, block: int, extra: int, level: int
) -> None:
    extra = min(extra, block - 1)
    y = np.full((rows * block + extra, columns * block + extra + 7), 9, np.uint8)[:, : columns * block + extra]
    y[: rows * block, : columns * block] = level
    means = block_means(y, block)
    assert means.shape == (rows, columns)
    assert means == pytest.approx(level, abs=0.01)
