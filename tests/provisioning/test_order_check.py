"""`order check` names every broken rule with its obligation and says what an order means, before and after signing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import limits
from overt.protocol.documents import Area, ForceLimits, UnitRef, Window
from overt.protocol.vocabulary import Category, Role, UseCase
from overt.runtime import cli
from overt_provisioning.explain import explain
from overt_provisioning.obligations import OBLIGATIONS, legend, named_in
from tests.builders import UNIT, make_force, make_order, make_party, utc_now
from tests.provisioning.office import Office, Said, new_unit, refused, run

UNIT_KEY = make_party()
REF = UnitRef(unit=UNIT, key=UNIT_KEY.public)


def check(folder: Path, limit: ForceLimits = ForceLimits(), roles: Any = None, **changes: Any) -> Said:  # noqa: B008
    force = make_force(limits=limit)
    more = {} if roles is None else {"roles": roles}
    (folder / "charter.json").write_bytes(force.charter_data)
    (folder / "order.json").write_bytes(make_order(force, REF, **more, **changes).data)
    return run("order", "check", folder / "order.json", "--charter", folder / "charter.json", "--json")


def flat(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def test_every_broken_rule_is_named_at_once_with_its_obligation(tmp_path: Path) -> None:
    strict = ForceLimits(threshold_min=0.7, watchlist_max_entries=5, window_max_hours=2)
    late = utc_now() + limits.ORDER_MAX_LEAD + timedelta(days=400)
    said = check(
        tmp_path,
        strict,
        roles=(Role.AUTHORISING_OFFICER,),
        threshold=0.5,
        watchlist_max_entries=10,
        false_alert_ceiling=0.01,
        window=Window(start=late, end=late + timedelta(hours=3)),
        use_case=UseCase.WANTED_PERSONS,
        categories=(Category.VOLUNTEER,),
    )
    assert said.code == cli.NEGATIVE
    details = [one["detail"] for one in said.json["broken"]]
    assert len(details) == 9
    for words in (
        "second_officer",
        "2 hours",
        "31 days",
        "outlive",
        "0.7",
        "5 entries",
        "ceiling",
        "volunteers",
        "assur",
    ):
        assert any(words in detail for detail in details), words
    obligations = {name for one in said.json["broken"] for name in one["obligations"]}
    assert obligations == {"O2", "O18", "O19", "O20", "O21-22"}
    assert said.json["detail"] == details[0]


def test_the_words_explain_each_obligation_that_they_name(tmp_path: Path) -> None:
    check(tmp_path, false_alert_ceiling=0.5, use_case=UseCase.MISSING_PERSONS, categories=(Category.MISSING,))
    said = run("order", "check", tmp_path / "order.json", "--charter", tmp_path / "charter.json")
    assert "for 2 reasons" in said.out
    for name in ("O18", "O19", "O20"):
        assert f"{name}: {OBLIGATIONS[name]}" in flat(said.out)


def test_a_form_is_checked_before_anyone_signs_it(office: Office) -> None:
    office.fill_in(new_unit())
    said = run("order", "check", office.form, "--charter", office.home / "charter.json")
    assert said.code == cli.OK
    assert "Not signed yet" in said.out
    assert "It is left to people to" in said.out
    assert not office.order.exists()


def test_every_field_of_a_form_that_is_wrong_is_named_at_once(office: Office) -> None:
    office.fill_in(
        new_unit(),
        old1="threshold = 0.5",
        new1="threshold = 0.1",
        old2="alerts_hours = 24",
        new2="alerts_hours = 48",
        old3='operation = "EXERCISE-1"',
        new3='operation = "An exercise"',
        old4='file = "papers/policy.pdf"',
        new4='file = "papers/none.pdf"',
        old5="https://police.example/lfr",
        new5="http://police.example/lfr",
    )
    said = run("order", "check", office.form, "--charter", office.home / "charter.json", "--json")
    assert said.code == cli.NEGATIVE
    details = [one["detail"] for one in said.json["broken"]]
    assert len(details) == 5, details
    for words in ("operation", "threshold", "retention.alerts_hours", "none.pdf", "notice.address"):
        assert any(words in detail for detail in details), words
    assert {name for one in said.json["broken"] for name in one["obligations"]} == {"O11", "O18", "O23"}
    refused(office.make(), cli.BAD_INPUT, "threshold", "alerts_hours", "none.pdf")


def test_a_form_that_breaks_a_limit_of_the_force_is_refused_before_it_is_signed(office: Office) -> None:
    office.fill_in(new_unit(), old="maximum_entries = 20", new="maximum_entries = 2001")
    said = run("order", "check", office.form, "--charter", office.home / "charter.json")
    assert said.code == cli.NEGATIVE
    assert "2000 entries" in said.out


@pytest.mark.parametrize("area", [False, True])
def test_the_words_hold_what_an_officer_signs_for(area: bool) -> None:
    force = make_force()
    square = Area(name="Market square", corners=((52.0, -0.4), (52.1, -0.4), (52.1, -0.5)))
    order = make_order(force, REF, **({"place": square} if area else {})).document
    text = explain(order, "f" * 64)
    for words in (
        *(order.purpose, order.legal_basis, order.necessity, order.proportionality, order.expectation),
        *(order.notice.text, "an exercise with volunteers"),
        *(UNIT, order.operation, order.place.name, f"{order.window.end:%H:%M:%S UTC}", "room-1", "Duty operator"),
        *(order.notice.address, "1 in 1,000 faces", "at most 100", "0.5", "one officer", "A paper", "5 minutes", "1 h"),
    ):
        assert words in flat(text), words
    assert max(map(len, text.splitlines())) <= 120
    assert set(named_in(text)) == {
        *("O2", "O3", "O5", "O7", "O9", "O10", "O11", "O15-17", "O19", "O20", "O21-22", "O23", "O25-27"),
    }
    assert len(legend(text)) == 13


def test_the_words_are_these() -> None:
    """What an officer reads before signing, whole, so that whoever changes a word reads all of it."""
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    window = Window(start=start, end=start + timedelta(minutes=90, seconds=30))
    order = make_order(make_force(), REF, window=window, assurance="b" * 64, false_alert_ceiling=0).document
    said = explain(order, "f" * 64)
    for lines in (
        """Order ffffffffffff…, operation EXERCISE-1, of test-force.

It is for
  - an exercise with volunteers (a blue watchlist) (O2).
  - Purpose: """,
        """Under this order
  - the unit unit-1 will compare every face that passes with a watchlist of
    consenting volunteers; at most 100 of them (O2, O19),
  - at Test square (52.1000, -0.4600), where it was put up (O3),
  - from Tuesday 24 November 2026, 09:00:00 UTC
    until Tuesday 24 November 2026, 10:30:30 UTC: 1 h 30 min 30 s, and not a second longer (O21-22),
  - with the model aaaaaaaaaaaa… and no other; an alert is raised from a score of 0.5,
    which stands on the assurance report bbbbbbbbbbbb… (O18, O20),
  - sending each alert, a possible match, to room-1 and to nobody else, without name, image or template,
  - only while its lamp is proven lit, its clock is right, it is at the place, and it can keep its log.

It will not
  - recognise anyone elsewhere, earlier, later, with another model, or with the lamp dark,""",
        """  - keep an image or template of anyone who raises no alert (O10), or record video at all,
  - keep an alert that could not be delivered for more than 24 hours (O11),
  - keep the watchlist, or the key to it, once the order has ended or was cancelled (O7): it signs a
    certificate of the erasure,
  - run on: more time, another place or other people need a new order, signed by two officers (O21-22).

It is left to people to
  - judge each alert within 5 minutes, and give reasons: Duty operator. Nobody acts on the score alone;
    identity is established by ordinary means (O15-17),""",
        """  - stop at the first false alert (O19), or when they see cause: one officer can cancel,""",
    ):
        assert lines in said


def test_who_is_to_countersign_reads_what_it_means_and_who_has_signed(office: Office) -> None:
    office.fill_in(new_unit())
    assert office.make().code == cli.OK
    said = office.check()
    assert said.code == cli.NEGATIVE
    for words in ("It is for", "Under this order", "It will not", "It is left to people to", "The rules behind it"):
        assert words in said.out
    assert said.out.endswith(
        "a unit would refuse this order:\n"
        "  - expected 1 valid signature(s) of the role second_officer, found 0\n\n"
        "Validly signed by: Authorising officer. Whoever else is to sign has read above what it means: sign with\n"
        "'overt-provision order countersign'.\n"
    )
    assert office.check("--json").json["signed_by"] == ["Authorising officer"]
    assert office.countersign().code == cli.OK
    assert office.check().out.endswith("Validly signed by: Authorising officer, Second officer. A unit accepts it.\n")
    assert office.check("--json").json["signed_by"] == ["Authorising officer", "Second officer"]


def test_an_order_that_breaks_a_rule_is_not_explained_as_if_it_could_be_signed(tmp_path: Path) -> None:
    check(tmp_path, roles=(Role.AUTHORISING_OFFICER,), false_alert_ceiling=0.5)
    said = run("order", "check", tmp_path / "order.json", "--charter", tmp_path / "charter.json")
    assert "Under this order" not in said.out
    assert "for 2 reasons" in said.out
    assert said.out.endswith("Validly signed by: authorising_officer.\n")


def test_an_order_of_strangers_is_said_to_be_signed_by_nobody(tmp_path: Path) -> None:
    check(tmp_path)
    (tmp_path / "charter.json").write_bytes(make_force().charter_data)
    said = run("order", "check", tmp_path / "order.json", "--charter", tmp_path / "charter.json")
    assert said.code == cli.NEGATIVE
    assert said.out.endswith("Nobody named in this charter has validly signed it.\n")
    assert "countersign" not in said.out


def test_no_text_of_a_form_can_pass_for_a_line_of_the_words() -> None:
    purpose = "To measure.\n\nIt will not\n  - keep anything.\nValidly signed by: everybody."
    lines = explain(make_order(make_force(), REF, purpose=purpose).document, None).splitlines()
    assert lines.count("It will not") == 1
    assert not [line for line in lines if line.startswith("Validly")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("threshold = 0.5", 'threshold = "0.5"', "recognition.threshold: expected a number, found text in quotes"),
        ('"blue_watchlist"', '"blue"', "use_case: expected one of blue_watchlist, wanted_persons, missing_persons"),
        ('["volunteer"]', '["vip"]', "watchlist.categories 1: expected one of volunteer, wanted_by_court"),
        ("maximum_entries = 20", "maximum_entries = 2.5", "watchlist.maximum_entries: expected a whole number"),
        ("minutes = 60", "minutes = 1441", "window.minutes: expected a whole number of at most 1440"),
        ("minutes = 60", "minuets = 60", "window: nothing is known of 'minuets'"),
        ('operation = "EXERCISE-1"', "", "missing: 'operation'"),
        ('operators = ["Duty operator"]', 'operators = "me"', "operators: expected a list, found text in quotes"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named_in_words(office: Office, old: str, new: str, words: str) -> None:
    office.fill_in(new_unit(), old=old, new=new)
    refused(run("order", "check", office.form, "--charter", office.home / "charter.json"), cli.BAD_INPUT, words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('operation = "EXERCISE-1"', 'operation = "An exercise"', "operation: expected a reference of letters, digits"),
        ('name = "control-room-1"', 'name = "Room 1"', "control_room 1, name: expected a short name of lower-case"),
        ("latitude = 52.1356", "latitude = 152", "place.latitude: expected a number of at most 90.0"),
        ('identity = "unit/identity.json"', 'name = "u"\nkey = "k"', "unit 1, key: expected 64 hexadecimal digits"),
        ('operators = ["Duty operator"]', "operators = []", "operators: expected a list that is not empty (O15-17)"),
        ('["Duty operator"]', '["a\\nb"]', "operators 1: expected one line of plain text (O15-17)"),
        ("https://police", "http://police", "notice.address: expected an address that starts with https:// (O23)"),
        ('text = "Live', 'text = "\\u202eLive', "notice.text: expected plain text (O23)"),
    ],
)
def test_a_value_out_of_its_bounds_is_named_in_words(office: Office, old: str, new: str, words: str) -> None:
    office.fill_in(new_unit(), old=old, new=new)
    said = run("order", "check", office.form, "--charter", office.home / "charter.json")
    assert said.code == cli.NEGATIVE
    assert f"  - {words}" in said.out
    assert "regex" not in said.out
    assert "`" not in said.out.replace("`overt-controlroom identity`", "")
