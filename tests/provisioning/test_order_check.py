"""`order check` names every broken rule with its obligation, before and after signing; `inspect` shows any document."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overt.protocol import envelope, limits, sealing
from overt.protocol.documents import Area, ForceLimits, Order, UnitRef, Window
from overt.protocol.vocabulary import Category, Kind, Role, UseCase
from overt.runtime import cli
from overt_provisioning.explain import explain
from overt_provisioning.obligations import OBLIGATIONS, legend, named_in
from tests.builders import (
    UNIT,
    make_cancellation,
    make_entry,
    make_force,
    make_order,
    make_party,
    make_template,
    make_watchlist,
    utc_now,
)
from tests.provisioning.office import Office, Said, new_unit, refused, run

UNIT_KEY = make_party()
REF = UnitRef(unit=UNIT, key=UNIT_KEY.public)


def check(folder: Path, limit: ForceLimits = ForceLimits(), roles: Any = None, **changes: Any) -> Said:  # noqa: B008
    force = make_force(limits=limit)
    more = {} if roles is None else {"roles": roles}
    (folder / "charter.json").write_bytes(force.charter_data)
    (folder / "order.json").write_bytes(make_order(force, REF, **more, **changes).data)
    return run("order", "check", folder / "order.json", "--charter", folder / "charter.json", "--json")


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
        assert f"{name}: {OBLIGATIONS[name]}" in said.out


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
        *(UNIT, order.operation, order.place.name, f"{order.window.end:%H:%M:%S UTC}", "room-1", "Duty operator"),
        *(order.notice.address, "1 in 1,000 faces", "at most 100", "0.5", "one officer", "A paper", "5 minutes", "1 h"),
    ):
        assert words in text, words
    assert max(map(len, text.splitlines())) <= 120
    assert set(named_in(text)) == {
        *("O2", "O3", "O5", "O7", "O9", "O10", "O11", "O15-17", "O19", "O20", "O21-22", "O23", "O25-27"),
    }
    assert len(legend(text)) == 13


# inspect


def test_a_watchlist_is_shown_without_its_templates(tmp_path: Path) -> None:
    force = make_force()
    order = make_order(force, REF)
    template = make_template()
    path = tmp_path / "watchlist.json"
    entries = [make_entry(f"v-{n}", templates=(template,) * 2) for n in range(200)]
    path.write_bytes(make_watchlist(force, order.digest, *entries))
    assert path.stat().st_size > limits.DOCUMENT_MAX_BYTES
    (tmp_path / "charter.json").write_bytes(force.charter_data)
    said = run("inspect", path, "--charter", tmp_path / "charter.json")
    assert said.json["kind"] == "watchlist"
    assert said.json["signed_by"] == ["watchlist_officer"]
    assert said.json["document"]["entries"][7]["templates"] == "2 not shown"
    assert msgspec.to_builtins(template)[:40] not in said.out


def test_a_units_signature_is_recognised_by_the_order_or_its_identity(office: Office) -> None:
    unit = new_unit()
    order = office.ordered(unit)
    office.receive(order, unit)
    assert run("inspect", office.receipt).json["signed_by"] == []
    assert run("inspect", office.receipt, "--order", office.order).json["signed_by"] == ["unit-1"]
    identity = office.base / "unit" / "identity.json"
    assert run("inspect", office.receipt, "--identity", identity).json["signed_by"] == ["unit-1"]
    office.receive(order, new_unit())
    assert run("inspect", office.receipt, "--identity", identity).json["signed_by"] == []
    identity.write_bytes(b"{}")
    refused(run("inspect", office.receipt, "--identity", identity), cli.BAD_INPUT, "identity")


def test_an_encrypted_document_is_said_to_be_one(tmp_path: Path) -> None:
    sealed = sealing.seal(b"x", [sealing.new_identity()[1]])
    (tmp_path / "watchlist.age").write_bytes(sealed)
    refused(run("inspect", tmp_path / "watchlist.age"), cli.BAD_INPUT, "encrypted")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 50_000])
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    refused(run("inspect", tmp_path / "x.json"), cli.BAD_INPUT, "expected a signed document")


def test_a_cancellation_is_shown_with_its_signer(tmp_path: Path) -> None:
    force = make_force()
    (tmp_path / "charter.json").write_bytes(force.charter_data)
    (tmp_path / "cancel.json").write_bytes(make_cancellation(force, "a" * 64))
    said = run("inspect", tmp_path / "cancel.json", "--charter", tmp_path / "charter.json")
    assert said.json["signed_by"] == ["authorising_officer"]
    assert said.json["document"]["order"] == "a" * 64


def test_every_kind_that_this_release_signs_can_be_inspected() -> None:
    """What `inspect` decodes is exactly what can be signed."""
    assert set(envelope.TYPES) >= set(Kind) - {Kind.ASSURANCE}
    assert envelope.TYPES[Kind.ORDER] is Order
