"""An order in plain words: what a unit will and will not do under it."""

from overt.protocol import limits
from overt.protocol.documents import Area, Order
from overt.protocol.vocabulary import UseCase


def explain(order: Order, digest: str) -> str:
    """Return what an order means, for the people who sign it."""
    window, place = order.window, order.place
    where = f"inside {place.name} ({len(place.corners)} corners)" if isinstance(place, Area) else f"at {place.name}"
    units = ", ".join(unit.unit for unit in order.units)
    rooms = ", ".join(room.name for room in order.control_rooms)
    listed = "consenting volunteers" if order.use_case is UseCase.BLUE_WATCHLIST else "people"
    lines = [
        f"Order {digest[:12]}…, operation {order.operation}, of {order.force}.",
        "",
        "Under this order",
        f"  - the unit(s) {units} will look for {listed} of the categories {', '.join(order.categories)},",
        f"    at most {order.watchlist_max_entries} of them,",
        f"  - {where},",
        f"  - from {window.start:%Y-%m-%d %H:%M %Z} until {window.end:%Y-%m-%d %H:%M %Z}, and not a second longer,",
        f"  - with the model {order.model[:12]}… and alerts from a score of {order.threshold:g},",
        f"  - telling {rooms} of each possible match,",
        f"    for a person to judge within {order.retention.adjudication_minutes} minutes,",
        f"  - with the lamp lit and the notice public at {order.notice.address}.",
        "",
        "It will not",
        "  - recognise anyone elsewhere, earlier, later, with another model, or with the lamp dark,",
        f"  - accept a watchlist older than {limits.WATCHLIST_MAX_AGE.total_seconds() / 3600:g} hours (O7)",
        "    or not reviewed for this deployment (O5),",
        "  - keep an image or template of anyone who raises no alert (O10), or any image at all,",
        f"  - keep an undelivered alert for more than {order.retention.alerts_hours} hours (O11),",
        "  - keep the watchlist, or the key to it, once the order has ended or was cancelled.",
    ]
    return "\n".join(lines)
