"""The unit itself refuses what the law guards more: people under 18 without a second authority, and old images."""

from datetime import timedelta
from typing import Any

import pytest

from overt.protocol import authority, limits
from overt.protocol.documents import ForceLimits, UnitRef
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal
from tests.builders import UNIT, make_entry, make_force, make_order, make_party, make_watchlist, utc_now

NOW = utc_now()
DAY = timedelta(days=1)
CHILD = {"under_18": True, "under_18_rationale": "Risk of harm", "under_18_authorised_by": "Superintendent"}


def check(limit: ForceLimits = ForceLimits(), **entry: Any) -> None:  # noqa: B008 - immutable
    force = make_force(limits=limit)
    order = make_order(force, UnitRef(unit=UNIT, key=make_party().public))
    data = make_watchlist(force, order.digest, make_entry(now=NOW, **entry))
    authority.check_watchlist(data, force.charter, order, utc_now())


def refused(limit: ForceLimits = ForceLimits(), **entry: Any) -> str:  # noqa: B008 - immutable
    with pytest.raises(ProtocolError) as refusal:
        check(limit, **entry)
    assert refusal.value.code is Refusal.LIMIT
    return refusal.value.detail


@pytest.mark.parametrize("second", [None, "Watchlist officer", " watchlist OFFICER "])
def test_someone_under_18_is_refused_unless_a_post_other_than_the_reviewers_authorised_it(second: str | None) -> None:
    assert "(O9)" in refused(**{**CHILD, "under_18_authorised_by": second})
    check(**CHILD)


def test_someone_under_18_is_refused_without_a_rationale() -> None:
    assert "(O9)" in refused(**{**CHILD, "under_18_rationale": None})


def test_an_image_that_is_too_old_or_not_yet_taken_is_refused() -> None:
    check(image_date=NOW - limits.IMAGE_MAX_AGE + DAY)
    assert "(O5)" in refused(image_date=NOW - limits.IMAGE_MAX_AGE - DAY)
    assert "(O5)" in refused(image_date=NOW + DAY)


def test_an_image_of_someone_under_18_is_too_old_sooner() -> None:
    check(**CHILD, image_date=NOW - limits.IMAGE_MAX_AGE_UNDER_18 + DAY)
    assert "(O5)" in refused(**CHILD, image_date=NOW - limits.IMAGE_MAX_AGE_UNDER_18 - DAY)


def test_a_forces_own_limit_on_images_is_kept_by_the_unit() -> None:
    strict = ForceLimits(image_max_age_days=30, image_max_age_days_under_18=7)
    check(strict, image_date=NOW - 29 * DAY)
    assert "30 days" in refused(strict, image_date=NOW - 31 * DAY)
    assert "7 days" in refused(strict, **CHILD, image_date=NOW - 8 * DAY)
