"""MQTT topics: `overt/v1/{force}/{unit}/{leaf}`."""

from enum import StrEnum

from overt.protocol.errors import Malformed
from overt.protocol.fields import Value
from overt.protocol.vocabulary import Kind

ROOT = "overt/v1"
_LEVELS = 5


class Up(StrEnum):
    """What a unit publishes."""

    ALERT = "alert"
    STATUS = "status"
    HEALTH = "health"
    RECEIPT = "receipt"
    CHECKPOINT = "checkpoint"


class Down(StrEnum):
    """What a unit listens to."""

    ORDER = "order"
    WATCHLIST = "watchlist"
    CANCEL = "cancel"
    LOAN = "loan"
    CHARTER = "charter"
    ASSURANCE = "assurance"
    TIME = "time"


BRINGS: dict[Down, Kind] = {
    Down.ORDER: Kind.ORDER,
    Down.WATCHLIST: Kind.WATCHLIST,
    Down.CANCEL: Kind.CANCELLATION,
    Down.LOAN: Kind.LOAN,
    Down.CHARTER: Kind.CHARTER,
    Down.ASSURANCE: Kind.ASSURANCE,
    Down.TIME: Kind.TIME,
}
"""Which document comes on which topic. Watchlists come encrypted, the rest signed in the clear."""

CARRIES: dict[Up, tuple[Kind, ...]] = {
    Up.ALERT: (Kind.ALERT,),
    Up.STATUS: (Kind.STATUS,),
    Up.HEALTH: (Kind.HEALTH,),
    Up.RECEIPT: (Kind.RECEIPT, Kind.ERASURE, Kind.HANDBACK),
    Up.CHECKPOINT: (Kind.CHECKPOINT,),
}
"""Which reports travel on which topic. Alerts travel encrypted, the rest signed in the clear."""

RETAINED = frozenset({Up.STATUS})
"""Only the last status is kept by a broker. An alert never is."""


class Topic(Value, frozen=True, kw_only=True):
    """A parsed topic."""

    force: str
    unit: str
    leaf: Up | Down

    def __str__(self) -> str:
        """Return the topic as MQTT writes it."""
        return f"{ROOT}/{self.force}/{self.unit}/{self.leaf.value}"


def parse(topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        Malformed: Not one of Overt's topics.
    """
    parts = topic.split("/")
    if len(parts) != _LEVELS or "/".join(parts[:2]) != ROOT or not parts[2] or not parts[3]:
        raise Malformed(f"expected a topic like {ROOT}/force/unit/alert")
    for leaves in (Up, Down):
        if parts[4] in set(leaves):
            return Topic(force=parts[2], unit=parts[3], leaf=leaves(parts[4]))
    raise Malformed("expected one of Overt's topics, found an unknown last level")
