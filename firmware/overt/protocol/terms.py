"""The rules on what an order asks for: its window and its limits. Each broken one is found, not only the first."""

from collections.abc import Iterator
from datetime import datetime

from overt.protocol import evidence, limits
from overt.protocol.documents import Assurance, Charter, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Category, Refusal, UseCase


def broken(order: Order, charter: Charter, now: datetime, report: Assurance | None = None) -> Iterator[ProtocolError]:
    """Yield every rule that an order breaks, whoever has signed it. REGISTER ids are in the details.

    Args:
        order: What is asked for.
        charter: The charter that it stands on.
        now: The time.
        report: The assurance report that it stands on, checked; None when there is none.
    """
    if order.force != charter.force:
        yield ProtocolError(Refusal.WRONG_FORCE, f"expected a document of {charter.force}, found one of {order.force}")
    yield from _window(order, charter, now)
    yield from _limits(order, charter)
    yield from _use(order)
    yield from _evidence(order, report)


def _window(order: Order, charter: Charter, now: datetime) -> Iterator[ProtocolError]:
    window = order.window
    length = window.end - window.start
    longest = min(limits.ORDER_MAX_WINDOW.total_seconds(), charter.limits.window_max_hours * 3600)
    if length.total_seconds() <= 0:
        yield ProtocolError(Refusal.LIMIT, "this order's window ends before it starts (O21-22)")
    if length.total_seconds() > longest:
        yield ProtocolError(
            Refusal.LIMIT, f"an order lasts at most {longest / 3600:g} hours (O21-22); make one order for each day"
        )
    if now >= window.end:
        yield ProtocolError(Refusal.EXPIRED, f"this order ended at {window.end.isoformat()} (O21-22)")
    if window.start - now > limits.ORDER_MAX_LEAD:
        yield ProtocolError(
            Refusal.NOT_YET, f"this order starts more than {limits.ORDER_MAX_LEAD.days} days from now (O21-22)"
        )
    if window.end > charter.expires:
        yield ProtocolError(
            Refusal.LIMIT, "this order would outlive the charter that it stands on (O21-22): renew the charter first"
        )


def _limits(order: Order, charter: Charter) -> Iterator[ProtocolError]:
    own = charter.limits
    if order.threshold < own.threshold_min:
        yield ProtocolError(
            Refusal.LIMIT,
            f"expected a threshold of at least {own.threshold_min} (the force's own limit; O18), "
            f"found {order.threshold}",
        )
    if order.watchlist_max_entries > own.watchlist_max_entries:
        yield ProtocolError(
            Refusal.LIMIT,
            f"expected at most {own.watchlist_max_entries} entries (the force's own limit; O19), "
            f"found {order.watchlist_max_entries}",
        )
    if order.false_alert_ceiling > limits.FALSE_ALERT_CEILING_MAX:
        yield ProtocolError(
            Refusal.LIMIT,
            f"expected a ceiling of at most {limits.FALSE_ALERT_CEILING_MAX:g} false alerts per face seen (O19), "
            f"found {order.false_alert_ceiling:g}",
        )


def _use(order: Order) -> Iterator[ProtocolError]:
    volunteers_only = set(order.categories) == {Category.VOLUNTEER}
    if (order.use_case is UseCase.BLUE_WATCHLIST) != volunteers_only or (
        not volunteers_only and Category.VOLUNTEER in order.categories
    ):
        yield ProtocolError(
            Refusal.LIMIT,
            "a blue watchlist lists volunteers and nobody else, and no other use case lists volunteers (O2)",
        )


def _evidence(order: Order, report: Assurance | None) -> Iterator[ProtocolError]:
    """A blue watchlist exercise needs no report: it is what reports are made of (ADR 0004, 0007)."""
    if report is not None:
        yield from evidence.lacking(order, report)
    elif order.assurance is not None:
        yield ProtocolError(
            Refusal.NO_ASSURANCE,
            f"the assurance report {order.assurance[:12]}… that this order names is not here, or a newer one on the "
            "model is (O18): deliver the report first, or name the newer one",
        )
    elif order.use_case is not UseCase.BLUE_WATCHLIST:
        yield ProtocolError(
            Refusal.NO_ASSURANCE,
            "this order names no assurance report on its model and threshold, so blue watchlist exercises are all "
            "that it could be for (O18, O20)",
        )
