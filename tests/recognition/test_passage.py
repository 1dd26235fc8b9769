"""Looking is rare: the first good shot at once, then only for a reason, a handful in all, and none after a match."""

from overt.recognition.passage import Passage, Policy

MS = 1_000_000


def looks(passage: Passage, qualities: list[float], step_ms: int = 40) -> tuple[list[int], Passage]:
    """Feed one quality per picture; return at which pictures was looked."""
    taken = []
    for number, quality in enumerate(qualities):
        now = number * step_ms * MS
        if passage.wants(quality, now):
            passage = passage.looked(quality, now, matched=False)
            taken.append(number)
    return taken, passage


def test_the_first_good_shot_is_taken_at_once() -> None:
    assert Passage(Policy()).wants(0.01, 0)


def test_an_even_passage_is_looked_at_ever_more_seldom() -> None:
    taken, passage = looks(Passage(Policy()), [0.5] * 1000)
    assert [number * 40 for number in taken] == [0, 400, 1200, 2800, 6000]
    assert passage.shots == 5


def test_a_clearly_better_shot_is_taken_but_not_in_a_burst() -> None:
    taken, _ = looks(Passage(Policy()), [0.3, 0.32, 0.5, 0.7, 0.71, 0.72, 0.8, 0.8])
    assert taken == [0, 3, 6]


def test_never_more_than_the_handful_however_it_improves() -> None:
    taken, _ = looks(Passage(Policy(better_by=0.0)), [n / 500 for n in range(500)])
    assert len(taken) == Policy().max_shots


def test_after_a_match_never_again() -> None:
    passage = Passage(Policy()).looked(0.4, 0, matched=True)
    assert not passage.wants(1.0, 10**12)
    assert not passage.may_want(10**12)
    assert not passage.returned().wants(1.0, 10**12)


def test_a_face_that_comes_back_is_looked_at_once_more_a_few_times() -> None:
    _, passage = looks(Passage(Policy()), [0.5] * 1000)
    extra = 0
    for n in range(10):
        passage = passage.returned()
        now = (100 + n) * 1000 * MS
        if passage.wants(0.2, now):
            passage = passage.looked(0.2, now, matched=False)
            extra += 1
    assert extra == Policy().max_returns
    assert passage.shots == Policy().max_shots + Policy().max_returns


def test_may_want_is_never_narrower_than_wants() -> None:
    passage = Passage(Policy()).looked(0.5, 0, matched=False)
    for now in range(0, 1000 * MS, 20 * MS):
        for quality in (0.0, 0.5, 0.6, 1.0):
            assert passage.may_want(now) or not passage.wants(quality, now)
