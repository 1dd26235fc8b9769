"""What a control room trusts: a force's charter and the orders that its officers signed. The rest is checked."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from overt.protocol import limits
from overt.protocol.authority import Checked
from overt.protocol.documents import Charter, Order


class Trust(msgspec.Struct, frozen=True):
    """The trusted values that alerts and reports are judged against.

    Attributes:
        room: The name of this control room.
        charter: The pinned root.
        orders: Orders with good signatures, by digest. Past ones too: an alert may come late.
    """

    room: str
    charter: Charter
    orders: Mapping[str, Checked[Order]]

    @property
    def force(self) -> str:
        """The force whose units these are."""
        return self.charter.force

    def keys_of(self, unit: str) -> frozenset[str]:
        """Return every key that an order gives to a unit of this name."""
        return frozenset(ref.key for order in self.orders.values() for ref in order.document.units if ref.unit == unit)

    def names(self, order: str, unit: str, key: str) -> bool:
        """Say whether an order names a unit with a key."""
        checked = self.orders.get(order)
        return checked is not None and any(ref.unit == unit and ref.key == key for ref in checked.document.units)


def forget_at(order: Order) -> datetime:
    """Return when the alerts of an order are forgotten: after the last of them has expired, so none counts twice."""
    keep = min(timedelta(hours=order.retention.alerts_hours), limits.ALERT_MAX_RETENTION)
    return order.window.end + keep + 2 * limits.CLOCK_TOLERANCE
