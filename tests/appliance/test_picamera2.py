"""picamera2 and libcamera for real, in a clean Debian 13 with the package.

They load beside what the package brings, the unit's own source looks for a camera through them, and the simulator that
other tests use is as they are.

There is no camera: no driver that libcamera knows can be had without hardware (docs/bench-procedure.md).
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.appliance.debian import ROOT, build, clean, fetched, inside, install, needed

pytestmark = pytest.mark.slow

SIMULATORS: Final = ROOT / "tests" / "simulators"
SYSTEM: Final = (
    "camera:python3-libcamera,libcamera-ipa,python3-numpy,python3-prctl,python3-piexif,python3-pil,"
    "python3-libarchive-c,python3-jsonschema,python3-tqdm,python3-av"
)
PARTS_THAT_NOBODY_USES: Final = {
    "pykms.py": "class Names(type):\n    def __getattr__(cls, name):\n        return name\n\n\n"
    "class PixelFormat(metaclass=Names):\n    pass\n",
    "pidng/__init__.py": "",
    "pidng/camdefs.py": "class Picamera2Camera:\n    pass\n",
    "pidng/core.py": "class PICAM2DNG:\n    pass\n",
}
"""A preview on a screen and a format of photographs: neither Debian nor a wheel has them."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What was found in a system as Raspberry Pi OS lays one out."""
    needed("mmdebstrap", "dpkg-deb", "chroot")
    folder = tmp_path_factory.mktemp("camera")
    with clean(folder, "13", more=SYSTEM) as root:
        install(root, build(folder / "package", "amd64", "13"))
        system = root / "usr/lib/python3/dist-packages"
        add_picamera2(system)
        simulators = root / "tmp" / "simulators"
        simulators.mkdir()
        shutil.copy(SIMULATORS / "faithful.py", simulators)
        shutil.copy(SIMULATORS / "picamera2.py", simulators / "simulated_picamera2.py")
        shutil.copy(Path(__file__).with_name("beside_picamera2.py"), simulators)
        done = inside(root, "python3", "-I", "/tmp/simulators/beside_picamera2.py")  # noqa: S108 - in the clean system
        assert done.returncode == 0, done.stderr
        (binding,) = (system / "libcamera").glob("_libcamera*.so")
        yield {**json.loads(done.stdout), "binding": binding.read_bytes()}


def add_picamera2(system: Path) -> None:
    """Put picamera2 among the system's packages, as its Debian package would."""
    platforms = ("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64")
    for wheel in fetched("picamera2", "--python-version", "3.13", *platforms):
        shutil.unpack_archive(wheel, system, "zip")
    for name, text in PARTS_THAT_NOBODY_USES.items():
        (system / name).parent.mkdir(exist_ok=True)
        (system / name).write_text(text)


def test_the_systems_picamera2_loads_beside_the_packages_own_numpy(found: dict[str, Any]) -> None:
    assert found["numpy"].startswith("/usr/lib/overt/")
    assert found["libcamera"].startswith("/usr/lib/python3/dist-packages/")


def test_the_units_source_asks_libcamera_and_says_that_there_is_no_camera(found: dict[str, Any]) -> None:
    assert found["refusal"] == "expected a Raspberry Pi camera, found none: check the ribbon cable"


def test_the_simulator_has_the_signatures_of_the_real_one(found: dict[str, Any]) -> None:
    assert found["differences"] == []


def test_the_simulators_errors_are_those_of_picamera2_and_libcamera(found: dict[str, Any]) -> None:
    for words in found["invented errors"]:
        assert words.partition(":")[0].encode() in found["binding"], words
