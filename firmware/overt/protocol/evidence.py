"""What an assurance report shows: whether its figures are evidence, and whether they are enough for an order. Pure."""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from operator import attrgetter

from overt.protocol import limits
from overt.protocol.documents import Assurance, Figures, Group, Measurement, Order
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.vocabulary import Characteristic, Refusal

REQUIRED = (Characteristic.SEX, Characteristic.ETHNICITY)
"""[O20]: no race or sex is to be treated worse; a report that does not say is none."""
_SAME = 1e-9  # of thresholds: what a decimal loses on its way through a form


def unfit(report: Assurance, now: datetime) -> Iterator[ProtocolError]:
    """Yield why a report cannot be taken at all, whatever it says of the model.

    Args:
        report: The report.
        now: The time.
    """
    if report.issued > now + limits.CLOCK_TOLERANCE:
        yield ProtocolError(Refusal.NOT_YET, "this assurance report says that it was issued in the future")
    if report.expires <= now:
        yield ProtocolError(
            Refusal.EXPIRED, f"this assurance report expired at {report.expires.isoformat()}: assess again (O18)"
        )
    if report.expires - report.issued > limits.ASSURANCE_MAX_AGE:
        yield ProtocolError(
            Refusal.LIMIT, f"an assurance report holds for at most {limits.ASSURANCE_MAX_AGE.days} days (O18)"
        )
    thresholds = [measurement.threshold for measurement in report.measurements]
    if len(set(thresholds)) != len(thresholds):
        yield Malformed("this assurance report measures one threshold twice")
    for measurement in report.measurements:
        names = [(group.characteristic, group.name) for group in measurement.groups]
        if len(set(names)) != len(names):
            yield Malformed("this assurance report lists one group twice")
        for contradiction in _contradictions(measurement):
            yield Malformed(f"at the threshold {measurement.threshold:g}, {contradiction}")


def lacking(order: Order, report: Assurance) -> Iterator[ProtocolError]:
    """Yield why an order cannot stand on a report, which fits as such.

    Args:
        order: What is asked for.
        report: What was measured.
    """
    if report.model != order.model:
        yield _no(
            f"this assurance report is on the model {report.model[:12]}…, the order is for {order.model[:12]}… (O18)"
        )
    if order.window.end > report.expires:
        yield _no(f"the assurance report expires at {report.expires.isoformat()}, before the order ends (O18)")
    if order.watchlist_max_entries > report.watchlist_entries:
        yield _no(
            f"the assurance report covers at most {report.watchlist_entries} entries (O19), "
            f"the order allows {order.watchlist_max_entries}"
        )
    at = next((one for one in report.measurements if abs(one.threshold - order.threshold) < _SAME), None)
    if at is None:
        covered = ", ".join(f"{one.threshold:g}" for one in sorted(report.measurements, key=attrgetter("threshold")))
        yield _no(f"the assurance report covers the thresholds {covered}, the order names {order.threshold:g} (O18)")
        return
    yield from weaknesses(report, at, order.false_alert_ceiling)


def weaknesses(report: Assurance, at: Measurement, ceiling: float) -> Iterator[ProtocolError]:
    """Yield why what was measured at a threshold is not good enough for any order.

    Args:
        report: The report.
        at: One of its measurements.
        ceiling: False alerts per face seen that are allowed.
    """
    yield from _false_alerts(at, min(ceiling, limits.FALSE_ALERT_CEILING_MAX))
    compared = _by_characteristic(at)
    for groups in compared.values():
        yield from _sizes(groups)
        yield from _gaps(report, groups)
    for characteristic in REQUIRED:
        groups = compared.get(characteristic, [])
        if len(groups) < 2:  # noqa: PLR2004 - it takes two to compare
            yield _no(f"the assurance report does not compare testers by {characteristic.value} (O20)")
        elif _share(groups, at.overall) < 1 - Fraction(limits.GROUP_UNSTATED_MAX):
            yield _no(
                f"by {characteristic.value} the report accounts for {float(_share(groups, at.overall)):.0%} of what "
                f"was measured, expected {1 - limits.GROUP_UNSTATED_MAX:.0%}: nobody may be left out (O20)"
            )


def recognition_rate(figures: Figures) -> Fraction:
    """Return the TRR: passages of listed testers that raised an alert, of all."""
    return Fraction(figures.recognised, figures.passages)


def false_alert_rate(figures: Figures) -> Fraction:
    """Return the FPIR: faces of people not listed that raised an alert, of all faces seen."""
    return Fraction(figures.false_alerts, figures.faces)


def _false_alerts(at: Measurement, ceiling: float) -> Iterator[ProtocolError]:
    for name, figures in _all_figures(at):
        rate = false_alert_rate(figures)
        if rate > ceiling:
            yield _no(
                f"at this threshold {name} raised {_one_in(rate)} false alerts per face seen; "
                f"allowed is {_one_in(Fraction(ceiling))} (O19)"
            )


def _sizes(groups: list[Group]) -> Iterator[ProtocolError]:
    for group in groups:
        found = group.figures
        if found.passages < limits.GROUP_MIN_PASSAGES or found.faces < limits.GROUP_MIN_FACES:
            yield _no(
                f"{_named(group)}: {found.passages} passages and {found.faces} faces are too few to be evidence; "
                f"it takes {limits.GROUP_MIN_PASSAGES} and {limits.GROUP_MIN_FACES} (O20)"
            )


def _gaps(report: Assurance, groups: list[Group]) -> Iterator[ProtocolError]:
    by_trr = sorted(groups, key=lambda group: recognition_rate(group.figures))
    worst, best = by_trr[0], by_trr[-1]
    low, high = recognition_rate(worst.figures), recognition_rate(best.figures)
    if high - low > Fraction(report.tolerance.recognition_gap):
        yield _no(
            f"{_named(best)} are recognised in {float(high):.1%} of passages, {worst.name} in {float(low):.1%}; "
            f"the report tolerates {report.tolerance.recognition_gap:.1%} between them (O20)"
        )
    by_fpir = sorted(groups, key=lambda group: false_alert_rate(group.figures))
    least, most = by_fpir[0], by_fpir[-1]
    if false_alert_rate(most.figures) - false_alert_rate(least.figures) > Fraction(report.tolerance.false_alert_gap):
        yield _no(
            f"{_named(most)} raise {_one_in(false_alert_rate(most.figures))} false alerts per face seen, {least.name} "
            f"{_one_in(false_alert_rate(least.figures))}; the report tolerates {report.tolerance.false_alert_gap:g} "
            "between them (O20)"
        )


def _share(groups: list[Group], overall: Figures) -> Fraction:
    """Return of how much of what was measured the groups account for: passages or faces, whichever is less."""
    passages = sum(group.figures.passages for group in groups)
    faces = sum(group.figures.faces for group in groups)
    return min(Fraction(passages, overall.passages), Fraction(faces, overall.faces))


def _contradictions(at: Measurement) -> Iterator[str]:
    for name, figures in _all_figures(at):
        if figures.recognised > figures.passages or figures.false_alerts > figures.faces:
            yield f"{name}: more alerts than there were faces"
    for characteristic, groups in _by_characteristic(at).items():
        for count in Figures.__struct_fields__:
            if sum(getattr(group.figures, count) for group in groups) > getattr(at.overall, count):
                yield f"by {characteristic.value} there are more {count} than of all testers together"


def _by_characteristic(at: Measurement) -> dict[Characteristic, list[Group]]:
    ordered = sorted(at.groups, key=attrgetter("characteristic"))
    return {name: list(groups) for name, groups in groupby(ordered, key=attrgetter("characteristic"))}


def _all_figures(at: Measurement) -> list[tuple[str, Figures]]:
    return [("all testers together", at.overall), *((_named(group), group.figures) for group in at.groups)]


def _named(group: Group) -> str:
    return f"{group.characteristic.value} {group.name}"


def _one_in(rate: Fraction) -> str:
    return f"1 in {float(1 / rate):,.0f}" if rate else "no"


def _no(detail: str) -> ProtocolError:
    return ProtocolError(Refusal.NO_ASSURANCE, detail)
