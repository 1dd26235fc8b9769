"""Full jitter: waits that grow, that differ, and that never hammer."""

from hypothesis import given
from hypothesis import strategies as st

from overt.runtime.retry import Backoff


def test_the_ceiling_doubles_and_stops_at_the_longest() -> None:
    backoff = Backoff(1.0, 60.0, draw=lambda _, ceiling: ceiling)
    assert [backoff.next() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert backoff.next() == 1


def test_an_unlucky_draw_does_not_hammer() -> None:
    assert Backoff(draw=lambda floor, _: floor).next() == Backoff.FLOOR_S


@given(st.integers(1, 2000))
def test_every_wait_is_within_bounds(attempts: int) -> None:
    backoff = Backoff()
    for _ in range(attempts % 100):
        backoff.next()
    assert Backoff.FLOOR_S <= backoff.next() <= 60.0
