"""Promise 5, as far as the firmware and the contract hold it: whatever a unit says of anybody is a *possible* match.

That no word of the contract says more, that the surest score changes nothing, and that whoever judges is given what
it takes. Adjudication itself, by a named person with reasons and confirmed by a second, is the control room's.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import schema, vocabulary
from overt.protocol.reports import Alert
from overt.protocol.topics import Down
from overt.protocol.vocabulary import State
from overt_controlroom.core import judge
from overt_controlroom.events import AlertSeen, to_json
from overt_controlroom.show import words
from overt_controlroom.store import Store
from overt_controlroom.trust import Trust
from overt_controlroom.verdict import Message
from tests.brokers import ROOM, topic
from tests.builders import make_entry, utc_now
from tests.warden.bench import Bench

# Words that would make of a score a finding about a person.
VERDICTS = re.compile(
    r"identif|confirm|recogni[sz]ed|positive|verified|certain|guilt|suspect|offender|criminal|culprit|target|hit\b|arrest\b"
)
POSSIBLE = "possible match, for adjudication"


def names_in(part: Any) -> Iterator[str]:
    """The names and fixed values in a schema; not its descriptions."""
    if isinstance(part, dict):
        yield from part.get("properties", {})
        yield from (value for value in part.get("enum", []) if isinstance(value, str))
        for name, inner in part.items():
            if name != "description":
                yield from names_in(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from names_in(inner)


@pytest.mark.parametrize("report", ["alert", "status", "health", "checkpoint", "receipt", "erasure"])
def test_p5_no_word_of_what_a_unit_publishes_says_more_than_possible(report: str) -> None:
    names = set(names_in(schema.document_schemas()[report]))
    assert len(names) > 5
    assert not {name for name in names if VERDICTS.search(name)} - {"wanted_for_arrest"}


def test_p5_an_alert_has_no_field_for_a_finding_and_none_for_more_than_measurements() -> None:
    """Named one by one: a field more is a decision more, to be made here."""
    assert set(Alert.__struct_fields__) == {
        *("id", "force", "unit", "order", "sequence", "entry", "category"),
        *("score", "threshold", "runner_up_margin", "quality", "face_px", "track_ms", "track_frames"),
        *("model", "watchlist", "captured", "decided", "published", "expires", "clock", "place"),
    }
    assert "*possible* match" in (Alert.__doc__ or "")


def test_p5_nothing_that_a_unit_can_be_sent_makes_of_an_alert_anything_else() -> None:
    """No document and no topic is about an alert once it is raised."""
    documents = {kind.value for kind in vocabulary.Kind} - {"alert"} | {leaf.value for leaf in Down}
    assert "order" in documents
    assert not {word for word in documents if VERDICTS.search(word) or re.search(r"alert|adjudic|outcome|match", word)}


@pytest.mark.parametrize("score", [0.51, 1.0])
def test_p5_the_surest_score_and_the_barest_are_both_called_possible_and_leave_it_to_a_person(
    score: float, tmp_path: Path
) -> None:
    """From a real warden to the words that an operator reads."""
    with Bench(tmp_path) as bench:
        bench.start()
        with bench.vision() as vision, bench.uplink() as uplink:
            order = bench.arm(make_entry("volunteer-7"))
            vision.wait_for_begin()
            bench.wait_for(State.RECOGNISING)
            vision.see(score=score, runner_up_score=0.4)
            uplink.until(lambda: bool(uplink.on("alert")))
            payload = uplink.on("alert")[0].payload
            assert bench.wait_for(State.RECOGNISING).last_sequence == 1, "an alert changes nothing about the unit"
            assert vision.hears_nothing()
        trust = Trust(ROOM, bench.force.charter, {order.digest: order})
        message = Message(topic("alert"), payload, False, utc_now())
        (event,) = judge(message, trust, bench.force.room_identity, Store(None)).events
    assert isinstance(event, AlertSeen)
    told = json.loads(to_json(event))
    assert told["note"] == POSSIBLE
    text, _ = words(event)
    assert POSSIBLE in text.splitlines()[0]
    assert not VERDICTS.search(text.lower())
    for needed in (f"score {score:.3f}", "threshold 0.50", "margin", "Test square", "quality", "px between the eyes"):
        assert needed in text, "what it takes to judge"
