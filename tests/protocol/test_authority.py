"""Promise 2, as far as paper goes: what makes a document lawful, and each way in which it is not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from overt.protocol import authority, envelope, limits
from overt.protocol.documents import ForceLimits, Order, PublicKey, RoleKeys, UnitRef, Window
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Category, Kind, Refusal, Role, UseCase
from tests import builders
from tests.builders import MODEL, UNIT, Force, make_entry, make_force, make_order, make_party, utc_now

NOW = utc_now()
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def force() -> Force:
    return make_force()


@pytest.fixture(scope="module")
def stranger() -> Force:
    return make_force()


UNIT_KEY = make_party()
REF = UnitRef(unit=UNIT, key=UNIT_KEY.public)


def refusal(check: Callable[[], object]) -> Refusal:
    with pytest.raises(ProtocolError) as caught:
        check()
    return caught.value.code


def order_refusal(force: Force, **changes: Any) -> Refusal:
    order = make_order(force, REF, **changes)
    return refusal(lambda: authority.check_order(order.data, force.charter, NOW))


# Charters


def test_a_charter_signed_by_its_own_root_is_accepted(force: Force) -> None:
    assert authority.check_charter(force.charter_data, NOW).document == force.charter


def test_a_charter_signed_by_anyone_else_is_refused(force: Force, stranger: Force) -> None:
    forged = envelope.sign(force.charter, [stranger[Role.ROOT].signer])
    assert refusal(lambda: authority.check_charter(forged, NOW)) is Refusal.NOT_AUTHORISED


def test_an_expired_charter_is_refused(force: Force) -> None:
    later = force.charter.expires
    assert refusal(lambda: authority.check_charter(force.charter_data, later)) is Refusal.EXPIRED


def test_a_charter_cannot_be_rolled_back_or_replaced_without_the_old_root(force: Force, stranger: Force) -> None:
    current = force.charter
    assert refusal(lambda: authority.check_charter(force.charter_data, NOW, current)) is Refusal.ROLLED_BACK
    successor = make_force(people=stranger.people, version=2)
    assert refusal(lambda: authority.check_charter(successor.charter_data, NOW, current)) is Refusal.NOT_AUTHORISED
    both = envelope.countersign(successor.charter_data, Kind.CHARTER, force[Role.ROOT].signer)
    assert authority.check_charter(both, NOW, current).document.version == 2


def test_a_charter_of_another_force_never_replaces_this_one(force: Force) -> None:
    other = make_force("other-force", people=force.people, version=2)
    assert refusal(lambda: authority.check_charter(other.charter_data, NOW, force.charter)) is Refusal.WRONG_FORCE


def test_a_charter_whose_key_ids_are_not_its_keys_is_refused(force: Force) -> None:
    (one, first), (two, second), *_ = force.charter.keys.items()
    swapped = make_force(people=force.people, keys={**force.charter.keys, one: second, two: first})
    assert refusal(lambda: authority.check_charter(swapped.charter_data, NOW)) is Refusal.MALFORMED


def test_one_post_cannot_hold_two_keys_of_a_charter(force: Force) -> None:
    keys = {keyid: PublicKey(public=key.public, post="Same post") for keyid, key in force.charter.keys.items()}
    doubled = make_force(people=force.people, keys=keys)
    assert refusal(lambda: authority.check_charter(doubled.charter_data, NOW)) is Refusal.MALFORMED


@pytest.mark.parametrize("keys", [("f" * 64,), None])
def test_a_role_that_cannot_be_filled_is_refused(force: Force, keys: tuple[str, ...] | None) -> None:
    root = force[Role.ROOT].keyid
    held = RoleKeys(keys=keys) if keys else RoleKeys(keys=(root, root), threshold=2)
    broken = make_force(people=force.people, roles={**force.charter.roles, Role.SECOND_OFFICER: held})
    assert refusal(lambda: authority.check_charter(broken.charter_data, NOW)) is Refusal.MALFORMED


# Orders


def test_p2_an_order_signed_by_both_officers_is_accepted(force: Force) -> None:
    order = make_order(force, REF)
    checked = authority.check_order(order.data, force.charter, NOW)
    assert checked.document == order.document
    authority.check_for_unit(checked.document, UNIT, UNIT_KEY.public, MODEL)


@pytest.mark.parametrize(
    "roles",
    [
        (Role.AUTHORISING_OFFICER,),
        (Role.SECOND_OFFICER,),
        (Role.ROOT, Role.TECHNICIAN),
        (Role.AUTHORISING_OFFICER, Role.WATCHLIST_OFFICER),
    ],
)
def test_p2_an_order_lacking_an_officer_is_refused(force: Force, roles: tuple[Role, ...]) -> None:
    assert order_refusal(force, roles=roles) is Refusal.NOT_AUTHORISED


def test_p2_an_order_signed_by_strangers_is_refused(force: Force, stranger: Force) -> None:
    order = make_order(stranger, REF)
    assert refusal(lambda: authority.check_order(order.data, force.charter, NOW)) is Refusal.NOT_AUTHORISED


def test_p2_one_person_in_both_roles_cannot_sign_twice() -> None:
    both = make_party()
    people = {role: make_party() for role in Role} | dict.fromkeys(builders.OFFICERS, both)
    force = make_force(people=people, keys={p.keyid: PublicKey(public=p.public, post=p.keyid) for p in people.values()})
    authority.check_charter(force.charter_data, NOW)
    data = envelope.sign(make_order(force, REF).document, [both.signer])
    assert refusal(lambda: authority.check_order(data, force.charter, NOW)) is Refusal.NOT_AUTHORISED


def test_p2_a_charter_that_asks_for_two_authorising_officers_gets_two() -> None:
    deputy, base = make_party(), make_force()
    keys = {**base.charter.keys, deputy.keyid: PublicKey(public=deputy.public, post="Deputy")}
    two = RoleKeys(keys=(base[Role.AUTHORISING_OFFICER].keyid, deputy.keyid), threshold=2)
    force = make_force(people=base.people, keys=keys, roles={**base.charter.roles, Role.AUTHORISING_OFFICER: two})
    order = make_order(force, REF)
    assert refusal(lambda: authority.check_order(order.data, force.charter, NOW)) is Refusal.NOT_AUTHORISED
    signed = envelope.countersign(order.data, Kind.ORDER, deputy.signer)
    assert authority.check_order(signed, force.charter, NOW).document == order.document


def test_p2_an_order_of_another_force_is_refused_even_if_the_officers_are_the_same(force: Force) -> None:
    other = make_force("other-force", people=force.people)
    order = make_order(other, REF)
    assert refusal(lambda: authority.check_order(order.data, force.charter, NOW)) is Refusal.WRONG_FORCE


def window(start: timedelta, end: timedelta) -> Window:
    return Window(start=NOW + start, end=NOW + end)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (window(-2 * HOUR, -HOUR), Refusal.EXPIRED),
        (window(HOUR, HOUR), Refusal.LIMIT),
        (window(2 * HOUR, HOUR), Refusal.LIMIT),
        (window(-HOUR, limits.ORDER_MAX_WINDOW), Refusal.LIMIT),
        (window(limits.ORDER_MAX_LEAD + HOUR, limits.ORDER_MAX_LEAD + 2 * HOUR), Refusal.NOT_YET),
    ],
)
def test_p2_an_order_outside_its_time_is_refused(force: Force, changed: Window, code: Refusal) -> None:
    assert order_refusal(force, window=changed) is code


def test_an_order_cannot_outlive_its_charter(force: Force) -> None:
    short = make_force(people=force.people, expires=NOW + HOUR / 2)
    assert order_refusal(short) is Refusal.LIMIT


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": limits.THRESHOLD_MIN - 0.01},
        {"threshold": float("nan")},
        {"watchlist_max_entries": limits.WATCHLIST_MAX_ENTRIES + 1},
        {"categories": ()},
        {"purpose": ""},
        {"purpose": "line\x1b[31m"},
        {"operation": "../../etc/passwd\n"},
        {"model": "A" * 64},
    ],
)
def test_an_order_that_breaks_a_bound_is_malformed(force: Force, changes: dict[str, object]) -> None:
    assert order_refusal(force, **changes) is Refusal.MALFORMED


def test_a_forces_own_limits_tighten_the_products(force: Force) -> None:
    strict = make_force(
        people=force.people,
        limits=ForceLimits(watchlist_max_entries=10, threshold_min=0.6, window_max_hours=1),
    )
    assert order_refusal(strict, threshold=0.59, watchlist_max_entries=10) is Refusal.LIMIT
    assert order_refusal(strict, threshold=0.6, watchlist_max_entries=11) is Refusal.LIMIT
    long = window(-HOUR, HOUR)
    assert order_refusal(strict, threshold=0.6, watchlist_max_entries=10, window=long) is Refusal.LIMIT


@pytest.mark.parametrize("use_case", [case for case in UseCase if case is not UseCase.BLUE_WATCHLIST])
def test_p6_an_order_that_would_need_assurance_is_refused(force: Force, use_case: UseCase) -> None:
    changes = {"use_case": use_case, "categories": (Category.MISSING,)}
    assert order_refusal(force, **changes) is Refusal.NO_ASSURANCE


@pytest.mark.parametrize(
    ("use_case", "categories"),
    [
        (UseCase.BLUE_WATCHLIST, (Category.VOLUNTEER, Category.MISSING)),
        (UseCase.BLUE_WATCHLIST, (Category.WANTED_BY_COURT,)),
        (UseCase.MISSING_PERSONS, (Category.VOLUNTEER,)),
        (UseCase.MISSING_PERSONS, (Category.VOLUNTEER, Category.MISSING)),
    ],
)
def test_p6_nobody_but_volunteers_is_listed_under_the_name_of_a_blue_watchlist(
    force: Force, use_case: UseCase, categories: tuple[Category, ...]
) -> None:
    assert order_refusal(force, use_case=use_case, categories=categories) is Refusal.LIMIT


@pytest.mark.parametrize(
    ("unit", "key", "model", "code"),
    [
        ("unit-2", UNIT_KEY.public, MODEL, Refusal.WRONG_UNIT),
        (UNIT, "0" * 64, MODEL, Refusal.WRONG_UNIT),
        (UNIT, UNIT_KEY.public, "c" * 64, Refusal.WRONG_MODEL),
    ],
    ids=["another unit", "another key", "another model"],
)
def test_p2_an_order_for_another_unit_key_or_model_is_refused(
    force: Force, unit: str, key: str, model: str, code: Refusal
) -> None:
    order = make_order(force, REF).document
    assert refusal(lambda: authority.check_for_unit(order, unit, key, model)) is code


# Watchlists


@pytest.fixture(scope="module")
def order(force: Force) -> authority.Checked[Order]:
    return make_order(force, REF, watchlist_max_entries=2)


def watchlist_refusal(force: Force, order: authority.Checked[Order], data: bytes) -> Refusal:
    return refusal(lambda: authority.check_watchlist(data, force.charter, order, utc_now()))


def test_a_watchlist_of_the_watchlist_officer_for_this_order_is_accepted(
    force: Force, order: authority.Checked[Order]
) -> None:
    data = builders.make_watchlist(force, order.digest)
    assert len(authority.check_watchlist(data, force.charter, order, utc_now()).document.entries) == 1


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.WATCHLIST_OFFICER])
def test_a_watchlist_signed_in_any_other_role_is_refused(
    force: Force, order: authority.Checked[Order], role: Role
) -> None:
    data = builders.make_watchlist(force, order.digest, roles=(role,))
    assert watchlist_refusal(force, order, data) is Refusal.NOT_AUTHORISED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": "d" * 64}, Refusal.WRONG_ORDER),
        ({"model": "d" * 64}, Refusal.WRONG_MODEL),
        ({"made": NOW - limits.WATCHLIST_MAX_AGE - HOUR}, Refusal.EXPIRED),
        ({"made": NOW + HOUR}, Refusal.NOT_YET),
        ({"entries": tuple(make_entry(f"v{n}") for n in range(3))}, Refusal.LIMIT),
        ({"entries": (make_entry("same"), make_entry("same"))}, Refusal.MALFORMED),
        ({"entries": (make_entry(category=Category.MISSING),)}, Refusal.LIMIT),
        ({"entries": (make_entry(under_18=True),)}, Refusal.LIMIT),
        ({"entries": (make_entry(expires=NOW - HOUR),)}, Refusal.EXPIRED),
        ({"entries": (make_entry(reviewed=NOW - 25 * HOUR),)}, Refusal.LIMIT),
        ({"entries": (make_entry(reviewed=NOW + HOUR),)}, Refusal.LIMIT),
        ({"entries": (make_entry(templates=(b"short",)),)}, Refusal.MALFORMED),
        ({"entries": ()}, Refusal.MALFORMED),
    ],
)
def test_a_watchlist_that_breaks_a_rule_is_refused(
    force: Force, order: authority.Checked[Order], changes: dict[str, Any], code: Refusal
) -> None:
    fields = {"order": order.digest, **changes}
    empty = fields.get("entries") == ()
    data = builders.make_watchlist(force, fields.pop("order"), **({} if empty else fields))
    if empty:
        document = builders.Watchlist(force=force.charter.force, order=order.digest, made=NOW, model=MODEL, entries=())
        data = envelope.sign(document, force.signers(Role.WATCHLIST_OFFICER))
    assert watchlist_refusal(force, order, data) is code


# Cancellations


@pytest.mark.parametrize("role", builders.OFFICERS)
def test_one_officer_suffices_to_stop(force: Force, order: authority.Checked[Order], role: Role) -> None:
    data = builders.make_cancellation(force, order.digest, roles=(role,))
    assert authority.check_cancellation(data, force.charter, order.digest).document.order == order.digest


def test_nobody_else_can_stop_and_no_other_order_is_stopped(force: Force, order: authority.Checked[Order]) -> None:
    by_other = builders.make_cancellation(force, order.digest, roles=(Role.TECHNICIAN,))
    of_other = builders.make_cancellation(force, "e" * 64)
    check = lambda data: authority.check_cancellation(data, force.charter, order.digest)  # noqa: E731 - used twice
    assert refusal(lambda: check(by_other)) is Refusal.NOT_AUTHORISED
    assert refusal(lambda: check(of_other)) is Refusal.WRONG_ORDER
