"""What a comparison of groups found, as the JSON has it under `groups` and as reports show it."""

from enum import StrEnum

import msgspec

Interval = tuple[float, float]


class Verdict(StrEnum):
    """The three answers. Too little data is never equality."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    UNKNOWN = "not_enough_evidence"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A rate: `hits` of `of` searches for `people` people. `interval` is the wider of the other two, at 95 %."""

    hits: int
    of: int
    people: int
    rate: float
    interval: Interval
    exact: Interval
    resampled: Interval


class GroupShares(msgspec.Struct, frozen=True, kw_only=True):
    """A group at a threshold. None: nobody of it was measured."""

    name: str
    tpir: Share | None
    fpir: Share | None


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """How many more testers of a group it would take to tell, at as many searches each as now."""

    group: str
    testers: int
    searches: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """How far apart the groups of a characteristic are in one rate, at one threshold.

    Attributes:
        best: The best-off group; None when fewer than two could be compared.
        worst: The worst-off group: lowest TPIR, or highest FPIR.
        gap: Of their rates, 0..1.
        interval: The largest difference of any two groups lies between these, at 95 % over all pairs.
        tolerance: Up to which groups count as treated equally.
        p: How often chance alone sets groups so far apart: whole people change groups.
        p_adjusted: The same, allowing for how many comparisons were made (Holm).
        table_test: The test's name that takes each search for independent.
        table_p: What it gives.
        needed: Who is missing, when there is not enough evidence.
    """

    best: str | None
    worst: str | None
    gap: float | None
    interval: Interval | None
    tolerance: float
    p: float | None
    p_adjusted: float | None
    table_test: str | None
    table_p: float | None
    verdict: Verdict
    reason: str
    needed: tuple[Needed, ...] = ()


class AtThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """A characteristic at a threshold. `name`: the overall FPIR that it was set for, or "given"."""

    name: str
    threshold: float
    groups: tuple[GroupShares, ...]
    tpir: Gap
    fpir: Gap
    verdict: Verdict


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """From which threshold on a group has no more false alerts than the ceiling.

    Attributes:
        threshold: The lowest at which it was so in the measurement; None: nobody was measured.
        shown: The lowest at which it is shown with 95 % confidence; None: too few faces were seen to show it.
        tpir: The group's own TPIR at `threshold`.
        faces: Faces that stand behind it.
    """

    group: str
    threshold: float | None
    shown: float | None
    tpir: float | None
    faces: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One characteristic. `unstated_*`: the share of searches for people who said nothing of it."""

    characteristic: str
    groups: tuple[str, ...]
    unstated_passages: float
    unstated_faces: float
    at: tuple[AtThreshold, ...]
    ceilings: tuple[Ceiling, ...]
    verdict: Verdict


class Overall(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone at a threshold. `usable`: false alerts are within the ceiling."""

    name: str
    threshold: float
    tpir: Share
    fpir: Share
    usable: bool


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison.

    The verdict is on the thresholds that are usable, if there are any. `main`: the place, in `overall` and in each
    comparison's `at`, of the one that a report shows first.
    """

    verdict: Verdict
    headline: str
    ceiling: float
    recognition_tolerance: float
    false_alert_tolerance: float
    confidence: float
    resamples: int
    permutations: int
    comparisons_made: int
    seed: int
    listed_people: int
    other_people: int
    stray_alerts: int
    main: int
    overall: tuple[Overall, ...]
    comparisons: tuple[Comparison, ...]
