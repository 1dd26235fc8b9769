from hypothesis import given
from hypothesis import strategies as st

from overt_tools.demo.score import AlertSeen, Passage, percentile, repeated, score

S = 1_000_000_000
PASSAGES = [
    Passage(id=0, listed=True, first_ns=2 * S, last_ns=8 * S),
    Passage(id=1, listed=False, first_ns=5 * S, last_ns=12 * S),
    Passage(id=2, listed=True, first_ns=15 * S, last_ns=20 * S),
]


def alert(second: float, entry: str = "v", latency: float = 40.0) -> AlertSeen:
    return AlertSeen(int(second * S), entry, latency)


def judged(*alerts: AlertSeen, played: float = 30.0) -> tuple[int, int, int]:
    result = score(PASSAGES, alerts, "v", int(played * S), 3)
    return result.passages, result.missed, result.false


def test_one_alert_a_listed_passage_is_perfect() -> None:
    result = score(PASSAGES, [alert(4), alert(17, latency=60.0)], "v", 30 * S, 3)
    assert result.faultless
    assert result.line() == (
        "demo: passages=2 alerts=2 missed=0 false=0 faces_seen=3 latency_p50_ms=40 latency_p99_ms=60"
    )


def test_a_passage_without_alert_is_missed() -> None:
    assert judged(alert(4)) == (2, 1, 0)


def test_a_second_alert_in_one_passage_is_false() -> None:
    assert judged(alert(4), alert(6), alert(17)) == (2, 0, 1)


def test_an_alert_while_only_the_passer_by_is_in_view_is_false() -> None:
    assert judged(alert(4), alert(11), alert(17)) == (2, 0, 1)


def test_an_alert_for_another_entry_is_false_and_finds_no_passage() -> None:
    assert judged(alert(4, entry="w"), alert(17)) == (2, 1, 1)


def test_a_passage_that_was_not_played_to_its_end_is_not_missed_and_its_alert_is_not_false() -> None:
    assert judged(alert(4), alert(16), played=17) == (2, 0, 0)
    assert judged(alert(4), played=17) == (1, 0, 0)


def test_footage_played_again_has_its_passages_again() -> None:
    twice = repeated(PASSAGES, 25 * S, 40 * S)
    assert [p.first_ns // S for p in twice] == [2, 5, 15, 27, 30, 40]
    assert len({p.id for p in twice}) == 6


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([1, 50, 99, 100]))
def test_a_percentile_is_one_of_the_values_with_at_least_that_share_at_or_below(
    values: list[float], percent: int
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= percent * len(ordered)
