"""What an order, the force and the law ask of each row, apart from its image. Pure; every broken rule is found."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from overt.protocol.documents import ForceLimits, Order
from overt.protocol.limits import WATCHLIST_MAX_AGE, WATCHLIST_MAX_TEMPLATES_PER_ENTRY
from overt.protocol.vocabulary import Category
from overt_provisioning.findings import Finding, Reason
from overt_provisioning.manifest import Row, is_placeholder


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is judged by.

    Attributes:
        categories: Those that the order permits.
        most_entries: People that the order permits.
        operation: The order's reference of the deployment.
        model: Digest of the model set that the order names.
        moment: The time of judging.
        start: When the deployment starts, if that is known.
        limits: The force's own limits.
        reviewed_now: Whether reviews must be fresh: a list that is only being checked, days before, will be reviewed
            again.
    """

    categories: tuple[Category, ...]
    most_entries: int
    operation: str = ""
    model: str
    moment: datetime
    start: datetime | None = None
    limits: ForceLimits = ForceLimits()
    reviewed_now: bool = True


def of_order(order: Order, limits: ForceLimits, moment: datetime, *, reviewed_now: bool = True) -> Criteria:
    """Return what an order asks of its list."""
    return Criteria(
        categories=order.categories,
        most_entries=order.watchlist_max_entries,
        operation=order.operation,
        model=order.model,
        moment=moment,
        start=order.window.start,
        limits=limits,
        reviewed_now=reviewed_now,
    )


def judge(row: Row, criteria: Criteria) -> Iterator[Finding]:
    """Yield every rule that a row breaks by itself."""
    if row.category not in criteria.categories:
        permitted = ", ".join(criteria.categories)
        yield Finding(Reason.CATEGORY, f"category {row.category.value}: the order permits {permitted} only (O2)")
    yield from _review(row, criteria)
    yield from _age(row)
    yield from _image_date(row, criteria)
    if row.expires <= max(criteria.moment, criteria.start or criteria.moment):
        what = "it has expired" if row.expires <= criteria.moment else "it expires before the deployment starts"
        yield Finding(Reason.EXPIRED, f"expires: expected a time to come, found {_day(row.expires)}: {what}")


def notes(row: Row, criteria: Criteria) -> Iterator[Finding]:
    """Yield what is still to be done before a list is made of rows that were only checked."""
    if not criteria.reviewed_now and criteria.moment - row.reviewed > WATCHLIST_MAX_AGE:
        yield Finding(
            Reason.REVIEW_TOO_OLD, "reviewed: expected a review in the 24 hours before the list is made (O5): still due"
        )


def judge_among(row: Row, first: Row | None, images: int, people: int, criteria: Criteria) -> Iterator[Finding]:
    """Yield what a row breaks among the rows accepted before it.

    Args:
        row: The row.
        first: The first accepted row of the same reference.
        images: How many of that reference have been accepted.
        people: How many references have been accepted.
        criteria: What it is judged by.
    """
    if first is None:
        if people >= criteria.most_entries:
            yield Finding(
                Reason.TOO_MANY_PEOPLE, f"expected at most {criteria.most_entries} people, the order's limit (O19)"
            )
        return
    if images >= WATCHLIST_MAX_TEMPLATES_PER_ENTRY:
        yield Finding(
            Reason.TOO_MANY_IMAGES, f"expected at most {WATCHLIST_MAX_TEMPLATES_PER_ENTRY} images of one person"
        )
    differing = [
        name
        for name in row.__struct_fields__
        if name not in {"image", "image_date"} and getattr(row, name) != getattr(first, name)
    ]
    if differing:
        yield Finding(
            Reason.OTHER_PARTICULARS,
            f"expected the same particulars in every row of one reference, found another {', '.join(differing)}",
        )


def _review(row: Row, criteria: Criteria) -> Iterator[Finding]:
    if row.reviewed > criteria.moment:
        yield Finding(Reason.NOT_REVIEWED, "reviewed: expected a time that is past (O5), found one to come")
    elif criteria.reviewed_now and criteria.moment - row.reviewed > WATCHLIST_MAX_AGE:
        yield Finding(
            Reason.REVIEW_TOO_OLD,
            "reviewed: expected a review for this deployment, of the last 24 hours (O5), found an older one",
        )


def _age(row: Row) -> Iterator[Finding]:
    if not row.under_18:
        return
    if row.under_18_rationale is None or is_placeholder(row.under_18_rationale):
        yield Finding(Reason.UNDER_18, "under_18_rationale: expected the significant risk of harm (O9), found none")
    if row.under_18_authorised_by is None or is_placeholder(row.under_18_authorised_by):
        yield Finding(Reason.UNDER_18, "under_18_authorised_by: expected the post that authorised it (O9), found none")
    elif row.under_18_authorised_by.casefold() == row.reviewed_by.casefold():
        yield Finding(
            Reason.UNDER_18, "under_18_authorised_by: expected another post than the reviewer's (O9), found the same"
        )


def _image_date(row: Row, criteria: Criteria) -> Iterator[Finding]:
    days = criteria.limits.image_max_age_days_under_18 if row.under_18 else criteria.limits.image_max_age_days
    if row.image_date > criteria.moment:
        yield Finding(Reason.MALFORMED, f"image_date: expected a time that is past, found {_day(row.image_date)}")
    elif criteria.moment - row.image_date > timedelta(days=days):
        who = "someone under 18" if row.under_18 else "an adult"
        yield Finding(
            Reason.IMAGE_TOO_OLD,
            f"image_date: expected an image of the last {days:,} days for {who} (O5), found one of "
            f"{_day(row.image_date)}",
        )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
