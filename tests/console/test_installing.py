"""Updates: what is installed, what is refused, and how a release has to show itself good."""

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from overt import __version__
from overt.console import installing, slots
from overt.console.installing import GATE_S, STEADY_S, TRIAL, confirm, install
from overt.console.slots import Rauc, SlotsProblem
from overt.console.update import BUNDLE, STATE
from overt.protocol.cable.updates import Progress, Stage
from overt.protocol.reports import Status
from overt.protocol.vocabulary import Cause, State
from tests.simulators.slots import SimulatedSlots

NEWER = "99.0.0"


class PowerCut(BaseException):
    """Nothing after it is done."""


@dataclass
class Unit:
    """A unit's folders and slots, and how it finds itself in each slot."""

    spool: Path
    kept: Path
    slots: SimulatedSlots = field(default_factory=SimulatedSlots)
    answers: Callable[[float], Status | None] = lambda _: well()
    now: float = 0.0

    def bring(self, text: str = f"overt-amd64 {NEWER}") -> None:
        (self.spool / BUNDLE).write_text(text)

    def install(self) -> Stage:
        return install(self.spool, self.kept, self.slots, lambda: self.answers(self.now))

    def confirm(self) -> Stage:
        return confirm(self.spool, self.kept, self.slots, lambda: self.answers(self.now), self._pause, lambda: self.now)

    def _pause(self, seconds: float) -> None:
        self.now += seconds

    def told(self) -> Progress:
        """Return what the technician reads at the cable."""
        return msgspec.json.decode((self.spool / STATE).read_bytes(), type=Progress)

    @property
    def bundle_waits(self) -> bool:
        return (self.spool / BUNDLE).exists()

    @property
    def on_trial(self) -> bool:
        return (self.kept / TRIAL).exists()


def well(*causes: Cause, order: str | None = None) -> Status:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    return Status(force="kent", unit="unit-1", sent=at, state=State.IDLE, since=at, causes=causes, order=order)


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    made = Unit(tmp_path / "spool", tmp_path / "kept")
    made.spool.mkdir()
    made.kept.mkdir()
    return made


def test_a_release_goes_into_the_other_slot_and_is_good_when_the_unit_is_as_well_as_before(unit: Unit) -> None:
    unit.bring()
    assert unit.install() is Stage.REBOOTING
    assert (unit.slots.restarts, unit.slots.next, unit.bundle_waits) == (1, "B", False)
    assert unit.told().detail == f"with release {NEWER}"
    unit.slots.start()
    assert unit.confirm() is Stage.GOOD
    assert unit.slots.good == {"B"}
    assert unit.now >= STEADY_S
    assert unit.told().stage is Stage.GOOD
    assert not unit.on_trial


def test_without_a_bundle_nothing_is_done(unit: Unit) -> None:
    assert unit.install() is Stage.NOTHING
    assert unit.slots.restarts == 0
    assert not (unit.spool / STATE).exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("garbage", "signature verification failed"),
        (f"overt-bench-amd64 {NEWER}", "expected an update for overt-amd64, found one for overt-bench-amd64"),
        ("overt-amd64 0.0.0", f"expected release {__version__} or a later one, found 0.0.0"),
        ("overt-amd64 newest", f"expected a release such as {__version__}, found newest"),
    ],
)
def test_a_bundle_that_does_not_belong_here_is_refused_and_removed(unit: Unit, text: str, expected: str) -> None:
    unit.bring(text)
    assert unit.install() is Stage.REFUSED
    assert unit.told() == Progress(stage=Stage.REFUSED, version=__version__, detail=expected)
    assert (unit.slots.held, unit.slots.restarts, unit.bundle_waits, unit.on_trial) == ({}, 0, False, False)


def test_a_unit_without_slots_says_so(unit: Unit) -> None:
    unit.slots.kind = None
    unit.bring()
    assert unit.install() is Stage.REFUSED
    assert "no second slot" in str(unit.told().detail)


def test_no_update_during_a_deployment(unit: Unit) -> None:
    unit.answers = lambda _: well(order="a" * 64)
    unit.bring()
    assert unit.install() is Stage.REFUSED
    assert "a deployment is in hand" in str(unit.told().detail)
    assert unit.slots.held == {}


def test_a_slot_that_cannot_be_written_leaves_the_one_that_runs(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise SlotsProblem("No space left on device")

    monkeypatch.setattr(unit.slots, "install", full)
    unit.bring()
    assert unit.install() is Stage.REFUSED
    assert unit.told().detail == "No space left on device"
    assert (unit.slots.next, unit.slots.restarts, unit.on_trial) == ("A", 0, False)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda _: None, "its warden does not answer"),
        (lambda _: well(Cause.VISION_ABSENT), "with it: vision_absent"),
        (lambda at: well(Cause.CAMERA_BLACK) if at % (STEADY_S - 5) < 5 else well(), "with it: camera_black"),
    ],
    ids=["dead", "sick", "never well for long"],
)
def test_a_release_that_is_not_well_never_starts_again(
    unit: Unit, answers: Callable[[float], Status | None], why: str
) -> None:
    unit.bring()
    unit.install()
    unit.slots.start()
    unit.answers = answers
    assert unit.confirm() is Stage.ROLLED_BACK
    assert GATE_S <= unit.now < GATE_S + 10
    assert (unit.slots.good, unit.slots.next, unit.slots.restarts) == (set(), "A", 2)
    unit.slots.start()
    unit.answers = lambda _: well()
    assert unit.confirm() is Stage.ROLLED_BACK
    assert unit.slots.good == {"A"}
    assert unit.told().stage is Stage.ROLLED_BACK
    assert str(unit.told().detail).startswith(f"release {NEWER}: ")
    assert why in str(unit.told().detail) or "camera" in why
    assert not unit.on_trial
    assert unit.confirm() is Stage.NOTHING


def test_a_bundle_that_came_while_a_release_was_on_trial_is_not_lost(unit: Unit) -> None:
    unit.bring()
    unit.install()
    unit.slots.start()
    unit.bring("overt-amd64 100.0.0")
    assert unit.confirm() is Stage.GOOD
    assert unit.bundle_waits
    assert unit.install() is Stage.REBOOTING
    assert unit.slots.held["A"] == "overt-amd64 100.0.0"


def test_a_release_that_does_not_start_is_told_of_by_the_one_before(unit: Unit) -> None:
    unit.bring()
    unit.install()  # the loader gave it up after three attempts: the machine is back in A
    assert unit.confirm() is Stage.ROLLED_BACK
    assert unit.told().detail == f"release {NEWER}: it did not start"


def test_a_release_is_not_blamed_for_what_was_wrong_before_it_or_for_the_world(unit: Unit) -> None:
    unit.answers = lambda _: well(Cause.CAMERA_BLACK)
    unit.bring()
    unit.install()
    unit.slots.start()
    unit.answers = lambda _: well(Cause.CAMERA_BLACK, Cause.CLOCK_UNSET, Cause.PLACE_UNKNOWN)
    assert unit.confirm() is Stage.GOOD


def test_a_release_that_needs_a_while_to_start_is_waited_for(unit: Unit) -> None:
    unit.bring()
    unit.install()
    unit.slots.start()
    unit.answers = lambda at: None if at < GATE_S / 2 else well()
    assert unit.confirm() is Stage.GOOD


def test_a_unit_without_slots_has_nothing_to_judge(unit: Unit) -> None:
    unit.slots.running = None
    assert unit.confirm() is Stage.NOTHING


def test_a_note_that_cannot_be_read_is_none(unit: Unit) -> None:
    (unit.kept / TRIAL).write_bytes(b"\xff{")
    assert unit.confirm() is Stage.NOTHING
    assert unit.slots.good == {"A"}


def cut_at(unit: Unit, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the power just before the given one of all the changes to disk that follow."""
    left = number

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def change_or_cut(*given: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                raise PowerCut
            left -= 1
            return change(*given, **named)

        return change_or_cut

    for name in ("write_atomically", "_remove"):
        monkeypatch.setattr(installing, name, counted(getattr(installing, name)))
    for name in ("install", "mark", "restart"):
        monkeypatch.setattr(unit.slots, name, counted(getattr(unit.slots, name)))


@pytest.mark.parametrize("number", range(12))
def test_a_power_cut_at_any_instant_ends_in_a_good_release(
    unit: Unit, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine starts again, systemd begins what it begins, and the update is finished without anybody."""
    unit.bring()
    with monkeypatch.context() as patch:
        cut_at(unit, number, patch)
        try:
            unit.install()
            unit.slots.start()
            unit.confirm()
        except PowerCut:
            pass
    for _ in range(3):
        unit.slots.start()
        unit.confirm()
        unit.install()
    assert unit.told().stage is Stage.GOOD
    assert unit.slots.running == "B"
    assert "B" in unit.slots.good
    assert not unit.bundle_waits
    assert not unit.on_trial


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that RAUC has made, with the certificate that signs it."""
    if missing := [name for name in ("rauc", "mksquashfs", "openssl") if shutil.which(name) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "in").mkdir()
    (folder / "in" / "overt.squashfs").write_bytes(random.Random(1).randbytes(20_000))  # noqa: S311 - no secret
    (folder / "in" / "manifest.raucm").write_text(
        f"[update]\ncompatible=overt-amd64\nversion={NEWER}\n[bundle]\nformat=verity\n"
        "[image.rootfs]\nfilename=overt.squashfs\n"
    )
    for command in (
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "30", "-subj", "/CN=updates", "-keyout", "key.pem", "-out", "cert.pem"],
        ["rauc", "bundle", "--cert=cert.pem", "--key=key.pem", "in", "new.raucb"],
    ):  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def inspecting(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Rauc:
    """The real thing, told of the keyring that a unit's system names."""
    run = slots._run
    monkeypatch.setattr(
        slots, "_run", lambda *words, seconds: run(*words, f"--keyring={folder / 'cert.pem'}", seconds=seconds)
    )
    return Rauc()


def test_rauc_tells_what_a_signed_bundle_holds(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inspecting(monkeypatch, signed).inspect(signed / "new.raucb")
    assert (found.compatible, found.version) == ("overt-amd64", NEWER)


def test_a_bundle_with_one_byte_altered_or_of_another_signer_is_refused_in_raucs_words(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray((signed / "new.raucb").read_bytes())
    data[-200] ^= 1
    (tmp_path / "altered.raucb").write_bytes(data)
    with pytest.raises(SlotsProblem, match=r"signature|[Ii]nvalid|CMS"):
        inspecting(monkeypatch, signed).inspect(tmp_path / "altered.raucb")
    (tmp_path / "short.raucb").write_bytes(data[:100])
    with pytest.raises(SlotsProblem, match=r"(?i)bundle"):
        Rauc().inspect(tmp_path / "short.raucb")
