"""A log can be checked by anyone with the unit's key, and nothing in it can be changed, added or taken out unseen."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.protocol import envelope, logfile
from overt.protocol.audit import CATALOGUE, GENESIS, Event, Moment, Record, foreign_words, next_record
from overt.protocol.errors import ProtocolError
from overt.protocol.logfile import Finding, Header, Seal, check, read_witness
from overt.protocol.reports import Checkpoint, Erasure, Receipt
from overt.protocol.vocabulary import ClockQuality, Ending, Kind, Operation
from tests.builders import FORCE, UNIT, make_force, make_party, utc_now

PARTY, STRANGER = make_party(), make_party()
START = utc_now() - timedelta(hours=1)
ORDER = "a" * 64


def moment(second: float, clock: ClockQuality = ClockQuality.SYNCHRONISED) -> Moment:
    return Moment(START + timedelta(seconds=second), clock)


def record_after(records: list[Record], event: Event, **facts: Any) -> Record:
    position, previous = (records[-1].position, records[-1].hash) if records else (0, GENESIS)
    return next_record(position, previous, moment(position), event, facts)


def life() -> list[Record]:
    """A short life of a unit."""
    records: list[Record] = []
    for event, facts in (
        (Event.WARDEN_STARTED, {"version": "0.1.0"}),
        (Event.ORDER_ACCEPTED, {"order": ORDER, "recipient": f"age1{'q' * 58}"}),
        (Event.STATE_CHANGED, {"state": "armed", "doubts": "clock,place"}),
        (Event.TEMPLATES_WIPED, {"order": ORDER, "made": 3, "wiped": 3}),
        (Event.DEPLOYMENT_ERASED, {"order": ORDER}),
        (Event.WARDEN_STOPPED, {}),
    ):
        records.append(record_after(records, event, **facts))
    return records


def checkpoint_of(records: list[Record], party: Any = PARTY, unit: str = UNIT) -> bytes:
    head = records[-1].hash if records else GENESIS
    report = Checkpoint(force=FORCE, unit=unit, sent=START, records=len(records), head=head)
    return envelope.sign(report, [party.signer])


def file_of(records: list[Record], *sealed_after: int) -> list[bytes]:
    lines = [logfile.encode(Header(unit=UNIT, key=PARTY.public, exported=START))]
    for record in records:
        lines.append(logfile.encode(record))
        if record.position in sealed_after:
            lines.append(logfile.encode(Seal(envelope=checkpoint_of(records[: record.position]).decode())))
    return lines


def judge(lines: list[bytes], *witnesses: bytes) -> Finding:
    return check(lines, UNIT, PARTY.public, [read_witness(data, PARTY.public) for data in witnesses])


LIFE = life()
GOOD = file_of(LIFE, 3, 6)


def test_a_log_as_it_was_written_is_whole() -> None:
    found = judge(GOOD)
    assert found.fault is None
    assert found.is_whole
    assert (found.records, found.checkpoints, found.sealed) == (6, 2, 6)
    assert (found.first, found.last) == (LIFE[0].at, LIFE[-1].at)


def test_records_after_the_last_checkpoint_are_good_and_not_vouched_for() -> None:
    found = judge(file_of(LIFE, 3))
    assert (found.is_whole, found.records, found.sealed) == (True, 6, 3)


def test_a_log_without_any_signature_is_not_whole() -> None:
    found = judge(file_of(LIFE))
    assert found.fault is None
    assert not found.is_whole


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_one_byte_changed_anywhere_is_found(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(GOOD) - 1))
    place = data.draw(st.integers(0, len(GOOD[number]) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != GOOD[number][place]))
    line = bytearray(GOOD[number])
    line[place] = byte
    found = judge([*GOOD[:number], bytes(line), *GOOD[number + 1 :]])
    if found.is_whole:
        # The header's time and the base64 of a signature's spare bits say nothing; what they say is the same.
        assert number == 0 or _decoded(bytes(line)) == _decoded(GOOD[number])
    else:
        assert found.fault is not None
        assert found.fault.line == number + 1


def _decoded(line: bytes) -> Any:
    whole = json.loads(line)
    if whole["type"] != "checkpoint":
        return whole
    parsed = envelope.parse(whole["envelope"].encode(), Kind.CHECKPOINT)
    return parsed.payload, parsed.signers([PARTY.public])


@pytest.mark.parametrize("gone", range(1, 7))
def test_a_record_that_was_taken_out_is_missed_where_it_was(gone: int) -> None:
    lines = [line for line in GOOD if f'"position":{gone},'.encode() not in line]
    found = judge(lines)
    assert found.fault is not None
    assert found.fault.record == gone
    assert not found.is_whole


@pytest.mark.parametrize("first", range(1, 6))
def test_records_in_another_order_are_found(first: int) -> None:
    records = [*LIFE]
    records[first - 1], records[first] = records[first], records[first - 1]
    found = judge(file_of(records))
    assert found.fault is not None
    assert found.fault.record == first


def test_a_log_written_anew_with_a_chain_that_holds_is_found_by_the_units_signature() -> None:
    """Whoever has the disk can compute hashes; the key that signed the checkpoints is not in the log."""
    forged = [record_after([], Event.WARDEN_STARTED, version="0.1.0")]
    for record in LIFE[1:]:
        facts = json.loads(record.facts)
        if record.event == Event.TEMPLATES_WIPED:
            facts = {"order": ORDER, "made": 0, "wiped": 0}
        forged.append(record_after(forged, Event(record.event), **facts))
    lines = file_of(forged)
    lines.append(GOOD[-1])
    found = judge(lines)
    assert found.fault is not None
    assert "with another head" in found.fault.why


def test_a_log_written_anew_and_stripped_of_its_checkpoints_is_found_by_what_others_kept() -> None:
    forged = [record_after([], Event.WARDEN_STARTED, version="0.1.0")]
    assert judge(file_of(forged)).fault is None
    found = judge(file_of(forged), checkpoint_of(LIFE[:1]), checkpoint_of(LIFE))
    assert found.fault is not None
    assert (found.fault.line, found.fault.record) == (0, 2)
    assert "ends after 1" in found.fault.why


@pytest.mark.parametrize("length", range(6))
def test_a_log_cut_short_is_found_by_any_later_witness(length: int) -> None:
    cut = file_of(LIFE[:length], *range(1, length + 1))
    erasure = Erasure(
        force=FORCE,
        unit=UNIT,
        order=ORDER,
        watchlist=None,
        recipient=f"age1{'q' * 58}",
        ending=Ending.CANCELLED,
        erased=START,
        entries=0,
        templates_listed=0,
        templates_made=3,
        templates_wiped=3,
        alerts=0,
        log_position=6,
        log_head=LIFE[5].hash,
    )
    receipt = Receipt(
        force=FORCE,
        unit=UNIT,
        document=Kind.ORDER,
        digest=ORDER,
        order=ORDER,
        accepted=True,
        received=START,
        log_position=6,
    )
    for witness in (checkpoint_of(LIFE), *(envelope.sign(report, [PARTY.signer]) for report in (erasure, receipt))):
        found = judge(cut, witness)
        assert found.fault is not None
        assert found.fault.record == length + 1
        assert judge(GOOD, witness).is_whole


@pytest.mark.parametrize(
    ("witness", "expected"),
    [
        (checkpoint_of(LIFE, STRANGER), "signed by the key"),
        (b"junk", "expected"),
        (b"{}", "expected"),
        (make_force().charter_data, "found a charter"),
    ],
)
def test_what_the_unit_did_not_sign_is_no_witness(witness: bytes, expected: str) -> None:
    with pytest.raises(ProtocolError, match=expected):
        read_witness(witness, PARTY.public)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines[:0], "empty"),
        (lambda lines: lines[1:], "header"),
        (lambda lines: [lines[0], *lines], "another"),
        (lambda lines: [lines[0].replace(b"unit-1", b"unit-2"), *lines[1:]], "unit-2"),
        (lambda lines: [lines[0].replace(PARTY.public.encode(), b"0" * 64), *lines[1:]], "another key"),
        (lambda lines: [*lines, b"junk\n"], "something else"),
        (lambda lines: [*lines, b"{" * 100_000], "at most"),
        (lambda lines: [*lines, b'{"type":"alert"}\n'], "something else"),
        (lambda lines: [*lines, b"\xff\xfe\n"], "something else"),
        (
            lambda lines: [*lines, logfile.encode(Seal(envelope=checkpoint_of(LIFE, STRANGER).decode()))],
            "not one of the unit's",
        ),
        (lambda lines: [*lines, logfile.encode(Seal(envelope=checkpoint_of(LIFE, unit="unit-2").decode()))], "unit-2"),
    ],
)
def test_whatever_is_no_log_of_this_unit_is_said_to_be_none(
    change: Callable[[list[bytes]], list[bytes]], expected: str
) -> None:
    found = judge(change(GOOD))
    assert found.fault is not None
    assert expected in found.fault.why
    assert not found.is_whole


def chained(**changes: Any) -> Record:
    """A record whose hash fits, whatever it says."""
    record = LIFE[0]
    fields = {name: getattr(record, name) for name in record.__struct_fields__} | changes
    return Record(**{**fields, "hash": Record(**fields).computed_hash()})


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "passer_by.seen"},
        {"facts": '{"version":"0.1.0","name":"somebody"}'},
        {"facts": '{"version":"a line from outside"}'},
        {"facts": "{}"},
        {"facts": "[]"},
        {"operation": "erasure"},
        {"operation": "recording"},
        {"clock": "perfect"},
        {"time": "yesterday"},
        {"time": "2026-11-23T10:00:00"},
    ],
)
def test_a_well_chained_record_with_foreign_words_is_bad(changes: dict[str, Any]) -> None:
    assert foreign_words(LIFE[0]) is None
    forged = chained(**changes)
    found = judge(file_of([forged]))
    assert found.fault is not None
    assert found.fault.record == 1


def test_no_fact_can_be_a_text_of_its_own() -> None:
    """Every fact of every event is a digest, a count, a closed word or an opaque reference."""
    long = "a face as words, or a template as base64: " + "A" * 100
    for event, shape in CATALOGUE.items():
        for name in shape.facts.__struct_fields__:
            with pytest.raises(ValueError, match=event.value):
                next_record(0, GENESIS, moment(0), event, {name: long})


def test_the_six_operations_of_the_act_are_all_there() -> None:
    own = {Operation.AUTHORITY, Operation.CONDITION}
    assert {shape.operation for shape in CATALOGUE.values()} == set(Operation)
    assert len(set(Operation) - own) == 6
    assert set(CATALOGUE) == set(Event)


def test_steps_back_of_a_known_clock_are_counted_and_of_an_unknown_one_not() -> None:
    records: list[Record] = []
    for second, clock in (
        (10, ClockQuality.SYNCHRONISED),
        (2, ClockQuality.UNKNOWN),
        (9, ClockQuality.HOLDOVER),
        (11, ClockQuality.SYNCHRONISED),
    ):
        position, previous = (records[-1].position, records[-1].hash) if records else (0, GENESIS)
        records.append(next_record(position, previous, moment(second, clock), Event.VISION_GONE, {}))
    assert judge(file_of(records, 4)).steps_back == 1


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_get_one_clear_fault(lines: list[bytes]) -> None:
    for start in ([], GOOD[:1], GOOD):
        found = judge([*start, *lines])
        assert found.is_whole == (start is GOOD and not lines)
        assert found.fault is None or (found.fault.why.isprintable() and len(found.fault.why) < 500)


def test_times_are_read_back_as_they_were() -> None:
    assert isinstance(LIFE[0].at, datetime)
    assert LIFE[0].at == START
