"""The unit over time: pauses, power cuts, endings, storage that fails. What it leaves behind is looked at each time."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overt.protocol import envelope, sealing
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Checkpoint, Status
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Doubt, Ending, State
from overt.warden.database import StorageCorrupt, StorageFailed
from overt.warden.store import Farewell, Store
from overt.warden.vault import Vault, VaultError, alone
from tests.builders import MODEL, make_cancellation, make_entry
from tests.warden.desk_bench import CAMERA_GONE, DeskBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """Every write of this process to a file fails, by the kernel's own limit on file sizes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def recover(bench: DeskBench) -> None:
    """Let the unit try storage again, which it does about once a second: let that second be over."""
    bench.unit.journal._next_try = 0.0
    bench.unit.tick()


# Erasing


def test_the_end_leaves_nothing_but_a_certificate_and_the_log(bench: DeskBench) -> None:
    entries = (make_entry("a"), make_entry("b"))
    order = bench.recognise(*entries)
    assert bench.unit.in_hand is not None
    recipient = bench.unit.in_hand.recipient
    bench.see(order.digest)
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    assert bench.unit.state is State.ERASING, "vision has not forgotten yet"
    assert bench.certificates == []
    bench.clear(made=17)
    assert bench.unit.state is State.IDLE
    assert bench.left_of_deployments() == []
    (certificate,) = bench.certificates
    assert (certificate.order, certificate.recipient, certificate.ending) == (
        *(order.digest, recipient, Ending.CANCELLED),
    )
    assert (certificate.entries, certificate.templates_listed, certificate.alerts) == (2, 2, 1)
    assert (certificate.templates_made, certificate.templates_wiped) == (17, 17)
    record = next(record for record in bench.log if record.event == "deployment.erased")
    assert (certificate.log_position, certificate.log_head) == (record.position, record.hash)


def test_undelivered_alerts_outlive_the_deployment(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.see(order.digest)
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    bench.clear()
    assert len(bench.alerts) == 1


def test_an_alert_that_has_expired_is_deleted_and_counted_in_the_log(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.see(order.digest)
    bench.world.set(ahead_s=25 * 3600)
    assert bench.store.expire(bench.unit.journal.moment(), bench.unit.journal.now()) >= 1
    assert bench.alerts == []
    assert bench.logged("parcels.expired") == 1


def test_templates_are_counted_over_all_of_visions_sessions(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.unit.troubled(CAMERA_GONE)
    bench.clear(made=5)
    bench.unit.recovered(Doubt.CAMERA)
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    bench.clear(made=7)
    assert bench.certificates[0].templates_made == 12


def test_vision_that_dies_while_erasing_does_not_hold_it_up(bench: DeskBench) -> None:
    order = bench.recognise()
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    bench.unit.vision_gone()
    assert bench.unit.state is State.IDLE
    assert len(bench.certificates) == 1


def test_the_window_over_while_the_unit_was_off_erases_at_the_next_start(bench: DeskBench) -> None:
    bench.arm()
    bench.world.set(ahead_s=7200)
    bench.cut_power()
    assert (bench.unit.state, bench.unit.situation.ending) == (State.IDLE, Ending.WINDOW_OVER)
    assert bench.left_of_deployments() == []
    assert bench.certificates[0].ending is Ending.WINDOW_OVER


# Power cuts


def test_after_a_power_cut_order_and_watchlist_are_there_and_recognition_begins_again(bench: DeskBench) -> None:
    order = bench.recognise(make_entry("a"))
    bench.cut_power()
    assert bench.unit.state is State.ARMED
    bench.unit.vision_came(MODEL)
    assert bench.ports.asked == [f"begin {order.digest}"]
    bench.see(order.digest)
    assert [alert.entry for alert in bench.alerts] == ["a"]


def test_a_power_cut_between_marking_and_erasing_is_finished_at_the_next_start(bench: DeskBench) -> None:
    order = bench.arm()
    held = bench.unit.in_hand
    assert held is not None
    farewell = Farewell(held.recipient, "c" * 64, 1, 1)
    bench.store.spend(bench.unit.journal.moment(), order.digest, Ending.CANCELLED, farewell)
    bench.cut_power()
    assert bench.unit.state is State.IDLE
    assert bench.left_of_deployments() == []
    assert [certificate.watchlist for certificate in bench.certificates] == ["c" * 64]
    bench.cut_power()
    assert len(bench.certificates) == 1, "certified once"


def test_a_half_made_deployment_is_cleared_away(bench: DeskBench) -> None:
    folder = bench.state / "deployments" / ("e" * 64)
    folder.mkdir(parents=True)
    (folder / "key.sealed").write_bytes(b"half")
    (folder / ".order.json.1234.tmp").write_bytes(b"half")
    bench.cut_power()
    assert not folder.exists()
    assert bench.unit.state is State.IDLE


@pytest.mark.parametrize("name", ["key.sealed", "order.json"])
def test_a_deployment_whose_files_were_altered_is_ended_and_certified(bench: DeskBench, name: str) -> None:
    order = bench.arm()
    path = bench.state / "deployments" / order.digest / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    bench.cut_power()
    assert bench.unit.state is State.IDLE
    assert bench.left_of_deployments() == []
    assert bench.certificates[0].order == order.digest
    assert bench.certificates[0].ending in {Ending.KEY_LOST, Ending.TAMPER}


def test_an_order_smuggled_into_the_folder_is_not_believed(bench: DeskBench) -> None:
    """Someone with the disk copies in an order that the officers never signed, under a key of the unit's own."""
    forged = bench.order(roles=())
    bench.vault.new_deployment(forged.document, forged.digest, forged.data)
    bench.cut_power()
    assert (bench.unit.state, bench.unit.situation.ending) == (State.IDLE, Ending.TAMPER)
    assert bench.left_of_deployments() == []


def test_strange_things_in_the_folder_are_removed_and_logged_without_their_names(bench: DeskBench) -> None:
    """Someone with the disk leaves folders of any name, and files."""
    strange = bench.state / "deployments" / "a name from outside"
    strange.mkdir(parents=True)
    (strange / "order.json").write_bytes(b"not an order")
    (bench.state / "deployments" / "file").write_bytes(b"not even a folder")
    outside = bench.folder / "outside"
    outside.write_bytes(b"not the unit's to touch")
    (strange / "within").mkdir()
    for link in (bench.state / "deployments" / "link", strange / "within" / "link"):
        link.symlink_to(outside)
    bench.cut_power()
    assert bench.unit.state is State.IDLE
    assert list((bench.state / "deployments").iterdir()) == []
    assert outside.read_bytes() == b"not the unit's to touch"
    assert bench.logged("deployment.unknown") == 1
    assert "a name from outside" not in str(bench.log)


def test_a_kept_watchlist_that_was_altered_is_not_used_and_can_be_sent_again(bench: DeskBench) -> None:
    order = bench.arm()
    path = bench.state / "deployments" / order.digest / "watchlist.age"
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    assert bench.unit.state is State.ARMED
    assert bench.logged("watchlist.unreadable") == 1
    assert bench.unit.in_hand is not None
    assert bench.give(Down.WATCHLIST, bench.sealed_watchlist(order, bench.unit.in_hand.recipient)).accepted
    assert bench.unit.state is State.RECOGNISING


# Conditions


def test_a_clock_set_back_behind_the_log_is_doubted_and_trusted_again_when_it_is_right(bench: DeskBench) -> None:
    bench.recognise()
    bench.world.set(ahead_s=-60)
    bench.unit.tick()
    assert bench.unit.situation.doubts == {Doubt.CLOCK}
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    assert Doubt.CLOCK in bench.unit.situation.doubts
    bench.world.set(ahead_s=0)
    bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


def test_a_time_that_was_not_trusted_is_not_held_against_the_clock_later(bench: DeskBench) -> None:
    bench.world.set(ahead_s=10**6, clock="unknown")
    bench.cut_power()
    bench.world.set(ahead_s=0, clock="synchronised")
    bench.cut_power()
    bench.recognise()


def test_a_lamp_that_never_lights_keeps_recognition_off(bench: DeskBench) -> None:
    bench.world.set(lamp="dark")
    bench.unit.vision_came(MODEL)
    bench.arm()
    bench.unit.tick()
    assert (bench.unit.state, bench.unit.situation.doubts) == (State.ARMED, {Doubt.INDICATOR})
    assert bench.ports.asked == []


def test_a_read_back_that_is_stuck_at_lit_proves_nothing(bench: DeskBench) -> None:
    bench.world.set(lamp="lit")
    bench.unit.vision_came(MODEL)
    bench.arm()
    bench.unit.tick()
    assert Doubt.INDICATOR in bench.unit.situation.doubts
    assert bench.ports.asked == []
    bench.world.set(lamp="works")
    bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


# Storage


def test_a_full_disk_stops_recognition_says_so_and_begins_again_when_there_is_room(bench: DeskBench) -> None:
    order = bench.recognise()
    with full_disk():
        bench.see(order.digest)
        assert (bench.unit.state, bench.unit.situation.doubts) == (State.PAUSED, {Doubt.STORAGE})
        assert bench.ports.asked[-1] == "stop"
        bench.unit.tick()
        assert bench.unit.state is State.PAUSED
    bench.clear()
    recover(bench)
    assert bench.unit.state is State.RECOGNISING
    bench.see(order.digest)
    assert [alert.sequence for alert in bench.alerts] == [1], "no number was lost, and the passage still counts"


def test_on_a_full_disk_documents_are_refused_and_a_cancellation_still_ends_recognition(bench: DeskBench) -> None:
    order = bench.recognise()
    with full_disk():
        bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
        bench.clear()
        assert bench.unit.state is State.ERASING
        assert bench.left_of_deployments() == [], "the key and the list go, logged or not"
        bench.unit.tick()
    recover(bench)
    assert bench.unit.state is State.IDLE
    assert len(bench.certificates) == 1
    assert bench.certificates[0].entries == 1


def test_an_order_that_cannot_be_stored_is_refused_and_leaves_nothing(bench: DeskBench) -> None:
    order = bench.order()
    with full_disk():
        assert not bench.give(Down.ORDER, order.data).accepted
        assert bench.left_of_deployments() == []
    recover(bench)
    assert bench.give(Down.ORDER, order.data).accepted


def test_a_damaged_database_keeps_the_unit_from_starting(bench: DeskBench) -> None:
    bench.arm()
    bench.close()
    path = bench.state / "warden.db"
    for name in ("warden.db-wal", "warden.db-shm"):
        (bench.state / name).unlink(missing_ok=True)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises((StorageCorrupt, StorageFailed), match=r"damaged|cannot open"):
        Store(path)


def test_a_log_that_was_rewritten_keeps_the_unit_from_starting(bench: DeskBench) -> None:
    bench.arm()
    bench.close()
    db = sqlite3.connect(bench.state / "warden.db")
    db.execute("DROP TRIGGER audit_keeps_its_words")
    db.execute("UPDATE audit SET event = 'nothing.happened' WHERE position = 2")
    db.commit()
    db.close()
    with pytest.raises(StorageCorrupt, match="record 2"):
        Store(bench.state / "warden.db")
    bench.store = Store(bench.folder / "other.db")


def test_the_log_refuses_to_be_changed_or_shortened(bench: DeskBench) -> None:
    for statement in ("DELETE FROM audit", "UPDATE audit SET event = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            bench.store._db.execute(statement)


# What is told


def test_each_change_of_state_is_announced_signed_and_retained(bench: DeskBench) -> None:
    bench.recognise()
    told = [
        envelope.verify(payload, Status, bench.identity.key).state
        for topic, payload, retain in bench.ports.announced
        if topic.endswith("/status") and retain
    ]
    assert told[-2:] == [State.ARMED, State.RECOGNISING]


def test_a_checkpoint_carries_the_logs_head(bench: DeskBench) -> None:
    bench.unit.announce_checkpoint()
    checkpoint = envelope.verify(bench.ports.announced[-1][1], Checkpoint, bench.identity.key)
    assert (checkpoint.records, checkpoint.head) == bench.store.head()


def test_a_receipt_says_where_in_the_log_it_stands(bench: DeskBench) -> None:
    receipt = bench.give(Down.ORDER, bench.order().data)
    assert bench.log[receipt.log_position - 1].event in {"order.accepted", "state.changed"}


# The state folder


def test_a_state_folder_is_used_by_one_process_at_a_time(bench: DeskBench) -> None:
    with alone(bench.state), pytest.raises(VaultError, match="in use"), alone(bench.state):
        pass


@pytest.mark.parametrize("name", ["unit.json", "charter.json", "keys/signing.key", "keys/storage.key"])
def test_a_state_folder_that_lacks_something_is_refused_with_what_to_do(bench: DeskBench, name: str) -> None:
    (bench.state / name).unlink()
    with pytest.raises(VaultError, match=r"overt-camera (enrol|identity)"):
        Vault(bench.state)


@pytest.mark.parametrize("name", ["unit.json", "charter.json", "keys/signing.key", "keys/storage.key"])
def test_a_state_folder_that_is_damaged_is_refused_and_no_key_is_repeated(bench: DeskBench, name: str) -> None:
    (bench.state / name).write_bytes(b"AGE-SECRET-KEY-canary")
    with pytest.raises(VaultError) as caught:
        Vault(bench.state)
    assert "canary" not in str(caught.value)


def test_p3_after_the_end_the_units_own_storage_key_opens_no_copy_of_what_was_kept(bench: DeskBench) -> None:
    order = bench.recognise()
    before = (bench.state / "keys" / "storage.key").read_text()
    copies = {path.name: path.read_bytes() for path in bench.left_of_deployments()}
    assert sealing.unseal(copies["key.sealed"], before), "while it lasts, it is what survives a power cut"
    assert bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest)).accepted
    bench.clear()
    after = (bench.state / "keys" / "storage.key").read_text()
    with pytest.raises(ProtocolError):
        sealing.unseal(copies["key.sealed"], after)
    bench.arm(operation="EXERCISE-2")
    bench.cut_power()
    assert bench.unit.loaded is not None, "the next deployment survives a power cut under the new key"
