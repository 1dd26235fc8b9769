"""People made up for tests of equal treatment: who they are is a number, and how they score is chosen."""

from collections.abc import Mapping, Sequence

import numpy as np

from overt_tools.evaluate.searches import Evidence, Searches

ONE_GROUP = {"sex": "women"}


def searches(*rows: tuple[str, Mapping[str, str], float]) -> Searches:
    """Searches from (who, how they describe themselves, score)."""
    return Searches(
        tuple(who for who, _, _ in rows),
        tuple(labels for _, labels, _ in rows),
        np.array([score for _, _, score in rows], np.float32),
    )


def crowd(
    kind: str, group: Mapping[str, str], hits: int, of: int, each: int = 1
) -> list[tuple[str, Mapping[str, str], float]]:
    """`of` searches for people with `each` searches, the first `hits` of which raise an alert at 0.5."""
    name = "-".join(group.values())
    return [(f"{kind}-{name}-{at // each}", group, 0.9 if at < hits else 0.1) for at in range(of)]


def evidence(
    groups: Sequence[tuple[Mapping[str, str], tuple[int, int], tuple[int, int]]], each: int = 1, stray: int = 0
) -> Evidence:
    """Groups with (recognised, passages) and (false alerts, faces), at the threshold 0.5."""
    passages = [row for group, (hits, of), _ in groups for row in crowd("listed", group, hits, of, each)]
    faces = [row for group, _, (hits, of) in groups for row in crowd("other", group, hits, of, each)]
    return Evidence(searches(*passages), searches(*faces), stray)


def four_groups(women: int = 450, false: int = 2) -> Evidence:
    """Women and men of two ethnicities, 500 passages and 2,000 faces each; so many of the women are recognised."""
    sexes = (("women", women), ("men", 450))
    return evidence(
        [
            ({"sex": sex, "ethnicity": ethnicity}, (hits, 500), (false // 2, 2000))
            for sex, hits in sexes
            for ethnicity in ("Asian", "Black")
        ]
    )
