"""What an assurance report has to show before an order can stand on it: each way in which it falls short, by name."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import authority, evidence, limits
from overt.protocol.documents import Assurance, Figures, Order, Tolerance, Window
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal, Role
from tests.builders import (
    WANTED,
    make_assurance,
    make_figures,
    make_force,
    make_measurement,
    make_order,
    make_report,
    utc_now,
)

FORCE = make_force()
NOW = utc_now()


def order(**changes: Any) -> Order:
    return make_order(FORCE, **{**WANTED, **changes}).document


def why(report: Assurance, **changes: Any) -> str:
    """All reasons, in one text."""
    return "\n".join(error.detail for error in evidence.lacking(order(**changes), report))


def test_a_report_on_equal_treatment_at_this_threshold_bears_an_order() -> None:
    assert why(make_report(FORCE)) == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"threshold": 0.51}, "covers the thresholds 0.5, the order names 0.51 (O18)"),
        ({"threshold": 0.49}, "covers the thresholds 0.5, the order names 0.49 (O18)"),
        ({"model": "e" * 64}, "is on the model aaaaaaaaaaaa…, the order is for eeeeeeeeeeee… (O18)"),
        ({"watchlist_max_entries": 1001}, "covers at most 1000 entries (O19), the order allows 1001"),
        ({"window": Window(start=NOW, end=NOW + timedelta(days=101))}, "before the order ends (O18)"),
        ({"false_alert_ceiling": 0.00009}, "allowed is 1 in 11,111 (O19)"),
    ],
)
def test_an_order_beyond_what_was_measured_cannot_stand_on_it(changes: dict[str, Any], expected: str) -> None:
    assert expected in why(make_report(FORCE), **changes)


@pytest.mark.parametrize(
    ("groups", "overall", "expected"),
    [
        ({"Black": make_figures(recognised=760)}, {}, "tolerates 5.0% between them (O20)"),
        ({"women": make_figures(recognised=849)}, {}, "sex men are recognised in 90.0% of passages, women in 84.9%"),
        ({"Asian": make_figures(false_alerts=30)}, {"false_alerts": 40}, "between them (O20)"),
        ({"Asian": make_figures(false_alerts=41)}, {"false_alerts": 50}, "allowed is 1 in 1,000 (O19)"),
        ({}, {"false_alerts": 81}, "all testers together raised 1 in 988 false alerts"),
        ({"men": make_figures(passages=199, recognised=180)}, {}, "too few to be evidence; it takes 200 and 3000"),
        ({"men": make_figures(faces=2999, false_alerts=0)}, {}, "too few to be evidence; it takes 200 and 3000"),
        ({}, {"passages": 2106}, "by sex the report accounts for 95% of what was measured, expected 95%"),
        ({}, {"passages": 4000}, "by ethnicity the report accounts for 50% of what was measured"),
        ({}, {"faces": 90_000}, "nobody may be left out (O20)"),
    ],
)
def test_figures_that_are_unequal_too_high_or_too_few_bear_no_order(
    groups: dict[str, Figures], overall: dict[str, int], expected: str
) -> None:
    found = why(make_report(FORCE, measurements=(make_measurement(0.5, groups, **overall),)))
    assert expected in found
    assert found.count("(O") >= found.count("\n") + 1, "each reason names its obligation"


@pytest.mark.parametrize("left_out", ["sex", "ethnicity"])
def test_a_report_that_does_not_compare_by_race_and_by_sex_bears_no_order(left_out: str) -> None:
    whole = make_measurement()
    some = tuple(group for group in whole.groups if group.characteristic != left_out)
    one = (*some, *[group for group in whole.groups if group.characteristic == left_out][:1])
    for groups in (some, one):
        report = make_report(FORCE, measurements=(make_measurement(),))
        cut = type(whole)(threshold=0.5, overall=whole.overall, groups=groups)
        assert f"does not compare testers by {left_out} (O20)" in why(
            make_report(FORCE, measurements=(cut,), tolerance=report.tolerance)
        )


def test_a_report_may_tolerate_less_and_never_more_than_the_limits() -> None:
    groups = {"women": make_figures(recognised=880)}
    measured = (make_measurement(0.5, groups),)
    assert why(make_report(FORCE, measurements=measured)) == ""
    strict = Tolerance(recognition_gap=0.01, false_alert_gap=0.0)
    assert "tolerates 1.0%" in why(make_report(FORCE, measurements=measured, tolerance=strict))
    for gaps in ({"recognition_gap": 0.06, "false_alert_gap": 0.0}, {"recognition_gap": 0.0, "false_alert_gap": 0.001}):
        loose = make_assurance(FORCE, tolerance=Tolerance(**gaps))
        with pytest.raises(ProtocolError) as caught:
            authority.check_assurance(loose.data, FORCE.charter, NOW)
        assert caught.value.code is Refusal.MALFORMED


def test_one_threshold_of_a_report_can_bear_orders_while_another_does_not() -> None:
    bad = make_measurement(0.45, {"Black": make_figures(recognised=500)})
    report = make_report(FORCE, measurements=(bad, make_measurement(0.5)))
    assert why(report) == ""
    assert "ethnicity Asian are recognised" in why(report, threshold=0.45)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expires": NOW}, Refusal.EXPIRED),
        ({"issued": NOW + timedelta(minutes=1)}, Refusal.NOT_YET),
        ({"expires": NOW + timedelta(days=357)}, Refusal.LIMIT),
        ({"measurements": (make_measurement(), make_measurement())}, Refusal.MALFORMED),
        ({"measurements": (make_measurement(0.5, {"men": make_figures(recognised=1001)}),)}, Refusal.MALFORMED),
        ({"measurements": (make_measurement(0.5, recognised=2001),)}, Refusal.MALFORMED),
        ({"measurements": (make_measurement(0.5, passages=1999),)}, Refusal.MALFORMED),
        ({"measurements": (make_measurement(0.5, false_alerts=7),)}, Refusal.MALFORMED),
        ({"measurements": ()}, Refusal.MALFORMED),
        ({"force": "other-force"}, Refusal.WRONG_FORCE),
    ],
)
def test_a_report_that_is_over_or_contradicts_itself_is_not_taken_at_all(
    changes: dict[str, Any], code: Refusal
) -> None:
    with pytest.raises(ProtocolError) as caught:
        authority.check_assurance(make_assurance(FORCE, **changes).data, FORCE.charter, NOW)
    assert caught.value.code is code


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ASSURANCE_BODY])
def test_only_the_assurance_body_signs_reports(role: Role) -> None:
    with pytest.raises(ProtocolError) as caught:
        authority.check_assurance(make_assurance(FORCE, roles=(role,)).data, FORCE.charter, NOW)
    assert caught.value.code is Refusal.NOT_AUTHORISED


def test_the_limits_are_those_of_the_document() -> None:
    with pytest.raises(ProtocolError, match="at most 366 days"):
        authority.check_assurance(
            make_assurance(FORCE, issued=NOW, expires=NOW + limits.ASSURANCE_MAX_AGE + timedelta(seconds=1)).data,
            FORCE.charter,
            NOW,
        )


counts = st.integers(0, 5000)


@given(st.integers(1, 5000), counts, st.integers(1, 20_000), counts)
def test_rates_are_exact(passages: int, recognised: int, faces: int, false_alerts: int) -> None:
    figures = Figures(passages=passages, recognised=recognised, faces=faces, false_alerts=false_alerts)
    assert evidence.recognition_rate(figures) * passages == recognised
    assert evidence.false_alert_rate(figures) == Fraction(false_alerts, faces)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_gap_is_found_whichever_group_is_the_worse(one: int, other: int) -> None:
    groups = {"women": make_figures(recognised=one), "men": make_figures(recognised=other)}
    report = make_report(FORCE, measurements=(make_measurement(0.5, groups, recognised=2000),))
    assert ("sex" in why(report)) == (abs(one - other) > 50)
