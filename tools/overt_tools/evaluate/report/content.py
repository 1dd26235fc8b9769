"""A report from its first line to its last: the verdict first."""

from collections.abc import Iterator

from .blocks import Block, Heading, Paragraph, Points, Run, Table, Words
from .comparison import sections, sentences
from .model import Report
from .wording import LIMITS, MEANINGS, count, per_thousand, percent, score

_UNIT_SAYS = (
    "A camera does not take anyone's word for a verdict. An assurance report holds counts; the unit divides for "
    "itself and refuses an order whose threshold was not measured or does not do. It compares plain shares and least "
    "numbers, so it can refuse where the statistics above cannot tell, and the other way round."
)
_NO_ORDER = (
    "A unit would let no order stand on it. Why: see “What a unit would say” below. Exercises with volunteers need "
    "no such evidence."
)
_CROSSED = (
    "Groups are those that people put themselves in. Who belongs to two groups at once (older women, say) is not "
    "looked at: differences can hide there."
)


def content(report: Report) -> list[Block]:
    """Return the pieces of a report."""
    return [
        *_verdict(report),
        *_measured(report),
        *sections(report),
        *_unit(report),
        *_not_shown(report),
        *_explained(),
        *_again(report),
    ]


def _verdict(report: Report) -> Iterator[Block]:
    yield Heading("The verdict")
    yield Paragraph([report.groups.headline], tone=report.groups.verdict.value)
    yield Points(sentences(report))
    bearing = [one for one in report.bears if not one.refusals]
    if bearing:
        words: list[Run] = ["A unit would let an order name these thresholds on it: "]
        for at, one in enumerate(report.bears):
            if not one.refusals:
                words += [score(f"bears.{at}.threshold", one.threshold), " "]
        yield Paragraph([*words[:-1], "."])
    else:
        yield Paragraph([_NO_ORDER])


def _measured(report: Report) -> Iterator[Block]:
    yield Heading("What was measured, and on whom")
    for sentence in report.how:
        yield Paragraph([sentence])
    found, main = report.groups, report.groups.main
    overall, here = found.overall[main], f"groups.overall.{main}"
    rows: list[list[Words]] = [
        [["people on the list"], [count("watchlist", report.watchlist)]],
        [["of them looked for"], [count("groups.listed_people", found.listed_people)]],
        [["looks at them"], [count(f"{here}.tpir.of", overall.tpir.of)]],
        [["people not on the list"], [count("groups.other_people", found.other_people)]],
        [["faces of theirs"], [count(f"{here}.fpir.of", overall.fpir.of)]],
    ]
    if found.stray_alerts:
        rows.append([["alerts that belong to nobody stated"], [count("groups.stray_alerts", found.stray_alerts)]])
    yield Table("On whom", ("what", "how many"), rows)
    table: list[list[Words]] = []
    for at, one in enumerate(found.overall):
        path = f"groups.overall.{at}"
        between: list[Run] = [percent(f"{path}.tpir.interval.0", one.tpir.interval[0]), " to ",
                              percent(f"{path}.tpir.interval.1", one.tpir.interval[1])]  # fmt: skip
        false: list[Run] = [per_thousand(f"{path}.fpir.interval.0", one.fpir.interval[0]), " to ",
                            per_thousand(f"{path}.fpir.interval.1", one.fpir.interval[1])]  # fmt: skip
        table.append(
            [
                [score(f"{path}.threshold", one.threshold)],
                [percent(f"{path}.tpir.rate", one.tpir.rate)],
                between,
                [per_thousand(f"{path}.fpir.rate", one.fpir.rate)],
                false,
                ["yes" if one.usable else "no: too many false alerts"],
            ]
        )
    yield Table(
        "Everyone together",
        ("threshold", "recognised", "likely", "false alerts in 1,000", "likely", "within the ceiling"),
        table,
    )


def _unit(report: Report) -> Iterator[Block]:
    yield Heading("What a unit would say")
    yield Paragraph(
        [_UNIT_SAYS]
    )  # fmt: skip
    rows: list[list[Words]] = []
    for at, one in enumerate(report.bears):
        answer = "no" if one.refusals else "yes"
        rows.append(
            [
                [score(f"bears.{at}.threshold", one.threshold)],
                [answer],
                ["".join(f"{text[:1].upper()}{text[1:]}. " for text in one.refusals).strip() or "-"],
            ]
        )
    if rows:
        yield Table("Thresholds", ("threshold", "may an order name it", "why not"), rows)
    yield Points([[f"{text}."] for text in report.not_in_assurance])


def _not_shown(report: Report) -> Iterator[Block]:
    yield Heading("What this does not show")
    found = report.groups
    yield Points(
        [
            *([text] for text in report.not_shown),
            [_CROSSED],
            [(f"{found.comparisons_made} comparisons were made. Nothing is said of characteristics that were not asked "
             "about.")],
            ["How people judge the alerts is not measured: fairness ends or begins there."],
        ]
    )  # fmt: skip


def _explained() -> Iterator[Block]:
    yield Heading("What the words mean")
    words: list[list[Words]] = [[[word], [meaning]] for word, meaning in MEANINGS]
    yield Table("Words", ("word", "meaning"), words)
    yield Heading("Limits, and where they come from")
    yield Table("Limits", ("what", "limit", "source"), [[[cell] for cell in row] for row in LIMITS])


def _again(report: Report) -> Iterator[Block]:
    yield Heading("How to repeat it")
    found = report.groups
    yield Paragraph([f"Made {report.made} with: {report.command}"])
    rows: list[list[Words]] = [
        [["models"], [f"{report.model_set or 'not named'}, digest {report.model_digest}"]],
        [["data set"], [f"digest {report.data_set_digest}"]],
        [["file of groups"], [f"SHA-256 {report.labels_digest}"]],
        [["tolerances"], [(f"{found.recognition_tolerance * 100:g} points of recognition; "
                          f"{found.false_alert_tolerance * 1000:g} false alerts in 1,000 faces")]],
        [["statistics"], [(f"intervals at {found.confidence:.0%}: the wider of exact (Clopper and Pearson) and "
                          f"{found.resamples:,} draws of whole people; {found.permutations:,} permutations; p-values "
                          f"adjusted as by Holm; seed {found.seed}")]],
    ]  # fmt: skip
    rows.append([["made on"], [", ".join(f"{name} {value}" for name, value in report.environment.items())]])
    yield Table("Circumstances", ("what", "which"), rows)
