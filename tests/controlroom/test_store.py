"""What was counted stays counted, across restarts and kills, and is forgotten when its time is over."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overt_controlroom.seen import Counted, Head, Latest, Missing, Reported, microseconds
from overt_controlroom.store import Store, StoreError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = microseconds(NOW + timedelta(hours=1))
ORDER = "o" * 64


def counted(sequence: int, forget: int = LATER) -> Counted:
    return Counted(ORDER, "unit-1", sequence, f"id-{sequence}", f"digest-{sequence}", forget)


def test_what_was_committed_is_there_after_a_restart_and_the_rest_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "received.db")
    store.apply([counted(1), Latest("key", "status", 5, "d"), Reported("r", LATER), Head("key", 3, "h", 9)])
    store.commit()
    store.apply([counted(2)])
    store.close()
    again = Store(tmp_path / "received.db")
    assert again.alert_at(ORDER, "unit-1", 1) == counted(1)
    assert again.alert_with_id("id-1") == counted(1)
    assert again.alert_at(ORDER, "unit-1", 2) is None
    assert again.latest("key", "status") == Latest("key", "status", 5, "d")
    assert again.has_report("r")
    assert again.head_at("key", 3) == Head("key", 3, "h", 9)
    again.close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    Store(tmp_path / "received.db").close()
    assert stat.S_IMODE((tmp_path / "received.db").stat().st_mode) == 0o600


def test_a_range_of_missing_numbers_shrinks_number_by_number() -> None:
    store = Store(None)
    store.apply([counted(1), Missing(ORDER, "unit-1", 2, 6, LATER), counted(7)])
    store.apply([counted(4), counted(2), counted(6)])
    missing = [number for number in range(1, 9) if store.is_missing(ORDER, "unit-1", number)]
    assert missing == [3, 5]
    assert store.highest(ORDER, "unit-1") == 7
    assert store.highest(ORDER, "unit-2") == 0
    store.close()


def test_alerts_are_forgotten_when_their_time_is_over_and_leave_no_trace_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "received.db"
    store = Store(path)
    store.apply([counted(1), Missing(ORDER, "unit-1", 2, 3, LATER), counted(9, forget=LATER + 10**9)])
    store.commit()
    assert store.prune(NOW) == 0
    assert store.prune(NOW + timedelta(hours=1)) == 1
    store.commit()
    assert store.alert_at(ORDER, "unit-1", 1) is None
    assert not store.is_missing(ORDER, "unit-1", 2)
    assert store.alert_at(ORDER, "unit-1", 9) is not None
    store.close()
    assert b"digest-1" not in path.read_bytes()


def test_a_head_keeps_the_last_time_that_it_was_said() -> None:
    store = Store(None)
    store.apply([Head("key", 3, "h", 9), Head("key", 3, "h", 20), Head("key", 3, "h", 11), Head("key", 5, "i", 30)])
    assert store.head_before("key", 25) == Head("key", 3, "h", 20)
    assert store.head_after("key", 25) == Head("key", 5, "i", 30)
    assert store.head_before("key", 8) is None
    store.close()


def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "received.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"received\.db"):
        Store(path)
    assert path.read_bytes() == b"this is no database" * 100


def test_a_file_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "received.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StoreError, match="later release"):
        Store(path)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "nowhere" / "received.db")
