"""The lamp and the lid's switch on GPIO lines: over a simulator of libgpiod, and over the kernel's own of a chip.

The second is gpio-sim: it needs root and CONFIG_GPIO_SIM, which Debian's own kernels are built without. There a thread
stands in for the wiring: the read-back line follows the lamp's line, or does not.
"""

import contextlib
import inspect
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from overt.warden import indicator
from overt.warden.devices import DeviceError
from overt.warden.indicator import GpioIndicator, Reopened
from overt.warden.lamp import Lamp
from overt.warden.lid import GpioLid

CONFIG = Path("/sys/kernel/config/gpio-sim")
LABEL, LAMP, READ_BACK, SWITCH = "overt-test", 17, 27, 22
PATIENCE_S = 20.0

gpiod = pytest.importorskip("gpiod")
from tests.simulators import gpiod as simulator  # noqa: E402 - has libgpiod's own settings
from tests.simulators.faithful import differences  # noqa: E402 - after what may be skipped


class Wired(Protocol):
    """A chip, and what is wired to it."""

    def __init__(self, name: str) -> None:
        """Plug it in, by a name of its own."""

    @property
    def device(self) -> Path:
        """Its device's file."""

    def lamp(self) -> bool:
        """Whether the lamp's line is high."""

    def pull(self, line: int, high: bool) -> None:
        """Pull a line up or down."""

    def cut(self) -> None:
        """Cut the wire between the lamp and its read-back."""

    def remove(self) -> None:
        """Unplug it."""


class SimulatedChip:
    """One that is only here."""

    folder: Path

    def __init__(self, name: str) -> None:
        self.device = self.folder / f"gpiochip-{name}"
        self._board = simulator.Board(self.device, LABEL, 32)
        self._board.wires[READ_BACK] = LAMP

    def lamp(self) -> bool:
        return self._board.level(LAMP)

    def pull(self, line: int, high: bool) -> None:
        self._board.pulled[line] = high

    def cut(self) -> None:
        self._board.wires.clear()

    def remove(self) -> None:
        self._board.unplug()


class KernelChip:
    """One of gpio-sim's."""

    def __init__(self, name: str) -> None:
        self._folder = CONFIG / name
        bank = self._folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text("32")
        (bank / "label").write_text(LABEL)
        (self._folder / "live").write_text("1")
        device = Path("/sys/devices/platform") / (self._folder / "dev_name").read_text().strip()
        self._lines = device / (bank / "chip_name").read_text().strip()
        self.device = Path("/dev") / (bank / "chip_name").read_text().strip()
        self._ended = threading.Event()
        self._wire = threading.Thread(target=self._follow)
        self._wire.start()
        deadline = time.monotonic() + 10
        while not self.device.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def lamp(self) -> bool:
        return (self._lines / f"sim_gpio{LAMP}" / "value").read_text().strip() == "1"

    def pull(self, line: int, high: bool) -> None:
        (self._lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if high else "pull-down")

    def _follow(self) -> None:
        while not self._ended.wait(0.005):
            with contextlib.suppress(OSError):
                self.pull(READ_BACK, self.lamp())

    def cut(self) -> None:
        """Cut the wire between the lamp and its read-back."""
        self._ended.set()
        self._wire.join()

    def remove(self) -> None:
        if not self._folder.exists():
            return
        self.cut()
        (self._folder / "live").write_text("0")
        (self._folder / "bank0").rmdir()
        self._folder.rmdir()


def settles(holds: Callable[[], object]) -> bool:
    """Wait until something is so; the wire is a thread, and this machine may be slow."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(params=[SimulatedChip, pytest.param(KernelChip, marks=pytest.mark.slow)])
def chip(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wired]:
    if request.param is SimulatedChip:
        monkeypatch.setattr(indicator, "DEVICES", tmp_path)
        monkeypatch.setattr(SimulatedChip, "folder", tmp_path, raising=False)
        monkeypatch.setitem(sys.modules, "gpiod", simulator)
    else:
        gpio_sim_needed()
    made: Wired = request.param(f"overt-{os.getpid()}")
    yield made
    made.remove()


def gpio_sim_needed() -> None:
    if not CONFIG.exists():
        with contextlib.suppress(OSError):
            subprocess.run(["modprobe", "gpio-sim"], check=False, capture_output=True)
    if not CONFIG.exists() or os.geteuid() != 0:
        pytest.skip("no gpio-sim in this kernel (or not root): the lamp's lines cannot be tried here")


def test_the_lamp_lights_and_darkens_and_the_reading_follows(chip: Wired) -> None:
    light = GpioIndicator(LABEL, LAMP, READ_BACK)
    for lit in (False, True, False, True):
        light.show(lit)
        assert chip.lamp() is lit
        assert settles(lambda lit=lit: light.is_lit() is lit)  # type: ignore[misc]  # bound at once
    light.close()
    assert not chip.lamp(), "let go of, it is dark"


def test_a_lamp_that_is_broken_or_whose_wire_is_stuck_never_counts_as_lit(chip: Wired) -> None:
    lamp = Lamp(GpioIndicator(LABEL, LAMP, READ_BACK))
    lamp.show(False)
    chip.cut()
    chip.pull(READ_BACK, False)
    lamp.show(True)
    assert chip.lamp()
    assert lamp.is_lit() is False, "no current flows"
    lamp.show(False)
    chip.pull(READ_BACK, True)
    assert lamp.is_lit() is None, "lit although told dark"
    lamp.show(True)
    assert not chip.lamp()


def test_lines_that_somebody_else_holds_are_a_plain_error(chip: Wired) -> None:
    assert chip.device.exists()
    first = GpioIndicator(LABEL, LAMP, READ_BACK)
    with pytest.raises(DeviceError, match="cannot use lines 17 and 27 of overt-test"):
        GpioIndicator(LABEL, LAMP, READ_BACK)
    first.close()
    GpioIndicator(LABEL, LAMP, READ_BACK).close()


def test_a_chip_that_is_not_there_yet_is_found_when_it_comes(chip: Wired) -> None:
    chip.remove()
    lamp = Reopened(lambda: GpioIndicator(LABEL, LAMP, READ_BACK), retry_s=0.05)
    assert lamp.is_lit() is None
    again = type(chip)(f"overt-again-{os.getpid()}")
    try:
        assert settles(lambda: lamp.is_lit() is False)
        lamp.show(True)
        assert settles(lambda: lamp.is_lit() is True)
    finally:
        lamp.close()
        again.remove()


def test_a_lid_is_closed_while_its_switch_is_pressed_and_open_when_its_wire_is_cut(chip: Wired) -> None:
    lid = GpioLid(LABEL, SWITCH)
    assert lid.is_closed() is False, "nothing presses it, and the board pulls it up"
    chip.pull(SWITCH, False)
    assert lid.is_closed() is True
    chip.pull(SWITCH, True)
    assert lid.is_closed() is False
    chip.pull(SWITCH, False)
    assert lid.is_closed() is True
    lid.close()


def test_a_lid_whose_chip_goes_cannot_be_read(chip: Wired) -> None:
    lid = GpioLid(LABEL, SWITCH)
    assert lid.is_closed() is not None
    lid.close()
    chip.remove()
    lid._next_try_s = 0.0
    assert lid.is_closed() is None


def test_a_lamp_whose_chip_goes_is_not_lit_and_is_lit_again_when_it_is_back(chip: Wired) -> None:
    if isinstance(chip, KernelChip):
        pytest.skip("gpio-sim does not let a chip go whose lines are held")
    lamp = Reopened(lambda: GpioIndicator(LABEL, LAMP, READ_BACK), retry_s=0.05)
    lamp.show(True)
    assert lamp.is_lit() is True
    chip.remove()
    assert lamp.is_lit() is None
    again = type(chip)("again")
    assert settles(lambda: lamp.is_lit() is False), "dark until it is told anew"
    lamp.show(True)
    assert lamp.is_lit() is True
    lamp.close()
    again.remove()


def test_the_simulator_has_the_signatures_of_libgpiod() -> None:
    assert differences(simulator.Chip, gpiod.Chip) == []
    assert differences(simulator.LineRequest, gpiod.LineRequest, made_by_users=False) == []
    takes, really = (list(inspect.signature(one.request_lines).parameters) for one in (simulator, gpiod))
    assert takes == [name for name in really if name in takes]
