"""The unit's parts: real ones where this machine has them, and plain errors where it has not."""

import importlib.util
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overt.protocol.vocabulary import ClockQuality
from overt.warden.devices import DeviceError
from overt.warden.fitting import fitted
from overt.warden.indicator import GpioIndicator, NoIndicator
from overt.warden.lamp import Lamp
from overt.warden.place import EnrolledSite
from overt.warden.steering import Kernel, SteeredClock
from overt.warden.vault import Vault
from tests.builders import SITE
from tests.simulators.devices import SimulatedLamp, World
from tests.warden.bench import Enrolled


def test_the_clock_is_the_kernels_and_its_quality_is_the_kernels_word() -> None:
    clock = SteeredClock(Kernel(), datetime(2026, 1, 1, tzinfo=UTC))
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    assert clock.now().tzinfo is not None
    assert clock.correction() == timedelta()
    word = subprocess.run(["adjtimex", "--print"], capture_output=True, text=True, check=False) if _has_tool() else None
    if word is None:
        assert clock.quality() in {ClockQuality.SYNCHRONISED, ClockQuality.UNKNOWN}
    else:
        unsynchronised = int(word.stdout.split("status:")[1].split()[0]) & 0x40
        assert (clock.quality() is ClockQuality.UNKNOWN) == bool(unsynchronised)


def test_seconds_that_nobody_can_set_pass_as_they_do() -> None:
    clock = SteeredClock(Kernel(), datetime(2026, 1, 1, tzinfo=UTC))
    first = clock.elapsed()
    time.sleep(0.05)
    assert 0.05 <= clock.elapsed() - first < 1


def _has_tool() -> bool:
    return any((Path(folder) / "adjtimex").exists() for folder in ("/usr/sbin", "/sbin", "/usr/bin"))


def test_a_unit_without_a_lamp_never_claims_that_one_is_lit(tmp_path: Path) -> None:
    unit = Enrolled(tmp_path)
    devices = fitted(Vault(unit.state))
    devices.indicator.show(True)
    assert isinstance(devices.indicator, NoIndicator)
    assert devices.indicator.is_lit() is None
    assert devices.place.where() == EnrolledSite(SITE).where() == SITE


def test_a_lamp_on_a_machine_without_its_library_or_chip_is_a_plain_error() -> None:
    expected = "no-such-chip" if importlib.util.find_spec("gpiod") else "gpiod"
    with pytest.raises(DeviceError, match=expected):
        GpioIndicator("no-such-chip", 17, 27)


def test_a_lamp_counts_as_lit_only_when_told_and_after_it_was_seen_dark(tmp_path: Path) -> None:
    world = World(tmp_path)
    lamp = Lamp(SimulatedLamp(world))
    lamp.show(False)
    assert lamp.is_lit() is False
    lamp.show(True)
    assert lamp.is_lit() is True
    lamp.show(False)
    world.set(lamp="lit")
    assert lamp.is_lit() is None, "lit although told dark: the reading is worth nothing"
    lamp.show(True)
    assert lamp.is_lit() is None
    assert not world.lit, "it is not lit while its reading is stuck"
    world.set(lamp="works")
    lamp.show(True)
    assert lamp.is_lit() is True
