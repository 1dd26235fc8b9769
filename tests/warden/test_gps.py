"""A receiver on a real serial line (a pty): plugged in, pulled out, noisy, silent, taken; and its place."""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overt.protocol.documents import FixedSite
from overt.runtime.retry import Backoff
from overt.warden import fix
from overt.warden.fix import Fix
from overt.warden.gps import Receiver, boottime
from overt.warden.nmea import frame
from overt.warden.place import EnrolledSite, GpsPlace, Nowhere, attested
from tests.builders import SITE
from tests.simulators.gps import Line, epoch

HERE = (SITE.latitude, SITE.longitude)
FAR = (52.3, -0.46)
PATIENCE_S = 5.0
TIOCGEXCL = 0x80045440  # linux/asm-generic/ioctls.h; whether a terminal is taken


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "serial0")
    yield made
    made.unplug()


@pytest.fixture
def receiver(line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(fix, "STEADY_S", 0.3)  # seconds of a test's life are dear
    made = Receiver(str(line.path), 9600, Backoff(0.05, 0.05))
    made.start()
    yield made
    made.close()
    assert not made._thread.is_alive()


def until(holds: Callable[[], object], doing: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        doing()
        time.sleep(0.05)


def opened(receiver: Receiver) -> None:
    until(lambda: receiver.trouble is None)


def test_what_a_receiver_says_is_read_and_believed(line: Line, receiver: Receiver) -> None:
    opened(receiver)
    until(receiver.fix, lambda: line.say(HERE))
    found = receiver.fix()
    assert isinstance(found, Fix)
    assert found.position == pytest.approx(HERE, abs=1e-6)
    assert 0 <= boottime() - found.boot_s < 1
    told = receiver.times()
    assert len(told) > 1
    assert abs(told[-1].time - datetime.now(UTC)) < timedelta(seconds=1)
    assert told == tuple(sorted(told, key=lambda sample: sample.boot_s))


def test_sentences_in_crumbs_and_between_noise_are_read(line: Line, receiver: Receiver) -> None:
    def crumbs() -> None:
        data = b"\x00\xff$GPRMC,garbage*00\r\n" + epoch(datetime.now(UTC), HERE)
        for start in range(0, len(data), 37):
            line.send(data[start : start + 37])

    opened(receiver)
    until(receiver.fix, crumbs)


def test_pulled_out_it_is_doubted_at_once_and_back_again_it_is_read_again(line: Line, receiver: Receiver) -> None:
    opened(receiver)
    until(receiver.fix, lambda: line.say(HERE))
    line.unplug()
    pulled = time.monotonic()
    until(lambda: receiver.fix() is None)
    assert time.monotonic() - pulled < 1
    until(lambda: receiver.trouble is not None)
    line.plug()
    opened(receiver)
    assert receiver.fix() is None, "it is steady first"
    until(receiver.fix, lambda: line.say(FAR))
    found = receiver.fix()
    assert found is not None
    assert found.position == pytest.approx(FAR, abs=1e-6)


def test_one_that_is_not_there_is_waited_for(line: Line) -> None:
    line.unplug()
    receiver = Receiver(str(line.path), 9600, Backoff(0.05, 0.05))
    receiver.start()
    try:
        until(lambda: "serial0" in (receiver.trouble or ""))
        line.plug()
        opened(receiver)
    finally:
        receiver.close()


def test_a_file_that_is_no_serial_line_is_said_to_be_none(tmp_path: Path) -> None:
    """`tcgetattr` fails on it, with an error that is not one of pyserial's."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    receiver = Receiver(str(path), 9600, Backoff(0.05, 0.05))
    receiver.start()
    try:
        until(lambda: receiver.trouble not in {None, "not opened yet"})
        assert receiver.fix() is None
    finally:
        receiver.close()


def test_a_line_that_somebody_reads_already_is_not_read_and_ours_is_kept_from_others(
    line: Line, receiver: Receiver
) -> None:
    opened(receiver)
    descriptor = os.open(line.path, os.O_RDWR | os.O_NOCTTY) if os.geteuid() == 0 else None
    if descriptor is None:
        with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
            os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        return
    # The superuser may open what is taken, but sees that it is.
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert int.from_bytes(fcntl.ioctl(descriptor, TIOCGEXCL, bytes(4)), "little") == 1
        second = Receiver(str(line.path), 9600, Backoff(0.05, 0.05))
        second.start()
        try:
            until(lambda: "lock" in (second.trouble or ""))
        finally:
            second.close()
    finally:
        os.close(descriptor)


def test_a_line_that_is_flooded_holds_nobody_up(line: Line, receiver: Receiver) -> None:
    opened(receiver)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        try:
            line.send(os.urandom(2000))
        except BlockingIOError:
            time.sleep(0.01)
        before = time.monotonic()
        receiver.fix()
        receiver.times()
        assert time.monotonic() - before < 0.45
    time.sleep(0.3)
    line.send(b"\r\n")
    until(receiver.fix, lambda: line.say(HERE))


def test_a_silent_receiver_is_nowhere(receiver: Receiver) -> None:
    opened(receiver)
    assert receiver.fix() is None
    assert receiver.times() == ()


# The place


def test_a_unit_that_moves_is_where_it_is_measured(line: Line, receiver: Receiver) -> None:
    place = GpsPlace(receiver, None)
    assert place.where() is None
    until(place.where, lambda: line.say(FAR))
    found = place.where()
    assert found is not None
    assert (found.latitude, found.longitude) == (pytest.approx(FAR[0]), pytest.approx(FAR[1]))


def test_a_unit_with_a_site_is_there_only_while_it_is_measured_there(line: Line, receiver: Receiver) -> None:
    place = GpsPlace(receiver, SITE)
    near = (SITE.latitude + 0.0005, SITE.longitude)
    until(place.where, lambda: line.say(near))
    assert place.where() == FixedSite(name=SITE.name, latitude=pytest.approx(near[0]), longitude=near[1])
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        line.say(FAR)
        time.sleep(0.1)
    assert receiver.fix() is not None, "it is steady, but elsewhere"
    assert place.where() is None


def test_why_the_place_is_not_known_is_in_the_journal_once(
    line: Line, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    place = GpsPlace(receiver, SITE)
    opened(receiver)
    for _ in range(3):
        place.where()
    until(place.where, lambda: line.say(HERE))
    said = capsys.readouterr().err
    assert said.count("place.unknown") == 1
    assert said.count("place.known") == 1


def test_without_a_receiver_the_place_is_the_attested_site_or_nowhere() -> None:
    assert attested(SITE) == EnrolledSite(SITE)
    assert attested(SITE).where() == SITE
    assert isinstance(attested(None), Nowhere)
    assert attested(None).where() is None


def test_a_sentence_that_is_none_of_ours_keeps_the_waits_growing(line: Line) -> None:
    drawn: list[float] = []
    backoff = Backoff(0.01, 0.05, lambda low, high: drawn.append(high) or low)
    receiver = Receiver(str(line.path), 9600, backoff)
    receiver.start()
    try:
        opened(receiver)
        line.send(frame("IIDBT,1.0,f"))
        line.unplug()
        until(lambda: len(drawn) > 4)
        assert drawn == sorted(drawn)
        line.plug()
        opened(receiver)
        until(lambda: not backoff._attempts, lambda: line.say(HERE))
    finally:
        receiver.close()
