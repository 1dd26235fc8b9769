"""The unit and its own log: what it keeps of it signed, and what it finds when somebody has written in it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import envelope
from overt.protocol.audit import GENESIS, Event, Moment, facts_of, first_broken, next_record
from overt.protocol.reports import Checkpoint
from overt.protocol.topics import Down
from overt.protocol.vocabulary import ClockQuality, Kind
from overt.warden.database import StorageCorrupt
from overt.warden.store import Store
from tests.builders import make_cancellation, make_party
from tests.warden.desk_bench import DeskBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


def rewrite(bench: DeskBench, *statements: str) -> None:
    """Write into the database as one does who has the disk: without the rules that the unit put into it."""
    bench.store.close()
    database = sqlite3.connect(bench.state / "warden.db")
    triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for statement in (*(f"DROP TRIGGER {name}" for name in triggers), *statements):
        database.execute(statement)
    database.commit()
    database.close()


def chained_anew(bench: DeskBench) -> list[str]:
    """What it takes to change a record and make the chain hold again."""
    records, changed = bench.log, []
    for record in records:
        position, previous = (changed[-1].position, changed[-1].hash) if changed else (0, GENESIS)
        facts = {**facts_of(record), "version": "9.9.9"} if record.event == "warden.started" else facts_of(record)
        at = Moment(record.at, ClockQuality(record.clock))
        changed.append(next_record(position, previous, at, Event(record.event), facts))
    return [
        f"UPDATE audit SET facts = '{record.facts}', previous = '{record.previous}', hash = '{record.hash}'"  # noqa: S608 - a test's own
        f" WHERE position = {record.position}"
        for record in changed
    ]


def test_a_log_whose_chain_was_made_to_hold_again_is_found_by_the_checkpoint_that_the_unit_kept(
    bench: DeskBench,
) -> None:
    bench.unit.checkpoint()
    rewrite(bench, *chained_anew(bench))
    assert first_broken(Store(bench.state / "warden.db").records()) is None
    with pytest.raises(StorageCorrupt, match="not those that this unit signed for"):
        bench.wake()


def test_a_log_that_was_cut_before_its_last_checkpoint_is_found(bench: DeskBench) -> None:
    bench.unit.checkpoint()
    rewrite(bench, "DELETE FROM audit WHERE position > 1")
    with pytest.raises(StorageCorrupt, match="not those that this unit signed for"):
        bench.wake()


def test_a_checkpoint_of_somebody_elses_is_not_believed(bench: DeskBench) -> None:
    bench.unit.checkpoint()
    position, signed = bench.store.last_checkpoint() or (0, b"")
    report = envelope.decode(envelope.parse(signed, Kind.CHECKPOINT), Checkpoint)
    forged = envelope.sign(report, [make_party().signer])
    rewrite(bench, f"UPDATE checkpoints SET signed = x'{forged.hex()}' WHERE position = {position}")  # noqa: S608 - a test's own
    with pytest.raises(StorageCorrupt, match="not this unit's"):
        bench.wake()


def test_neither_records_nor_checkpoints_can_be_changed_through_the_store(bench: DeskBench) -> None:
    bench.unit.checkpoint()
    bench.store.close()
    database = sqlite3.connect(bench.state / "warden.db")
    for table in ("audit", "checkpoints"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET position = position + 100"):  # noqa: S608 - a test's own
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                database.execute(statement)
    database.close()


def test_a_checkpoint_is_kept_at_the_end_of_each_deployment_and_when_the_unit_is_stopped(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    bench.clear()
    erased = next(record.position for record in bench.log if record.event == "deployment.erased")
    kept = bench.store.last_checkpoint()
    assert kept is not None
    assert kept[0] >= erased
    bench.unit.rest()
    bench.unit.sleep()
    last = bench.store.last_checkpoint()
    assert last is not None
    assert last[0] == bench.log[-1].position
