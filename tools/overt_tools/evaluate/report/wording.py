"""How numbers are written, and what the words of a report mean."""

import math

from overt.protocol import limits
from overt_tools.evaluate.findings import Verdict

from .blocks import Figure

ANSWERS = {
    Verdict.EQUAL: "equal within the tolerance",
    Verdict.UNEQUAL: "unequal",
    Verdict.UNKNOWN: "not enough evidence to tell",
}

_LEAST_CHANCE = 0.0001
"""Smaller p-values are not told apart."""

MEANINGS = (
    (
        "Alert",
        "The camera says that a face may be someone on the list. It is a possible match; people decide what it is.",
    ),
    (
        "Recognised (TPIR)",
        (
            "Of the times that listed people were looked at, the share in which the right alert came. Higher is "
            "better. A group with a lower share is served worse: its missing people are found less often."
        ),
    ),
    (
        "False alerts (FPIR)",
        (
            "Of the faces of people who are not on the list, the share that raised an alert all the same. Lower is "
            "better. A group with a higher share is stopped wrongly more often."
        ),
    ),
    (
        "Threshold",
        (
            "How alike two faces have to be for an alert. A higher one gives fewer false alerts and misses more listed "
            "people."
        ),
    ),
    (
        "Likely",
        (
            "Chance plays a part: measured again, with other people, the share would be a little different. In 95 of "
            "100 such measurements the limits given hold the true share. Several pictures of one person count "
            "together here."
        ),
    ),
    (
        "p-value",
        (
            "How often chance alone would set the groups as far apart as they were found, if there were no "
            "difference at all. 0.01 means once in a hundred. A small one says that there is a difference, not that "
            "it is large; a large one does not say that there is none: there may be too few people to see it. The "
            "adjusted one allows for how many comparisons were made."
        ),
    ),
    (
        "Tolerance",
        "By how much groups may differ and still count as treated equally. It is a choice, made before measuring.",
    ),
    (
        "The three answers",
        (
            "Equal within the tolerance: even at the far end of what is likely, the groups are no further apart. "
            "Unequal: they are further apart, and chance does not explain it. Not enough evidence: anything else. "
            "Too few people never make it equal."
        ),
    ),
)

LIMITS = (
    (
        "False alerts per face seen that an order may allow",
        f"at most 1 in {1 / limits.FALSE_ALERT_CEILING_MAX:,.0f}",
        "South Wales Police, standard operating procedure, 2018 (O19)",
    ),
    (
        "Difference between groups in being recognised",
        f"at most {limits.RECOGNITION_GAP_MAX * 100:g} points",
        (
            "Overt's own default: the equality duty names no figure (Bridges [2020] EWCA Civ 1058, 176-201; Equality "
            "Act 2010 s.149; O20)"
        ),
    ),
    (
        "Difference between groups in false alerts",
        f"at most {limits.FALSE_ALERT_GAP_MAX * 1000:g} in 1,000 faces",
        "Overt's own default, half of what is allowed at all (O20)",
    ),
    (
        "Looks at listed people of each group",
        f"at least {limits.GROUP_MIN_PASSAGES:,}",
        "Overt's own default: a share near a half is then known to 3.5 points",
    ),
    (
        "Faces of others of each group",
        f"at least {limits.GROUP_MIN_FACES:,}",
        "Overt's own default: none false in so many shows 1 in 1,000 (rule of three)",
    ),
    (
        "People who said nothing of a characteristic",
        f"at most {limits.GROUP_UNSTATED_MAX:.0%}",
        "Overt's own default: a group left out cannot hide there",
    ),
    (
        "Age of a measurement",
        f"at most {limits.ASSURANCE_MAX_AGE.days} days",
        "Surveillance Camera Code of Practice, 3.2.3 and 4.12 (O18): assessed regularly",
    ),
)


def percent(path: str, share: float) -> Figure:
    """Write a share that is near one."""
    return Figure(path, f"{share * 100:.1f}%")


def per_thousand(path: str, share: float) -> Figure:
    """Write a share that is near nought."""
    return Figure(path, f"{share * 1000:.2f}")


def count(path: str, number: int) -> Figure:
    """Write a count."""
    return Figure(path, f"{number:,}")


def score(path: str, threshold: float) -> Figure:
    """Write a threshold; rounded up, so that what is written gives no more alerts than what was measured."""
    return Figure(path, f"{math.ceil(round(threshold * 1e4, 6)) / 1e4:.4f}")


def chance(path: str, p: float) -> Figure:
    """Write a p-value: never as nought, which no p-value is."""
    return Figure(path, f"{p:.4f}" if p >= _LEAST_CHANCE else f"below {_LEAST_CHANCE}")
