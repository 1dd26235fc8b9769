"""A unit as a whole, in a machine that really starts: firmware, loader, kernel, systemd, daemons, a technician's cable.

What is looked at comes over the cable or from the disk of a machine that was switched off; nobody can log in.
"""

import random
import shutil
import time
from pathlib import Path

import pytest

from overt_tools.demo.commands import CommandFailed, type_in
from tests.appliance.conftest import enrolled
from tests.appliance.machine import Machine
from tests.appliance.technician import START_S, Technician

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SEED = 7


@pytest.mark.parametrize("technician", [True], indirect=True, ids=["own clock"])
def test_a_unit_starts_takes_an_order_over_its_cable_recognises_and_erases(
    technician: Technician, tmp_path: Path
) -> None:
    found = technician.wait_for("a unit that waits for an order", START_S, state="idle", doubts=[])
    assert not found["indicator_lit"]
    technician.deploy(minutes=60)
    found = technician.wait_for("recognition", START_S, state="recognising")
    assert found["indicator_lit"], "who is recognised can see it"
    until = time.monotonic() + START_S
    while technician.status()["last_sequence"] == 0:
        assert time.monotonic() < until, "the listed volunteer of the footage raises an alert"
        time.sleep(5)
    cancellation = technician.folders.papers / "cancellation.json"
    order = technician.folders.papers / "order.json"
    type_in("overt-provision", "cancel", "--home", technician.folders.office, "--passphrase-file",
            technician.folders.passphrase, "--order", order, "--out", cancellation)  # fmt: skip
    technician.unit("deliver", "cancel", cancellation)
    found = technician.wait_for("the end", START_S, state="idle")
    assert not found["indicator_lit"]
    log = tmp_path / "log.jsonl"
    technician.unit("log", "--out", log)
    assert "erased" in log.read_text()
    technician.machine.cut_power()
    technician.machine.copy_kept(tmp_path / "kept")
    names = [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert not [name for name in names if "watchlist" in name or "gallery" in name], names


def test_p3_power_cuts_at_any_instant_leave_a_unit_that_goes_on_or_has_ended(
    technician: Technician, tmp_path: Path
) -> None:
    """Each time it is as before, or recognition is off and a sentence says why; the log stays whole."""
    technician.wait_for("a unit that waits for an order", START_S, state="idle")
    technician.deploy(minutes=60)
    before = technician.status()
    instants = random.Random(SEED)  # noqa: S311 - instants, not secrets
    for number in range(3):
        time.sleep(instants.uniform(0, 12))
        technician.machine.cut_power()
        technician.machine.power_on()
        technician.machine.wait_until_told("kernel", START_S) if number == 1 else None
        if number == 1:  # while it starts, too
            time.sleep(instants.uniform(0, 20))
            technician.machine.cut_power()
            technician.machine.power_on()
        technician.machine.wait_until_told("console.ready", START_S)
        found = technician.status()
        assert found["order"] == before["order"] or found["state"] == "idle"
        assert found["last_sequence"] >= before["last_sequence"]
        before = found
        if found["order"] is None:
            break
    technician.unit("time")
    found = technician.wait_for("recognition again", START_S, state="recognising")
    assert found["indicator_lit"]
    log = tmp_path / "log.jsonl"
    said = technician.unit("log", "--out", log)
    assert said, "the command checks the log, and ends with 1 when it is not whole"


def test_a_unit_that_is_not_the_technicians_is_left_alone(technician: Technician, tmp_path: Path) -> None:
    stranger = Technician(technician.machine, tmp_path / "stranger")
    with pytest.raises(CommandFailed):
        stranger.status()
    assert technician.status()["state"] == "idle"


def test_p3_on_a_machine_with_a_tpm_the_storage_key_is_nowhere_in_the_clear(image: Path, tmp_path: Path) -> None:
    """It is sealed before the first order, survives a power cut, and opens on this machine alone."""
    if shutil.which("swtpm") is None:
        pytest.skip("not on this machine: swtpm")
    machine = Machine(tmp_path, image, tpm=True)
    with enrolled(machine) as technician:
        technician.deploy(minutes=60)
        machine.cut_power()
        machine.copy_kept(tmp_path / "kept")
        found = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
        assert [path for path in found if path.name == "key.sealed"], "a deployment is in hand"
        assert (tmp_path / "kept" / "overt" / "sealed" / "storage.key").stat().st_size
        assert not [path for path in found if b"AGE-SECRET-KEY-" in path.read_bytes()]
        machine.power_on()
        machine.wait_until_told("console.ready", START_S)
        technician.unit("time")
        technician.wait_for("recognition again", START_S, state="recognising")
        machine.cut_power()
        shutil.rmtree(tmp_path / "tpm")  # the disk is in another machine now
        machine.power_on()
        machine.wait_until_told("seal.lost", START_S)
        machine.wait_until_told("warden.ready", START_S, times=2)  # once to erase, and again with another key
        machine.wait_until_told("console.ready", START_S)
        found_again = technician.status()
        assert found_again["state"] != "recognising"
        assert not found_again["indicator_lit"]
