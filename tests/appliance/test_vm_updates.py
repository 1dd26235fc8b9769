"""Updates on a machine that really starts: RAUC, the loader's count of attempts, the health gate, power cuts."""

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overt import __version__
from overt_tools.image.command import compatible
from tests.appliance.conftest import enrolled, squash, unsquash
from tests.appliance.machine import ROOT, Machine
from tests.appliance.technician import START_S, Technician

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
NEWER = "99.0.0"
CONSOLE = 964
"""The number of the console's user in an image."""


@pytest.fixture(scope="module")
def technician(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Technician]:
    """At one machine for all of these, enrolled: each update finds it as the one before has left it."""
    with enrolled(Machine(tmp_path_factory.mktemp("machine"), image)) as made:
        yield made


Bundles = Callable[..., Path]


@pytest.fixture(scope="module")
def bundled(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Makes bundles: of any system, by any signer, for any kind of unit."""
    folder = tmp_path_factory.mktemp("bundles")

    def make(name: str, system: Path, *, release: str = NEWER, signer: str = "update", bench: bool = True) -> Path:
        keys = image.parent
        out = folder / f"{name}.raucb"
        subprocess.run(
            [ROOT / ".venv/bin/overt-tools", "image", "bundle", system, "--release", release, "--out", out,
             "--certificate", keys / f"{signer}.pem", "--key", keys / f"{signer}.key",
             *(["--bench"] if bench else [])],
            check=True, capture_output=True,
        )  # fmt: skip
        return out

    return make


@pytest.fixture(scope="module")
def nothing_to_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system without a kernel."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "root").mkdir()
    (folder / "root" / "noise").write_bytes(random.Random(1).randbytes(50_000))  # noqa: S311 - no secret
    squash(folder / "root", folder / "nothing.squashfs")
    return folder / "nothing.squashfs"


@pytest.fixture(scope="module")
def without_eyes(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that starts, but whose camera is at a place where none is."""
    folder = tmp_path_factory.mktemp("sick")
    unsquash(image.parent / "overt.squashfs", folder / "root")
    (folder / "root/etc/overt/camera.conf").write_text("SOURCE=file:/nowhere.mp4\n")
    squash(folder / "root", folder / "sick.squashfs")
    shutil.rmtree(folder / "root")
    return folder / "sick.squashfs"


def brought(technician: Technician, bundle: Path) -> None:
    """Have a large bundle lie where the console puts one that came over the cable, and start."""
    machine = technician.machine
    machine.cut_power()
    machine.put(bundle, "overt-console/update.raucb", CONSOLE)
    machine.power_on()


@pytest.mark.parametrize(
    ("signer", "bench", "release", "why"),
    [
        ("stranger", True, NEWER, "verif"),
        ("update", False, NEWER, f"expected an update for {compatible(True)}, found one for {compatible(False)}"),
        ("update", True, "0.0.1", f"expected release {__version__} or a later one, found 0.0.1"),
    ],
    ids=["another signer", "another kind of unit", "an older release"],
)
def test_what_does_not_belong_on_a_unit_is_refused_with_the_reason(
    technician: Technician, bundled: Bundles, nothing_to_start: Path, signer: str, bench: bool, release: str, why: str
) -> None:
    bundle = bundled(f"{signer}-{bench}-{release}", nothing_to_start, release=release, signer=signer, bench=bench)
    found = technician.update(bundle)
    assert found["stage"] == "refused"
    assert why in found["detail"]
    assert technician.status()["state"] == "idle"


def test_an_altered_bundle_is_refused(
    technician: Technician, bundled: Bundles, nothing_to_start: Path, tmp_path: Path
) -> None:
    data = bytearray(bundled("whole", nothing_to_start).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "altered.raucb").write_bytes(data)
    found = technician.update(tmp_path / "altered.raucb")
    assert found["stage"] == "refused"
    assert technician.status()["state"] == "idle"


def test_a_release_that_does_not_start_is_given_up_after_three_attempts(
    technician: Technician, bundled: Bundles, nothing_to_start: Path
) -> None:
    """Over the cable from its first byte to the sentence that says what became of it."""
    found = technician.update(bundled("nothing", nothing_to_start), wait=1500)
    assert found["stage"] == "rolled_back"
    assert found["detail"] == f"release {NEWER}: it did not start"
    assert technician.status()["state"] == "idle"


def test_a_release_is_installed_through_power_cuts_and_is_good(
    technician: Technician, bundled: Bundles, image: Path
) -> None:
    before = technician.status()
    brought(technician, bundled("good", image.parent / "overt.squashfs"))
    machine = technician.machine
    instants = random.Random(7)  # noqa: S311 - instants, not secrets
    for _ in range(2):
        machine.wait_until_told("update.installing", START_S)
        time.sleep(instants.uniform(0, 15))
        machine.cut_power()
        machine.power_on()
    machine.wait_until_told("update.good", START_S * 2)
    found = technician.update()
    assert (found["stage"], found["version"]) == ("good", __version__)
    after = technician.status()
    assert (after["state"], after["unit"]) == (before["state"], before["unit"]), "the data is the same"
    assert technician.unit("log", "--out", machine.folder / "log.jsonl"), "and the log is whole"


def test_a_release_with_which_the_unit_is_not_well_is_gone_back_from(
    technician: Technician, bundled: Bundles, without_eyes: Path
) -> None:
    brought(technician, bundled("sick", without_eyes))
    technician.machine.wait_until_told("update.rolled_back", START_S * 3)
    found = technician.update()
    assert found["stage"] == "rolled_back"
    assert found["detail"] == f"release {NEWER}: with it: vision_absent"
    status = technician.wait_for("a unit that is well", START_S, state="idle", doubts=[])
    assert status["last_sequence"] == 0
