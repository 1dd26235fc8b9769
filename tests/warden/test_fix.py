"""When a position is believed: measured well, told a moment ago, and moving as things move."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.warden.fix import (
    FIX_MAX_AGE_S,
    HDOP_MAX,
    NOTHING,
    SATELLITES_MIN,
    SPEED_MAX_MPS,
    STEADY_S,
    GpsTime,
    Track,
    believed,
    metres,
    take,
    time_of,
)
from overt.warden.nmea import Gga, Rmc

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
HERE = (52.1, -0.46)
FAR = (52.2, -0.46)  # 11 km away
BOOT = 1000.0


def rmc(second: float, position: tuple[float, float] | None = HERE) -> Rmc:
    return Rmc(START + timedelta(seconds=second), position)


def gga(
    second: float, position: tuple[float, float] | None = HERE, satellites: int = 9, hdop: float | None = 1.0
) -> Gga:
    at = START + timedelta(seconds=second)
    return Gga((at.hour, at.minute, at.second, at.microsecond), position, satellites, hdop)


def second_of(track: Track, second: float, position: tuple[float, float] = HERE) -> Track:
    track = take(track, rmc(second, position), BOOT + second)
    return take(track, gga(second, position), BOOT + second)


def steady(seconds: int = 8, track: Track = NOTHING, start: int = 0, position: tuple[float, float] = HERE) -> Track:
    for second in range(start, start + seconds):
        track = second_of(track, second, position)
    return track


def where(track: Track, second: float) -> tuple[float, float] | None:
    fix = believed(track, BOOT + second)
    return fix.position if fix else None


def test_nothing_said_is_nowhere() -> None:
    assert where(NOTHING, 0) is None


def test_a_position_is_believed_once_it_has_been_steady() -> None:
    track = NOTHING
    for second in range(10):
        track = second_of(track, second)
        assert where(track, second) == (HERE if second >= STEADY_S else None)


def test_a_fix_that_is_old_is_no_fix() -> None:
    track = steady()
    assert where(track, 7 + FIX_MAX_AGE_S) == HERE
    assert where(track, 7 + FIX_MAX_AGE_S + 0.01) is None


def test_after_a_gap_it_must_be_steady_anew() -> None:
    track = second_of(steady(), 20)
    assert where(track, 20) is None
    assert where(steady(8, track, 21), 28) == HERE


@pytest.mark.parametrize(
    "bad",
    [
        rmc(8, None),
        gga(8, None),
        gga(8, satellites=SATELLITES_MIN - 1),
        gga(8, hdop=HDOP_MAX + 0.1),
        gga(8, hdop=None),
    ],
    ids=["invalid", "no quality", "too few satellites", "poor geometry", "unknown geometry"],
)
def test_the_receiver_itself_says_that_it_is_not_good_and_it_is_doubted_at_once(bad: Rmc | Gga) -> None:
    track = take(steady(), bad, BOOT + 7.1)
    assert where(track, 7.1) is None
    # Neither order of the two sentences lets a bad one through.
    assert where(take(track, rmc(8), BOOT + 8), 8) is None


def test_one_sentence_alone_or_two_of_different_moments_make_no_fix() -> None:
    track = NOTHING
    for second in range(10):
        track = take(track, rmc(second), BOOT + second)
    assert where(track, 9) is None
    for second in range(10, 20):
        track = take(take(track, rmc(second), BOOT + second), gga(second - 1), BOOT + second)
    assert where(track, 19) is None


def test_a_receiver_that_repeats_itself_has_stopped() -> None:
    track = steady()
    for tenth in range(100):
        track = take(take(track, rmc(7), BOOT + 7 + tenth / 10), gga(7), BOOT + 7 + tenth / 10)
    assert where(track, 16.9) is None


def test_a_jump_in_position_is_doubted_at_once_and_believed_when_steady_again() -> None:
    track = second_of(steady(), 8, FAR)
    assert where(track, 8) is None
    track = steady(4, track, 9, FAR)
    assert where(track, 12) is None
    assert where(steady(2, track, 13, FAR), 14) == FAR


def test_a_position_that_hops_to_and_fro_is_never_believed() -> None:
    track = NOTHING
    for second in range(60):
        track = second_of(track, second, FAR if second % 3 == 0 else HERE)
        assert where(track, second) is None


def test_a_jump_in_the_receivers_time_is_doubted() -> None:
    track = take(take(steady(), rmc(3608), BOOT + 8), gga(3608), BOOT + 8)
    assert where(track, 8) is None


def test_a_unit_in_a_moving_van_is_believed() -> None:
    track = NOTHING
    for second in range(30):
        track = second_of(track, second, (52.1 + second * 0.0002, -0.46))  # 22 m/s
    assert where(track, 29) is not None


def test_the_time_is_taken_of_valid_sentences_only() -> None:
    assert time_of(rmc(5), 3.0) == GpsTime(START + timedelta(seconds=5), 3.0)
    assert time_of(rmc(5, None), 3.0) is None
    assert time_of(gga(5), 3.0) is None


points = st.tuples(st.floats(52.0, 52.3), st.floats(-0.5, -0.4))


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.sampled_from(["good", "bad", "half"]), points), max_size=40))
def test_whatever_a_receiver_does_what_is_believed_was_steady_fresh_and_good(
    story: list[tuple[float, str, tuple[float, float]]],
) -> None:
    track, second = NOTHING, 0.0
    good: list[tuple[float, tuple[float, float]]] = []
    for passed, kind, position in story:
        second = round(second + passed, 3)
        track = take(track, rmc(second, position if kind != "bad" else None), BOOT + second)
        if kind == "bad":
            good = []
        if kind == "good":
            track = take(track, gga(second, position), BOOT + second)
            if not good or second != good[-1][0]:
                good.append((second, position))
        fix = believed(track, BOOT + second)
        if fix is None:
            continue
        assert good
        assert (fix.position, fix.boot_s) == (good[-1][1], pytest.approx(BOOT + good[-1][0]))
        assert second - good[-1][0] <= FIX_MAX_AGE_S
        held = [(at, point) for at, point in good if at >= good[-1][0] - STEADY_S]
        for (before, one), (after, other) in pairwise(held):
            assert after - before <= FIX_MAX_AGE_S + 0.001
            assert metres(one, other) <= 30 + SPEED_MAX_MPS * (after - before) + 0.1
