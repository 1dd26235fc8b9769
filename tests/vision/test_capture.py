"""Capture beside inference: the newest picture wins, drops are counted, stillness is noticed."""

import select
import threading
import time

import numpy as np
import pytest

from overt.vision.capture import Blackness, Capture, Mailbox, Stillness
from overt.vision.sources.base import SourceEnded, SourceUnavailable
from overt.vision.sources.pace import Pace
from tests.recognition.synthetic import picture
from tests.simulators.camera import CameraSimulator


def test_the_newest_picture_wins_and_the_others_are_counted() -> None:
    mailbox = Mailbox()
    assert mailbox.take() is None
    for number in range(1, 4):
        mailbox.put(picture({}, number))
    assert select.select([mailbox], [], [], 0)[0]
    taken = mailbox.take()
    assert taken is not None
    assert taken.number == 3
    assert mailbox.dropped == 2
    assert not select.select([mailbox], [], [], 0)[0]
    assert mailbox.take() is None
    mailbox.close()


def test_capture_goes_on_while_nobody_looks_and_memory_does_not_grow() -> None:
    camera = CameraSimulator()
    capture = Capture(camera)
    capture.start()
    time.sleep(0.3)
    frame = capture.mailbox.take()
    assert frame is not None
    assert capture.mailbox.dropped == frame.number - 1 > 2
    assert capture.stop()
    assert not camera.is_open


def test_a_crowd_that_takes_longer_than_a_picture_drops_pictures_and_never_falls_behind() -> None:
    camera = CameraSimulator()
    capture = Capture(camera)
    capture.start()
    looked_at, late, given = 0, 0, 0
    for _ in range(8):
        while camera.given < given + 5:  # a look that takes five pictures' time
            time.sleep(0.005)
        given = camera.given
        frame = capture.mailbox.take()
        assert frame is not None
        looked_at += 1
        late = max(late, given - frame.number)
        assert capture.mailbox.dropped == frame.number - looked_at
    assert late <= 1, "the picture that is looked at is the newest, however long the looks have taken"
    assert capture.mailbox.dropped >= looked_at
    assert capture.stop()


def test_a_camera_that_cannot_be_opened_is_said_where_capture_is_started() -> None:
    camera = CameraSimulator()
    camera.refuses = SourceUnavailable("in use")
    capture = Capture(camera)
    with pytest.raises(SourceUnavailable, match="in use"):
        capture.start()
    assert capture.stop()


def test_a_camera_that_hangs_while_opening_is_given_up() -> None:
    camera = CameraSimulator()
    release = threading.Event()
    camera.open = release.wait  # type: ignore[method-assign,assignment]  # a driver that does not return
    capture = Capture(camera)
    with pytest.raises(SourceUnavailable, match="did not open within"):
        capture.start(patience_s=0.1)
    release.set()
    capture.stop()


def test_a_camera_that_hangs_is_noticed_by_its_silence() -> None:
    camera = CameraSimulator(patience_s=0.2)
    stuck = threading.Event()
    camera.next = lambda _: stuck.wait() or None  # type: ignore[method-assign]  # a driver that does not return
    capture = Capture(camera)
    capture.start()
    assert not capture.hung()
    time.sleep(0.3)
    assert capture.hung()
    stuck.set()
    capture.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_source_that_fails_as_nobody_expected_is_a_lost_camera_and_no_silent_one() -> None:
    camera = CameraSimulator()
    camera.open = lambda: None.at(0)  # type: ignore[method-assign,attr-defined]  # as picamera2 does without a raw mode
    capture = Capture(camera)
    with pytest.raises(SourceUnavailable, match="nobody expected"):
        capture.start()
    assert capture.stop()


def test_the_end_of_footage_wakes_the_reader_and_is_not_a_hang() -> None:
    camera = CameraSimulator(patience_s=0.2)
    camera.ends_after = 2
    capture = Capture(camera)
    capture.start()
    time.sleep(0.4)
    assert select.select([capture.mailbox], [], [], 1)[0]
    assert isinstance(capture.failure, SourceEnded)
    assert not capture.hung()
    assert capture.stop()


def test_a_picture_that_stays_the_same_is_frozen_after_its_time_and_grain_is_enough_to_thaw_it() -> None:
    still = Stillness(2.0)
    y = np.full((480, 640), 90, np.uint8)
    assert not still.frozen(y, 0.0)
    assert not still.frozen(y, 1.9)
    assert still.frozen(y, 2.0)
    y[0, 0] += 1
    assert not still.frozen(y, 2.1)


def test_a_view_that_stays_black_is_noticed_after_its_time_and_so_is_its_end() -> None:
    random = np.random.default_rng(3)
    covered = np.clip(random.normal(18, 4, (480, 640)), 0, 255).astype(np.uint8)
    blackness = Blackness(10.0)
    assert not blackness.black(covered, 0.0)
    assert not blackness.black(covered, 9.9)
    assert blackness.black(covered, 10.0)
    with_a_lamp = covered.copy()
    with_a_lamp[:96, :96] = 120
    assert not blackness.black(with_a_lamp, 10.1), "a street at night with one lamp is a view"
    assert not blackness.black(covered, 10.2)
    assert blackness.black(covered, 20.2)


def test_footage_may_be_black() -> None:
    assert not Blackness(None).black(np.zeros((480, 640), np.uint8), 1e6)


def test_footage_may_stand_still() -> None:
    still = Stillness(None)
    y = np.full((480, 640), 90, np.uint8)
    assert not still.frozen(y, 0.0)
    assert not still.frozen(y, 1e6)


def test_late_pictures_are_skipped_but_never_more_than_four_in_a_row() -> None:
    pace = Pace()
    assert pace.due(0.0, 100.0) == 100.0
    assert [pace.skip(100.0, 100.5) for _ in range(10)] == [True] * 4 + [False] + [True] * 4 + [False]
    assert not pace.skip(100.0, 100.03)


def test_far_too_late_the_footage_goes_on_from_now() -> None:
    pace = Pace()
    pace.due(0.0, 100.0)
    assert pace.due(1.0, 100.5) == 101.0
    assert pace.due(2.0, 110.0) == 110.0
    assert pace.due(2.04, 110.0) == pytest.approx(110.04)
    assert pace.due(9000.0, 111.0) == 111.0  # a jump in the footage's own clock
