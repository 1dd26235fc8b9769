"""The unit's life, step by step and by random walks: nothing is recognised unless every condition holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overt.protocol.vocabulary import Doubt, Ending, State
from overt.warden.core import (
    Action,
    Conditions,
    Ended,
    Erased,
    Event,
    InForce,
    OrderAccepted,
    Situation,
    WatchlistLoaded,
    WatchlistLost,
    step,
)

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
ORDER = InForce(digest="d" * 64, start=START, end=START + timedelta(hours=1), model="m")
GOOD = Conditions(now=START + timedelta(minutes=1), lamp_lit=True, vision_model="m")
IDLE = Situation(State.IDLE, START)

LOSSES: dict[Doubt, dict[str, Any]] = {
    Doubt.CLOCK: {"clock_trusted": False},
    Doubt.PLACE: {"place_right": False},
    Doubt.INDICATOR: {"lamp_lit": False},
    Doubt.VISION: {"vision_model": None},
    Doubt.MODEL: {"vision_model": "another"},
    Doubt.STORAGE: {"storage_sound": False},
    Doubt.CAMERA: {"vision_doubts": frozenset({Doubt.CAMERA})},
    Doubt.TEMPERATURE: {"cool": False},
    Doubt.ENCLOSURE: {"shut": False},
}


def after(*events: Event, world: Conditions = GOOD, start: Situation = IDLE) -> Situation:
    situation = start
    for event in events:
        situation, _ = step(situation, event, world)
    return situation


RECOGNISING = after(OrderAccepted(ORDER), WatchlistLoaded())


def test_with_an_order_a_watchlist_and_every_condition_it_recognises() -> None:
    assert RECOGNISING.state is State.RECOGNISING
    assert not RECOGNISING.doubts


def test_without_a_watchlist_it_is_armed_and_the_lamp_stays_dark() -> None:
    situation, actions = step(IDLE, OrderAccepted(ORDER), replace(GOOD, lamp_lit=False))
    assert situation.state is State.ARMED
    assert actions == (Action.STOP, Action.DARKEN)


def test_the_lamp_is_lit_and_read_back_before_anything_is_recognised() -> None:
    dark = replace(GOOD, lamp_lit=False)
    situation = after(OrderAccepted(ORDER), world=dark)
    situation, actions = step(situation, WatchlistLoaded(), dark)
    assert situation.state is State.ARMED
    assert actions == (Action.STOP, Action.LIGHT)
    situation, actions = step(situation, None, GOOD)
    assert situation.state is State.RECOGNISING
    assert actions == (Action.LIGHT, Action.BEGIN)


@pytest.mark.parametrize("doubt", LOSSES, ids=lambda doubt: doubt.value)
def test_a_condition_lost_pauses_says_which_and_recovers_by_itself(doubt: Doubt) -> None:
    paused, actions = step(RECOGNISING, None, replace(GOOD, **LOSSES[doubt]))
    assert paused.state is State.PAUSED
    assert paused.doubts == {doubt}
    assert Action.STOP in actions
    recovered, actions = step(paused, None, GOOD)
    assert recovered.state is State.RECOGNISING
    assert not recovered.doubts
    assert Action.BEGIN in actions


@pytest.mark.parametrize("doubt", LOSSES, ids=lambda doubt: doubt.value)
def test_a_condition_missing_from_the_start_keeps_recognition_from_beginning(doubt: Doubt) -> None:
    situation = after(OrderAccepted(ORDER), WatchlistLoaded(), world=replace(GOOD, **LOSSES[doubt]))
    assert situation.state is State.ARMED
    assert doubt in situation.doubts


def test_a_lamp_that_is_dark_because_of_another_doubt_is_no_doubt_of_its_own() -> None:
    assert after(None, world=replace(GOOD, place_right=False, lamp_lit=False), start=RECOGNISING).doubts == {
        Doubt.PLACE
    }
    unreadable = replace(GOOD, place_right=False, lamp_lit=None)
    assert after(None, world=unreadable, start=RECOGNISING).doubts == {Doubt.PLACE, Doubt.INDICATOR}


def test_a_lamp_that_cannot_be_read_counts_as_dark() -> None:
    assert after(None, world=replace(GOOD, lamp_lit=None), start=RECOGNISING).doubts == {Doubt.INDICATOR}


def test_before_its_window_an_order_only_arms() -> None:
    early = replace(GOOD, now=START - timedelta(seconds=1))
    situation, actions = step(after(OrderAccepted(ORDER), world=early), WatchlistLoaded(), early)
    assert situation.state is State.ARMED
    assert Action.LIGHT not in actions
    assert step(situation, None, replace(GOOD, now=START))[0].state is State.RECOGNISING


def test_the_last_moment_of_the_window_is_in_it_and_its_end_is_not() -> None:
    assert after(None, world=replace(GOOD, now=ORDER.end - timedelta(microseconds=1)), start=RECOGNISING).state is (
        State.RECOGNISING
    )
    over, actions = step(RECOGNISING, None, replace(GOOD, now=ORDER.end))
    assert (over.state, over.ending) == (State.ERASING, Ending.WINDOW_OVER)
    assert actions == (Action.STOP, Action.DARKEN, Action.ERASE)


@pytest.mark.parametrize("why", [Ending.CANCELLED, Ending.KEY_LOST, Ending.TAMPER])
def test_an_early_end_erases_and_then_the_unit_is_idle_and_says_why(why: Ending) -> None:
    erasing, actions = step(RECOGNISING, Ended(why), GOOD)
    assert (erasing.state, erasing.ending) == (State.ERASING, why)
    assert {Action.STOP, Action.ERASE} <= set(actions)
    idle, actions = step(erasing, Erased(), GOOD)
    assert (idle.state, idle.order, idle.watchlist, idle.ending) == (State.IDLE, None, False, why)
    assert actions == (Action.STOP, Action.DARKEN)


def test_erasing_cannot_be_undone_by_a_watchlist_an_order_or_good_conditions() -> None:
    erasing = after(Ended(Ending.CANCELLED), start=RECOGNISING)
    for event in (WatchlistLoaded(), OrderAccepted(replace(ORDER, digest="e" * 64)), Ended(Ending.TAMPER), None):
        again, actions = step(erasing, event, GOOD)
        assert again.state is State.ERASING
        assert again.ending is Ending.CANCELLED
        assert Action.BEGIN not in actions


def test_a_second_order_does_not_replace_the_one_in_hand() -> None:
    assert after(OrderAccepted(replace(ORDER, digest="e" * 64)), start=RECOGNISING).order == ORDER


def test_a_watchlist_that_is_lost_stops_recognition() -> None:
    situation, actions = step(RECOGNISING, WatchlistLost(), GOOD)
    assert situation.state is not State.RECOGNISING
    assert Action.STOP in actions


def test_a_doubtful_clock_does_not_end_a_deployment_it_pauses_it() -> None:
    """A clock that jumped ahead must not destroy the watchlist; it stops recognition until it is trusted again."""
    far = replace(GOOD, now=ORDER.end + timedelta(days=1), clock_trusted=False)
    assert after(None, world=far, start=RECOGNISING).state is State.PAUSED


def test_since_tells_when_the_state_was_entered_and_not_when_it_was_last_looked_at() -> None:
    later = replace(GOOD, now=GOOD.now + timedelta(minutes=5))
    assert after(None, world=later, start=RECOGNISING).since == RECOGNISING.since


class AnyLife(RuleBasedStateMachine):
    """Random events in random worlds, against the promise itself, written here a second time and independently."""

    def __init__(self) -> None:
        super().__init__()
        self.situation = IDLE
        self.world = GOOD
        self.vision_recognises = False
        self.lamp = False
        self.loaded = False
        self.ended = False

    def go(self, event: Event) -> None:
        before = self.situation
        self.situation, actions = step(before, event, self.world)
        for action in actions:
            match action:
                case Action.BEGIN:
                    self.vision_recognises = True
                case Action.STOP:
                    self.vision_recognises = False
                case Action.LIGHT:
                    self.lamp = True
                case Action.DARKEN:
                    self.lamp = False
        if before.state is State.ERASING:
            assert self.situation.state in {State.ERASING, State.IDLE}

    @rule(minutes=st.integers(-90, 90))
    def time_is(self, minutes: int) -> None:
        self.world = replace(self.world, now=START + timedelta(minutes=minutes))
        self.go(None)

    @rule(doubt=st.sampled_from(sorted(LOSSES)))
    def something_is_lost(self, doubt: Doubt) -> None:
        self.world = replace(self.world, **LOSSES[doubt])
        self.go(None)

    @rule()
    def all_is_well(self) -> None:
        self.world = replace(GOOD, now=self.world.now)
        self.go(None)

    @rule(event=st.sampled_from([OrderAccepted(ORDER), Ended(Ending.CANCELLED), Erased(), WatchlistLost()]))
    def something_happens(self, event: Event) -> None:
        self.loaded = False if isinstance(event, WatchlistLost) else self.loaded
        if isinstance(event, OrderAccepted) and self.situation.order is None:
            self.loaded = self.ended = False
        self.ended = self.ended or isinstance(event, Ended)
        self.go(event)

    @rule()
    def the_watchlist_comes(self) -> None:
        self.loaded = self.loaded or (self.situation.order is not None and self.situation.state is not State.ERASING)
        self.go(WatchlistLoaded())

    @invariant()
    def vision_recognises_only_while_the_state_says_so(self) -> None:
        assert self.vision_recognises == (self.situation.state is State.RECOGNISING)

    @invariant()
    def nothing_is_recognised_unless_every_condition_holds(self) -> None:
        if not self.vision_recognises:
            return
        world, order = self.world, self.situation.order
        assert order is not None
        assert order.start <= world.now < order.end
        assert self.loaded
        assert not self.ended
        assert self.lamp
        assert world.clock_trusted
        assert world.place_right
        assert world.lamp_lit is True
        assert world.vision_model == order.model
        assert not world.vision_doubts
        assert world.storage_sound
        assert world.cool
        assert world.shut

    @invariant()
    def a_pause_names_its_reason(self) -> None:
        assert (self.situation.state is State.PAUSED) <= bool(self.situation.doubts)


AnyLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyLife = AnyLife.TestCase
