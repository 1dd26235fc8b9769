"""A conversation over the cable: encrypted, each question answered once, whatever the line does to single frames."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol.cable.frames import Frame, Part
from overt.protocol.cable.secrecy import Fresh, session_digest
from overt.protocol.cable.talk import MESSAGE_MAX_BYTES, Answerer, Asker, Hello, Refused, Why, pieces_of, refusal
from overt.protocol.errors import NotReadable

GREETING = b"a signed greeting"


def greeted(connection: int = 7, unit: Answerer | None = None) -> tuple[Asker, Answerer]:
    asker, unit = Asker(connection), unit or Answerer()
    hello = unit.take(asker.outgoing)
    assert isinstance(hello, Hello)
    welcome = unit.welcome(hello, GREETING)
    assert welcome is not None
    assert asker.take(welcome) == GREETING
    assert asker.session == hello.session
    return asker, unit


def carry(asker: Asker, unit: Answerer, question: bytes, answer: bytes, seed: int = 0, loss: float = 0.0) -> int:
    """Ask over a line that loses frames and brings some twice; return how often the unit did what it was asked."""
    draw, done = random.Random(seed), 0  # noqa: S311 - the same storm every time
    asker.ask(question)
    for _ in range(20_000):
        coming = [asker.outgoing] * (0 if draw.random() < loss else 1 + (draw.random() < loss))
        for frame in coming:
            reaction = unit.take(frame)
            if isinstance(reaction, bytes):
                assert reaction == question
                done += 1
                reaction = unit.answer(answer)
            if isinstance(reaction, Frame) and draw.random() >= loss:
                taken = asker.take(reaction)
                if isinstance(taken, bytes):
                    assert taken == answer
                    return done
    raise AssertionError("it never came to an end")


@given(st.binary(max_size=9000), st.binary(max_size=9000), st.integers(0, 1000))
def test_each_question_is_done_once_and_answered_whole_on_a_line_that_loses_half(
    question: bytes, answer: bytes, seed: int
) -> None:
    asker, unit = greeted()
    for _ in range(3):
        assert carry(asker, unit, question, answer, seed, loss=0.5) == 1


def test_what_goes_over_the_cable_cannot_be_read() -> None:
    asker, unit = greeted()
    asker.ask(b"canary" * 100)
    assert b"canary" not in asker.outgoing.body
    assert unit.take(asker.outgoing) == b"canary" * 100
    assert b"canary" not in unit.answer(b"canary" * 100).body


def test_a_frame_that_somebody_changed_is_refused_and_the_session_goes_on() -> None:
    asker, unit = greeted()
    asker.ask(b"question")
    sent = asker.outgoing
    changed = Frame(sent.part, sent.connection, sent.number, sent.body[:-1] + bytes([sent.body[-1] ^ 1]))
    reaction = unit.take(changed)
    assert isinstance(reaction, Frame)
    assert asker.take(reaction) == Refused(Why.UNREADABLE, 0)
    assert unit.take(sent) == b"question"


def test_an_answer_that_the_unit_did_not_write_is_not_believed() -> None:
    asker, unit = greeted()
    asker.ask(b"question")
    unit.take(asker.outgoing)
    true = unit.answer(b"answer")
    with pytest.raises(NotReadable):
        asker.take(Frame(true.part, true.connection, true.number, b"x" * len(true.body)))


def test_a_question_while_the_unit_is_at_work_is_told_to_wait_and_is_done_once() -> None:
    asker, unit = greeted()
    asker.ask(b"question")
    assert unit.take(asker.outgoing) == b"question"
    waiting = unit.take(asker.outgoing)
    assert isinstance(waiting, Frame)
    assert asker.take(waiting) is Part.WAIT
    assert asker.take(unit.answer(b"answer")) == b"answer"


def test_a_recorded_question_is_not_heard_in_a_later_session() -> None:
    asker, unit = greeted()
    asker.ask(b"erase everything")
    recorded = asker.outgoing
    greeted(8, unit)
    assert unit.take(recorded) == refusal(recorded, Why.NO_SESSION)


def test_a_question_from_before_the_unit_was_started_is_told_that_there_is_no_session() -> None:
    asker, _ = greeted()
    asker.ask(b"question")
    reaction = Answerer().take(asker.outgoing)
    assert isinstance(reaction, Frame)
    assert asker.take(reaction) == Refused(Why.NO_SESSION, 0)


def test_a_hello_of_another_version_is_told_so() -> None:
    asker = Asker(1)
    hello = asker.outgoing
    reaction = Answerer().take(Frame(hello.part, 1, 0, b"\x63" + hello.body[1:]))
    assert isinstance(reaction, Frame)
    assert asker.take(reaction) == Refused(Why.VERSION, 0)


def test_a_hello_that_comes_twice_is_answered_with_the_same_welcome() -> None:
    asker, unit = Asker(1), Answerer()
    hello = unit.take(asker.outgoing)
    assert isinstance(hello, Hello)
    assert unit.take(asker.outgoing) is None, "it is being signed"
    welcome = unit.welcome(hello, GREETING)
    assert unit.take(asker.outgoing) == welcome


def test_a_hello_with_a_key_that_agrees_on_nothing_is_refused() -> None:
    unit = Answerer()
    hello = unit.take(Frame(Part.HELLO, 1, 0, b"\x01" + bytes(32)))  # a point of low order
    assert isinstance(hello, Hello)
    welcome = unit.welcome(hello, GREETING)
    assert welcome == refusal(hello.frame, Why.UNREADABLE)


def test_both_sides_agree_only_when_they_saw_the_same_fresh_keys() -> None:
    one, other = Fresh(), Fresh()
    session = session_digest(1, one.public, other.public)
    frame = Frame(Part.ASK, 1, 1)
    sealed = one.agree(other.public, session).seal(frame, b"plain")
    assert other.agree(one.public, session).open(sealed) == b"plain"
    with pytest.raises(NotReadable):
        other.agree(one.public, session_digest(2, one.public, other.public)).open(sealed)


def test_a_message_that_is_too_long_is_never_begun() -> None:
    with pytest.raises(ValueError, match="at most"):
        pieces_of(b"x" * (MESSAGE_MAX_BYTES + 1))


@given(st.builds(Frame, st.sampled_from(Part), st.integers(0, 9), st.integers(0, 9), st.binary(max_size=60)))
def test_whatever_comes_neither_side_falls_over(frame: Frame) -> None:
    asker, unit = greeted()
    unit.take(frame)
    try:
        asker.take(frame)
    except NotReadable:
        return
