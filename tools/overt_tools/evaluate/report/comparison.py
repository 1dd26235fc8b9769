"""The sections of a report on each characteristic."""

from collections.abc import Iterator, Sequence

from overt_tools.evaluate.findings import AtThreshold, Comparison, Gap, GroupShares, Share
from overt_tools.evaluate.groups import GIVEN

from .blocks import Block, Heading, Paragraph, Plot, Points, Run, Table, Words
from .model import Report
from .wording import ANSWERS, chance, count, per_thousand, percent, score

NOBODY = "nobody measured"


def sentences(report: Report) -> list[Words]:
    """Return the verdict on each characteristic in a sentence or two."""
    outcome: list[Words] = []
    found = report.groups
    for number, comparison in enumerate(found.comparisons):
        at = comparison.at[found.main]
        path = f"groups.comparisons.{number}.at.{found.main}"
        words: list[Run] = [f"By {comparison.characteristic}: {ANSWERS[comparison.verdict]}."]
        for kind, gap in (("tpir", at.tpir), ("fpir", at.fpir)):
            words += _worst(gap, kind, at.groups, path)
        words += _missing(at)
        outcome.append(words)
    return outcome


def sections(report: Report) -> Iterator[Block]:
    """Yield what is said of each characteristic."""
    for number, comparison in enumerate(report.groups.comparisons):
        path = f"groups.comparisons.{number}"
        yield Heading(f"By {comparison.characteristic}")
        yield Plot(plot_name(number), _alternative(comparison, report), "Each dot is what was measured, each bar how "
                   "far off it is likely to be. Bars that overlap do not show that groups are equal.")  # fmt: skip
        order = sorted(range(len(comparison.at)), key=lambda at: at != report.groups.main)
        for place in order:
            yield from _threshold(report, comparison.at[place], place, path)
        yield from _ceilings(report, comparison, path)


def plot_name(number: int) -> str:
    """Return the name of the plot of a characteristic."""
    return f"characteristic-{number}"


def _worst(gap: Gap, kind: str, groups: Sequence[GroupShares], path: str) -> list[Run]:
    if gap.worst is None or gap.best is None:
        return [f" {gap.reason[:1].upper()}{gap.reason[1:]}."]
    place = {group.name: at for at, group in enumerate(groups)}
    parts: list[Run] = []
    for name in (gap.worst, gap.best):
        share = getattr(groups[place[name]], kind)
        where = f"{path}.groups.{place[name]}.{kind}.rate"
        parts.append(percent(where, share.rate) if kind == "tpir" else per_thousand(where, share.rate))
    if kind == "tpir" and gap.gap == 0:
        return [" All groups were recognised equally often."]
    if kind == "tpir":
        return [f" Recognised least often: {gap.worst}, in ", parts[0], f" of looks; {gap.best}, in ", parts[1], "."]
    if gap.gap == 0:
        return [" In false alerts no group was worse off than another."]
    return [f" Most false alerts: {gap.worst}, ", parts[0], f" in 1,000 faces; {gap.best}, ", parts[1], "."]


def _missing(at: AtThreshold) -> list[Run]:
    parts = []
    for gap, whom in ((at.tpir, "on the list"), (at.fpir, "not on the list")):
        if gap.needed:
            groups = " and ".join(f"{_about(one.testers)} more {one.group}" for one in gap.needed)
            parts.append(f"{groups} {whom}")
    return [f" To tell, about so many testers would be needed: {'; '.join(parts)}."] if parts else []


def _threshold(report: Report, at: AtThreshold, place: int, path: str) -> Iterator[Block]:
    here = f"{path}.at.{place}"
    usable = report.groups.overall[place].usable
    asked = at.name == GIVEN
    set_for = (
        "as asked for" if asked else f"the lowest for false alerts of at most {float(at.name) * 1000:g} in 1,000 faces"
    )
    note = "" if usable else " (for information: no order allows so many)"
    threshold = score(f"{here}.threshold", at.threshold)
    yield Heading(f"At the threshold {threshold.text}, {set_for}{note}", 3)
    yield Table(
        f"By group, at the threshold {threshold.text}",
        ("group", "recognised", "likely", "counted", "false alerts in 1,000", "likely", "counted"),
        [_row(group, f"{here}.groups.{number}") for number, group in enumerate(at.groups)],
    )
    items: list[Words] = [_judged(at.tpir, f"{here}.tpir"), _judged(at.fpir, f"{here}.fpir")]
    shown = (("tpir", at.tpir), ("fpir", at.fpir)) if usable or place == report.groups.main else ()
    for kind, gap in shown:
        items += [_needed(kind, gap, number, f"{here}.{kind}") for number in range(len(gap.needed))]
    yield Points(items)


def _row(group: GroupShares, path: str) -> list[Words]:
    cells: list[Words] = [[group.name]]
    for kind, write in (("tpir", percent), ("fpir", per_thousand)):
        share: Share | None = getattr(group, kind)
        if share is None:
            cells += [[NOBODY], ["-"], ["-"]]
            continue
        here = f"{path}.{kind}"
        limits: list[Run] = [write(f"{here}.interval.0", share.interval[0]), " to ",
                             write(f"{here}.interval.1", share.interval[1])]  # fmt: skip
        whom: list[Run] = [count(f"{here}.hits", share.hits), " of ", count(f"{here}.of", share.of), ", ",
                           count(f"{here}.people", share.people), " people"]  # fmt: skip
        cells += [[write(f"{here}.rate", share.rate)], limits, whom]
    return cells


def _judged(gap: Gap, path: str) -> Words:
    words: list[Run] = [f"{gap.reason[:1].upper()}{gap.reason[1:]}. Answer: {ANSWERS[gap.verdict]}."]
    if gap.p is not None and gap.p_adjusted is not None and gap.table_p is not None:
        words += [" p-value ", chance(f"{path}.p", gap.p), ", adjusted ", chance(f"{path}.p_adjusted", gap.p_adjusted)]
        words += [f" (whole people change groups; {gap.table_test}, as if each look were another person: "]
        words += [chance(f"{path}.table_p", gap.table_p), ")."]
    return words


def _needed(kind: str, gap: Gap, number: int, path: str) -> Words:
    one = gap.needed[number]
    whom = "on the list" if kind == "tpir" else "not on the list"
    return [
        f"To tell, about {_about(one.testers)} more testers ({one.group}, {whom}) would be needed (",
        count(f"{path}.needed.{number}.searches", one.searches),
        " more looks at them), if the shares stay about as they are.",
    ]


def _about(number: int) -> str:
    """Write a count to two digits, rounded up: it is an estimate."""
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{-(-number // step) * step:,}"


def _ceilings(report: Report, comparison: Comparison, path: str) -> Iterator[Block]:
    ceiling = report.groups.ceiling
    rows: list[list[Words]] = []
    for number, one in enumerate(comparison.ceilings):
        here = f"{path}.ceilings.{number}"
        threshold: Run = NOBODY if one.threshold is None else score(f"{here}.threshold", one.threshold)
        shown: Run = "too few faces to show it" if one.shown is None else score(f"{here}.shown", one.shown)
        recognised: Run = "-" if one.tpir is None else percent(f"{here}.tpir", one.tpir)
        rows.append([[one.group], [threshold], [recognised], [shown], [count(f"{here}.faces", one.faces)]])
    yield Table(
        f"From which threshold on each group has no more false alerts than the ceiling, {ceiling * 1000:g} in 1,000",
        ("group", "in this measurement", "recognised there", "shown with 95 % confidence", "faces"),
        rows,
    )
    if comparison.unstated_passages or comparison.unstated_faces:
        parts: list[Run] = [f"In no group by {comparison.characteristic}: "]
        parts += [percent(f"{path}.unstated_passages", comparison.unstated_passages), " of looks at listed people, "]
        parts += [percent(f"{path}.unstated_faces", comparison.unstated_faces), " of faces of others."]
        yield Paragraph(parts)


def _alternative(comparison: Comparison, report: Report) -> str:
    """Say what the plot shows to those who cannot see it."""
    at = comparison.at[report.groups.main]
    told = []
    for group in at.groups:
        tpir = NOBODY if group.tpir is None else percent("", group.tpir.rate).text
        fpir = NOBODY if group.fpir is None else per_thousand("", group.fpir.rate).text
        told.append(f"{group.name}: recognised {tpir}; false alerts in 1,000 faces {fpir}")
    return f"Recognition and false alerts by {comparison.characteristic}. {'. '.join(told)}."
