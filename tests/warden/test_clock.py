"""What time it is, and whether the unit may act on it: sources, holdover, jumps, sleep; and random lives."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.protocol.vocabulary import ClockQuality
from overt.warden.clock import CONFIRM_S, DRIFT, GPS_MAX_AGE_S, GPS_SAMPLES, HOLDOVER_MAX_S, Anchor, Held, Reading, tell
from overt.warden.fix import GpsTime

TRUE_START = datetime(2026, 6, 1, 10, tzinfo=UTC)  # when the machine booted
CHARTER = datetime(2026, 1, 1, tzinfo=UTC)
SYNCHRONISED, HOLDOVER, UNKNOWN = ClockQuality.SYNCHRONISED, ClockQuality.HOLDOVER, ClockQuality.UNKNOWN


class Life:
    """A machine whose clock is off by `off_s`, and whoever tells it the time."""

    def __init__(self, off_s: float = 0.0, *, kernel: bool = False, gps: bool = False) -> None:
        self.boot_s, self.off_s, self.kernel, self.gps = 50.0, off_s, kernel, gps
        self.gps_off_s = 0.0
        self.held = Held(CHARTER)
        self.look()

    @property
    def truth(self) -> datetime:
        return TRUE_START + timedelta(seconds=self.boot_s)

    def look(self, signed: Anchor | None = None, *samples: GpsTime) -> ClockQuality:
        reading = Reading(self.truth + timedelta(seconds=self.off_s), self.boot_s, self.kernel, samples, signed)
        self.held, self.told = tell(self.held, reading)
        assert reading.system + self.told.correction == self.told.time
        return self.told.quality

    def pass_time(self, seconds: float = 1.0) -> ClockQuality:
        """Let whole seconds pass one by one; a receiver tells each a fifth of a second late."""
        for _ in range(int(seconds)):
            self.boot_s += 1.0
            told = self.truth - timedelta(seconds=0.2) + timedelta(seconds=self.gps_off_s)
            self.look(None, *([GpsTime(told, self.boot_s)] if self.gps else []))
        return self.told.quality

    def sleep(self, seconds: float) -> ClockQuality:
        """Be switched off but for CLOCK_BOOTTIME, and look at once."""
        self.boot_s += seconds
        return self.look()

    def sign(self, off_s: float = 0.0, error_s: float = 1.0) -> ClockQuality:
        origin = TRUE_START + timedelta(seconds=off_s)
        return self.look(Anchor(origin, self.boot_s, error_s))

    @property
    def wrong_s(self) -> float:
        return abs((self.told.time - self.truth).total_seconds())


def test_a_clock_that_nobody_vouches_for_is_unknown_and_says_what_the_machine_says() -> None:
    life = Life(off_s=500)
    assert life.pass_time(100) is UNKNOWN
    assert life.wrong_s == 500


# The kernel


def test_the_kernels_word_is_believed_at_once_and_to_the_microsecond() -> None:
    life = Life(kernel=True)
    assert life.told.quality is SYNCHRONISED
    assert (life.wrong_s, life.told.correction) == (0, timedelta())


def test_a_kernel_that_vouches_for_a_time_before_the_charter_is_not_believed() -> None:
    assert Life(off_s=-365 * 86400, kernel=True).told.quality is UNKNOWN


# Holdover


def test_without_its_source_the_time_is_held_over_for_a_day_and_no_longer() -> None:
    life = Life(kernel=True)
    life.kernel = False
    assert life.sleep(1) is HOLDOVER
    assert life.sleep(HOLDOVER_MAX_S - 1) is HOLDOVER
    assert life.sleep(1) is UNKNOWN
    life.kernel = True
    assert life.look() is SYNCHRONISED


def test_held_over_the_time_is_that_of_the_clock_that_nobody_can_set() -> None:
    life = Life(kernel=True)
    life.kernel = False
    life.pass_time(60)
    life.off_s = 3600
    life.sleep(1)
    assert life.wrong_s == 0
    assert life.told.correction == timedelta(hours=-1)


def test_a_reboot_loses_it() -> None:
    life = Life(kernel=True)
    life.held, life.kernel = Held(CHARTER), False
    assert life.look() is UNKNOWN


# Steps of the machine's clock


@pytest.mark.parametrize("step_s", [-7200, -5, 5, 7200])
def test_a_step_under_the_kernels_eyes_is_doubted_until_it_has_vouched_for_the_new_time_for_long(step_s: int) -> None:
    life = Life(kernel=True)
    life.pass_time(30)
    life.off_s = step_s
    assert life.pass_time(1) is UNKNOWN
    assert life.wrong_s == 0, "in doubt the time goes on as it was last believed"
    assert life.pass_time(CONFIRM_S - 1) is UNKNOWN
    assert life.pass_time(1) is SYNCHRONISED


def test_a_step_to_and_fro_is_doubted_for_as_long() -> None:
    life = Life(kernel=True)
    life.pass_time(30)
    life.off_s = 3600
    life.pass_time(1)
    life.off_s = 0
    assert life.pass_time(1) is UNKNOWN
    assert life.pass_time(CONFIRM_S) is SYNCHRONISED


def test_a_step_while_held_over_is_doubted_until_some_source_confirms_the_time() -> None:
    life = Life(kernel=True)
    life.pass_time(5)
    life.kernel, life.off_s = False, 3600
    assert life.pass_time(600) is UNKNOWN
    assert life.sign() is HOLDOVER
    assert life.wrong_s == 0


def test_a_step_that_a_receiver_knows_nothing_of_is_over_with_its_next_time() -> None:
    life = Life(off_s=-1000, gps=True)
    life.pass_time(20)
    life.off_s = 3600
    life.boot_s += 0.2
    assert life.look() is UNKNOWN
    assert life.pass_time(1) is SYNCHRONISED
    assert life.wrong_s < 0.5


def test_sleep_is_no_step_when_the_clock_went_on() -> None:
    life = Life(kernel=True)
    assert life.sleep(6 * 3600) is SYNCHRONISED


def test_waking_up_with_a_clock_that_stood_still_is_one() -> None:
    life = Life(kernel=True)
    life.off_s = -6 * 3600
    assert life.sleep(6 * 3600) is UNKNOWN


# The receiver


def test_a_receivers_time_is_believed_once_several_agree_however_wrong_the_machine_is() -> None:
    life = Life(off_s=-(10**9), gps=True)
    assert life.pass_time(GPS_SAMPLES - 1) is UNKNOWN
    assert life.pass_time(1) is SYNCHRONISED
    assert life.wrong_s <= 0.2
    life.gps = False
    life.pass_time(GPS_MAX_AGE_S + 1)
    assert life.told.quality is HOLDOVER
    assert life.wrong_s <= 0.2


def test_a_receiver_whose_times_disagree_with_each_other_is_not_believed() -> None:
    life = Life(gps=True)
    for second in range(40):
        life.gps_off_s = 3.0 if second % 3 else 0.0
        assert life.pass_time(1) is UNKNOWN


def test_a_receiver_that_thinks_it_is_twenty_years_ago_is_not_believed() -> None:
    life = Life(gps=True)
    life.gps_off_s = -1024 * 7 * 86400  # its week number has rolled over
    assert life.pass_time(60) is UNKNOWN


def test_a_receiver_that_jumps_is_doubted_until_it_is_steady() -> None:
    life = Life(gps=True)
    life.pass_time(20)
    life.gps_off_s = 1800
    life.pass_time(GPS_SAMPLES)
    assert life.told.quality is UNKNOWN
    assert life.wrong_s <= 0.3
    assert life.pass_time(CONFIRM_S - 1) is UNKNOWN
    assert life.pass_time(1) is SYNCHRONISED


def test_a_receiver_that_creeps_away_is_found_out() -> None:
    life = Life(gps=True)
    life.pass_time(20)
    qualities = set()
    for _ in range(60):
        life.gps_off_s += 0.1
        qualities.add(life.pass_time(1))
    assert UNKNOWN in qualities


def test_two_sources_that_contradict_each_other_are_both_doubted_while_they_do() -> None:
    life = Life(kernel=True, gps=True)
    assert life.pass_time(20) is SYNCHRONISED
    life.gps_off_s = 3600
    assert life.pass_time(60) is UNKNOWN
    assert life.wrong_s == 0
    life.gps_off_s = 0
    assert life.pass_time(CONFIRM_S) is SYNCHRONISED


# A signed time


def test_a_signed_time_is_believed_and_held_over() -> None:
    life = Life(off_s=-5000)
    assert life.sign() is HOLDOVER
    assert life.wrong_s == 0
    assert life.sleep(HOLDOVER_MAX_S - 1) is HOLDOVER
    assert life.sleep(2) is UNKNOWN


def test_a_kernel_that_comes_later_and_agrees_is_believed_at_once_another_when_it_is_steady() -> None:
    life = Life(off_s=20)
    life.sign(error_s=30)
    life.pass_time(10)
    life.kernel = True
    assert life.pass_time(1) is SYNCHRONISED
    other = Life(off_s=200)
    other.sign(error_s=30)
    other.pass_time(10)
    other.kernel = True
    assert other.pass_time(1) is UNKNOWN
    assert other.pass_time(CONFIRM_S) is SYNCHRONISED


# Random lives

honest = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.1, 3.0)),
        st.tuples(st.just("sleep"), st.floats(1.0, 50_000.0)),
        st.tuples(st.just("step"), st.floats(-(10.0**5), 10.0**5)),
        st.tuples(st.just("steer"), st.just(0.0)),
        st.tuples(st.just("gps"), st.floats(0.0, 0.9)),
        st.tuples(st.just("sign"), st.floats(-30.0, 30.0)),
        st.tuples(st.just("reboot"), st.just(0.0)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(honest, st.floats(-DRIFT, DRIFT))
def test_whatever_happens_an_honest_source_never_leads_to_acting_on_a_wrong_time(
    story: list[tuple[str, float]], drift: float
) -> None:
    """Sources tell the truth (a step of the clock takes the kernel's word away); crystals drift; all else moves."""
    held, boot_s, off_s, kernel, elapsed = Held(CHARTER), 10.0, -4000.0, False, 10.0
    signed_error = 0.0
    for what, value in story:
        samples: tuple[GpsTime, ...] = ()
        signed = None
        passed = value if what in {"pass", "sleep"} else 0.5
        boot_s, elapsed = boot_s + passed * (1 + drift), elapsed + passed
        truth = TRUE_START + timedelta(seconds=elapsed)
        match what:
            case "step":
                off_s, kernel = value, False
            case "steer":
                off_s, kernel = 0.0, True
            case "gps":
                samples = (GpsTime(truth - timedelta(seconds=value), boot_s),)
            case "sign":
                origin = truth + timedelta(seconds=value) - timedelta(seconds=boot_s)
                signed, signed_error = Anchor(origin, boot_s, 30.0), 30.0
            case "reboot":
                held, boot_s, kernel = Held(CHARTER), 5.0, False
        reading = Reading(truth + timedelta(seconds=off_s), boot_s, kernel, samples, signed)
        held, told = tell(held, reading)
        wrong_s = abs((told.time - truth).total_seconds())
        if told.quality is not UNKNOWN:
            assert wrong_s <= 2.0 + signed_error + DRIFT * 1.1 * (HOLDOVER_MAX_S + 50_000)
        if told.quality is SYNCHRONISED:
            assert wrong_s <= 2.0


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(-9e4, 9e4), st.booleans()), max_size=60))
def test_no_jump_is_acted_on_before_a_source_has_stood_by_it(story: list[tuple[float, float, bool]]) -> None:
    """Even a kernel that vouches for every jump: within ten seconds of one, nothing that differs is believed."""
    held, boot_s, off_s, jumped = Held(CHARTER), 10.0, 0.0, -1.0
    held, told = tell(held, Reading(TRUE_START + timedelta(seconds=boot_s), boot_s, True))
    believed = told.time - timedelta(seconds=boot_s)
    for passed, step_s, vouches in story:
        boot_s += passed
        if abs(step_s) > 1.1:
            off_s, jumped = off_s + step_s, boot_s
        system = TRUE_START + timedelta(seconds=boot_s + off_s)
        held, told = tell(held, Reading(system, boot_s, vouches))
        origin = told.time - timedelta(seconds=boot_s)
        if told.quality is not UNKNOWN and abs((origin - believed).total_seconds()) > 1.2:
            assert boot_s - jumped >= CONFIRM_S
        if told.quality is not UNKNOWN:
            believed = origin
