"""The rules on what an order asks for: its window and its limits. Each broken one is found, not only the first."""

from collections.abc import Iterator
from datetime import datetime

from overt.protocol import limits
from overt.protocol.documents import Charter, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Category, Refusal, UseCase


def broken(order: Order, charter: Charter, now: datetime) -> Iterator[ProtocolError]:
    """Yield every rule that an order breaks, whoever has signed it. REGISTER ids are in the details.

    Args:
        order: What is asked for.
        charter: The charter that it stands on.
        now: The time.
    """
    if order.force != charter.force:
        yield ProtocolError(Refusal.WRONG_FORCE, f"expected a document of {charter.force}, found one of {order.force}")
    yield from _window(order, charter, now)
    yield from _limits(order, charter)
    yield from _use(order)


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
    if order.use_case is not UseCase.BLUE_WATCHLIST:
        # Fail closed (promise 6): a threshold needs a signed assurance report, and nothing here can check one yet.
        yield ProtocolError(
            Refusal.NO_ASSURANCE,
            "this release has no way to check an assurance report, so it runs blue watchlist exercises only (O18, O20)",
        )
