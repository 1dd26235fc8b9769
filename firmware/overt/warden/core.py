"""The unit's life as one pure function: situation and event in, situation and actions out.

`idle -> armed -> recognising <-> paused -> erasing -> idle`, and `idle <-> maintenance`, where a technician aims and no
order is in hand. Recognition is on only while every condition holds; each condition that is lost turns it off and is
named; the end of the order erases. Nothing here reads a clock, a file or a socket.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from overt.protocol.vocabulary import Doubt, Ending, State


@dataclass(frozen=True, slots=True)
class InForce:
    """What matters here of an accepted order."""

    digest: str
    start: datetime
    end: datetime
    model: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the world is like at one moment.

    Attributes:
        now: The time.
        at_least: What it is by now whatever the clock says: the last trusted time and what has passed since. None when
            there was no such time.
        clock_trusted: The time is known, and not earlier than the log.
        clock_error: By how much it may be wrong, either way.
        place_right: The unit is where the order says.
        lamp_lit: What was read back; None when it cannot be read.
        vision_model: The model that the connected vision process runs; None when it is not connected.
        vision_doubts: What vision says it cannot do.
        storage_sound: The log and the outbox can be written.
        cool: The board is not too hot to recognise, and that is known.
        shut: The enclosure is closed, so far as that can be known.
    """

    now: datetime
    at_least: datetime | None = None
    clock_trusted: bool = True
    clock_error: timedelta = timedelta()
    place_right: bool = True
    lamp_lit: bool | None = False
    vision_model: str | None = None
    vision_doubts: frozenset[Doubt] = frozenset()
    storage_sound: bool = True
    cool: bool = True
    shut: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the unit is in its life.

    Attributes:
        state: The state.
        since: When it was entered.
        order: The order in hand, in force or about to be.
        watchlist: Whether its watchlist is in memory.
        doubts: Why recognition is off although order and watchlist are there.
        ending: Why the last deployment ended.
        aiming: A technician looks at what the lens sees. Never together with an order.
    """

    state: State
    since: datetime
    order: InForce | None = None
    watchlist: bool = False
    doubts: frozenset[Doubt] = frozenset()
    ending: Ending | None = None
    aiming: bool = False


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """An order was checked and stored, and nothing is in hand."""

    order: InForce


@dataclass(frozen=True, slots=True)
class WatchlistLoaded:
    """The order's watchlist was checked and lies in locked memory."""


@dataclass(frozen=True, slots=True)
class WatchlistLost:
    """The watchlist is not in memory any more, and could not be read again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The deployment ends before its time."""

    why: Ending


@dataclass(frozen=True, slots=True)
class Erased:
    """Vision, memory and disk hold nothing of the deployment any more."""


@dataclass(frozen=True, slots=True)
class AimBegun:
    """A technician whom the charter names asks to see what the lens sees."""


@dataclass(frozen=True, slots=True)
class AimOver:
    """They are done, have gone, or have taken too long."""


Event = OrderAccepted | WatchlistLoaded | WatchlistLost | Ended | Erased | AimBegun | AimOver | None


class Action(Enum):
    """What has to be so, brought about in this order. Vision is stopped before the lamp goes dark."""

    LIGHT = "light"
    BEGIN = "begin"
    STOP = "stop"
    AIM = "aim"
    DARKEN = "darken"
    ERASE = "erase"


def step(before: Situation, event: Event, conditions: Conditions) -> tuple[Situation, tuple[Action, ...]]:
    """Take one step.

    Args:
        before: The situation.
        event: What happened; None when only time or conditions may have changed.
        conditions: What the world is like now.

    Returns:
        The situation after it, and what has to be so now. Actions are repeated with every step; each is harmless the
        second time.
    """
    after = _apply(before, event)
    if after.order is None:
        after = replace(after, aiming=after.aiming and conditions.vision_model is not None and conditions.cool)
        state, doubts, ending = State.MAINTENANCE if after.aiming else State.IDLE, frozenset[Doubt](), after.ending
    else:
        state, doubts, ending = _judge(after, after.order, conditions)
    since = before.since if state is before.state else conditions.now
    after = replace(after, state=state, since=since, doubts=doubts, ending=ending)
    return after, _actions(after)


def _apply(before: Situation, event: Event) -> Situation:  # noqa: PLR0911 - one line for each event
    match event:
        case OrderAccepted(order) if before.order is None:
            return replace(before, order=order, watchlist=False, ending=None, aiming=False)
        case AimBegun() | AimOver():
            return replace(before, aiming=isinstance(event, AimBegun) and before.order is None)
        case WatchlistLoaded() if before.order is not None and before.state is not State.ERASING:
            return replace(before, watchlist=True)
        case WatchlistLost():
            return replace(before, watchlist=False)
        case Ended(why) if before.order is not None and before.state is not State.ERASING:
            return replace(before, ending=why)
        case Erased() if before.state is State.ERASING:
            return replace(before, order=None, watchlist=False)
        case _:
            return before


def _judge(situation: Situation, order: InForce, world: Conditions) -> tuple[State, frozenset[Doubt], Ending | None]:
    """Say which state an order in hand, a watchlist or none, and the world amount to."""
    if situation.ending is not None:
        return State.ERASING, frozenset(), situation.ending
    by_now = world.now + world.clock_error if world.clock_trusted else world.at_least
    if by_now is not None and by_now >= order.end:
        return State.ERASING, frozenset(), Ending.WINDOW_OVER
    doubts = _doubts(order, world)
    if not situation.watchlist or (world.clock_trusted and world.now - world.clock_error < order.start):
        # Nothing has to be lit yet. A lamp that cannot be read, or is lit untold, is told of all the same.
        return State.ARMED, doubts if world.lamp_lit is None else doubts - {Doubt.INDICATOR}, None
    if not doubts:
        return State.RECOGNISING, doubts, None
    begun = situation.state in {State.RECOGNISING, State.PAUSED}
    return (State.PAUSED if begun else State.ARMED), doubts, None


def standing(world: Conditions) -> frozenset[Doubt]:
    """Return what would keep any order from being worked under, in the world as it is."""
    checks = {
        Doubt.CLOCK: world.clock_trusted,
        Doubt.PLACE: world.place_right,
        Doubt.STORAGE: world.storage_sound,
        Doubt.TEMPERATURE: world.cool,
        Doubt.ENCLOSURE: world.shut,
        Doubt.VISION: world.vision_model is not None,
        Doubt.INDICATOR: world.lamp_lit is not None,
    }
    return world.vision_doubts | {doubt for doubt, holds in checks.items() if not holds}


def _doubts(order: InForce, world: Conditions) -> frozenset[Doubt]:
    found = set(standing(world))
    checks = {Doubt.MODEL: world.vision_model in (None, order.model), Doubt.INDICATOR: world.lamp_lit is True}
    found |= {doubt for doubt, holds in checks.items() if not holds}
    # A lamp that is kept dark because of another doubt is no doubt of its own. One that cannot be read always is.
    return frozenset(found if world.lamp_lit is None or found == {Doubt.INDICATOR} else found - {Doubt.INDICATOR})


def _actions(after: Situation) -> tuple[Action, ...]:
    if after.state is State.RECOGNISING:
        return Action.LIGHT, Action.BEGIN
    if after.state is State.MAINTENANCE:
        return Action.LIGHT, Action.AIM  # whoever passes sees that the camera looks
    if _waits_for_light(after):
        return Action.STOP, Action.LIGHT
    if after.state is State.ERASING:
        return Action.STOP, Action.DARKEN, Action.ERASE
    return Action.STOP, Action.DARKEN


def _waits_for_light(situation: Situation) -> bool:
    """The lamp is lit first and read back, then recognition begins; so it is wanted when it alone is in doubt."""
    waiting = situation.state in {State.ARMED, State.PAUSED} and situation.watchlist
    return waiting and situation.doubts == {Doubt.INDICATOR}
