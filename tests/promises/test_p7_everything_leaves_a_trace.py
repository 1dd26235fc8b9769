"""Promise 7, attacked: one life of a real warden, told again from its log alone; and then the log is tampered with.

Exporting the log and checking it elsewhere is `overt-camera`'s own; what is tried here is the log on the unit's disk.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from overt.protocol import envelope
from overt.protocol.audit import GENESIS, Record, facts_of, first_broken
from overt.protocol.documents import Notice
from overt.protocol.messages import Publish, Trouble
from overt.protocol.reports import Checkpoint
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Cause, ClockQuality, Doubt, Operation, State
from overt.warden.database import StorageCorrupt, StorageFailed
from overt.warden.store import Store
from tests.biometrics import has_template, has_template_text, image_in
from tests.builders import make_cancellation, make_entry
from tests.warden.bench import Bench

CANARY = "canary"


@dataclass
class Life:
    """What a warden left behind, and what was published of its log meanwhile."""

    bench: Bench
    records: list[Record]
    checkpoints: list[Checkpoint]


def events(records: list[Record]) -> list[str]:
    """Each event with what it decided, as a reader of the log would retell it."""
    said = []
    for record in records:
        facts = facts_of(record)
        words = [facts[name] for name in ("document", "code", "state", "doubts", "why") if facts.get(name)]
        said.append(" ".join([record.event, *map(str, words)]))
    return said


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """A deployment with a refusal, a doubt, an alert, an impossible sighting, a vision that dies, and its end."""
    entry = make_entry("volunteer-1", legal_basis=CANARY, image_source=CANARY, reviewed_by=CANARY)
    texts = dict.fromkeys(("purpose", "legal_basis", "necessity", "proportionality", "expectation"), CANARY)
    notice = Notice(text=CANARY, address=f"https://example.org/{CANARY}")
    with Bench(tmp_path_factory.mktemp("p7")) as bench:
        bench.start()
        with bench.uplink() as uplink:
            with bench.vision() as vision:
                bench.deliver(Down.ORDER, CANARY.encode())
                order = bench.arm(entry, **texts, notice=notice, operation=CANARY, operators=(CANARY,))
                vision.wait_for_begin()
                bench.wait_for(State.RECOGNISING)
                vision.see(order="f" * 64)
                vision.see()
                vision.say(Trouble(doubt=Doubt.CAMERA, cause=Cause.CAMERA_SILENT, detail=CANARY))
                vision.templates_made = 3
                vision.wait_for_stop()
                bench.wait_for(State.PAUSED)
                vision.recovered(Doubt.CAMERA)
                vision.wait_for_begin()
                bench.wait_for(State.RECOGNISING)
            bench.wait_for(State.PAUSED)
            bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
            bench.wait_for(State.IDLE)
            uplink.until(lambda: any(item.order is None for item in checkpoints(bench, uplink.on("checkpoint"))))
            published = checkpoints(bench, uplink.on("checkpoint"))
        assert bench.end() == 0
        yield Life(bench, bench.records(), published)


def checkpoints(bench: Bench, messages: list[Publish]) -> list[Checkpoint]:
    return [envelope.verify(message.payload, Checkpoint, bench.identity.key) for message in messages]


def test_p7_the_log_alone_tells_what_the_unit_decided(life: Life) -> None:
    assert events(life.records) == [
        "warden.started",
        "charter.accepted",
        "document.refused order malformed",
        "order.accepted",
        "state.changed armed",
        "watchlist.accepted",
        "recognition.began",
        "state.changed recognising",
        "sighting.dropped other_order",
        "alert.raised",
        "state.changed paused camera",
        "templates.wiped",
        "recognition.began",
        "state.changed recognising",
        "vision.gone",
        "templates.wiped",
        "state.changed paused vision",
        "order.cancelled",
        "deployment.over",
        "state.changed erasing",
        "deployment.erased",
        "state.changed idle",
        "warden.stopped",
    ]


def test_p7_every_published_head_is_the_logs_own(life: Life) -> None:
    assert life.checkpoints
    for checkpoint in life.checkpoints:
        assert life.records[checkpoint.records - 1].hash == checkpoint.head


# Tampering


@pytest.mark.parametrize("field", Record.__struct_fields__)
def test_p7_whatever_is_changed_in_whichever_record_is_found_there(field: str, life: Life) -> None:
    for at, record in enumerate(life.records):
        value = getattr(record, field)
        changed = value + 1 if isinstance(value, int) else value[:-1] + chr(ord(value[-1]) ^ 1)
        forged = [*life.records]
        forged[at] = msgspec.structs.replace(record, **{field: changed})
        assert first_broken(forged) == at + 1


def without_one(records: list[Record]) -> list[Record]:
    return records[:5] + records[6:]


def without_the_first(records: list[Record]) -> list[Record]:
    return records[1:]


def one_twice(records: list[Record]) -> list[Record]:
    return [*records[:6], *records[5:]]


def two_swapped(records: list[Record]) -> list[Record]:
    return [*records[:5], records[6], records[5], *records[7:]]


Forgery = Callable[[list[Record]], list[Record]]


@pytest.mark.parametrize("forgery", [without_one, without_the_first, one_twice, two_swapped], ids=lambda f: f.__name__)
def test_p7_a_log_is_found_broken_that_comes(forgery: Forgery, life: Life) -> None:
    assert first_broken(life.records) is None
    assert first_broken(forgery(life.records)) is not None


def test_p7_a_log_that_was_written_anew_or_cut_short_does_not_fit_what_was_published(life: Life) -> None:
    """Its chain holds, as anybody can make one that does. What was signed and published of it does not fit."""
    anew: list[Record] = []
    for record in life.records:
        if record.event == "alert.raised":
            continue
        fields = (len(anew) + 1, record.time, record.clock, record.operation, record.event, record.facts)
        forged = Record(*fields, anew[-1].hash if anew else GENESIS, "")
        anew.append(msgspec.structs.replace(forged, hash=forged.computed_hash()))
    assert first_broken(anew) is None
    last = max(life.checkpoints, key=lambda checkpoint: checkpoint.records)
    for forgery in (anew, life.records[: last.records - 1]):
        assert [record.hash for record in forgery][last.records - 1 :][:1] != [last.head]


@pytest.fixture
def copy(life: Life, tmp_path: Path) -> Path:
    """The unit's database, whole in one file."""
    source = life.bench.state / "warden.db"
    sqlite3.connect(source, isolation_level=None).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    path = tmp_path / "warden.db"
    path.write_bytes(source.read_bytes())
    return path


def test_p7_no_flipped_bit_of_the_database_changes_what_the_log_says_unnoticed(life: Life, copy: Path) -> None:
    whole = copy.read_bytes()
    in_a_record = [whole.index(record.facts.encode()) + 5 for record in life.records]
    for at in (*in_a_record, *range(0, len(whole), 401)):
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            store = Store(copy)
        except (StorageCorrupt, StorageFailed):
            continue
        assert at not in in_a_record
        assert list(store.records()) == life.records, f"byte {at}"
        store.close()


def test_p7_a_unit_does_not_start_on_a_log_that_was_tampered_with(life: Life, copy: Path) -> None:
    whole, path = copy.read_bytes(), life.bench.state / "warden.db"
    record = next(record for record in life.records if record.event == "alert.raised")
    at = whole.index(record.facts.encode()) + record.facts.index('"sequence":') + len('"sequence":')
    path.write_bytes(whole[:at] + b"7" + whole[at + 1 :])
    with pytest.raises(ConnectionError, match=f"record {record.position} of the audit log"):
        life.bench.start()
    path.write_bytes(whole)
    life.bench.start()
    assert life.bench.end() == 0


# What is not in it

PLAIN = re.compile(r"[a-z0-9_.,:T+-]*|age1[a-z0-9]{58}|")


def test_p7_nothing_in_it_is_biometric_or_a_strangers_words(life: Life) -> None:
    for record in life.records:
        for value in facts_of(record).values():
            assert not isinstance(value, str) or (PLAIN.fullmatch(value) and len(value) <= 64), record
        assert Operation(record.operation)
        assert ClockQuality(record.clock)
    kept = b"".join(path.read_bytes() for path in life.bench.state.glob("warden.db*"))
    assert b"alert.raised" in kept, "it is the log that is looked at"
    assert CANARY.encode() not in kept
    assert not has_template(kept)
    assert not has_template_text(kept)
    assert image_in(kept) is None
