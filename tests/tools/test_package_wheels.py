"""What a package is made of is chosen for the unit that it is for, whatever the machine that builds it runs."""

import re

import pytest

from overt_tools.package.deb import RELEASES
from overt_tools.package.errors import PackageError
from overt_tools.package.wheels import MACHINES, Arch, for_machine
from tests.test_house import ROOT

PINS = (ROOT / "requirements" / "unit.txt").read_text()


@pytest.mark.parametrize("arch", MACHINES)
@pytest.mark.parametrize("python", [release.python for release in RELEASES.values()])
def test_every_package_is_chosen_once_and_none_for_another_system(arch: Arch, python: str) -> None:
    lines = for_machine(PINS, arch, python).splitlines()
    names = [re.split("==", line)[0] for line in lines]
    assert len(set(names)) == len(names)
    assert {"numpy", "av", "ai-edge-litert", "gpiod", "cryptography"} <= set(names)
    assert "colorama" not in names
    assert all("--hash=sha256:" in line and ";" not in line for line in lines)


def test_the_units_python_decides_and_not_the_builders() -> None:
    pins = (
        "one==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:aa\none==2.0 ; python_full_version >= '3.12'\n"
    )
    assert for_machine(pins, "amd64", "3.11") == "one==1.0 --hash=sha256:aa\n"
    assert for_machine(pins, "amd64", "3.13") == "one==2.0\n"


def test_the_units_machine_decides_and_not_the_builders() -> None:
    pins = "one==1.0 ; platform_machine == 'aarch64'\ntwo==2.0 ; sys_platform == 'win32'\n"
    assert for_machine(pins, "arm64", "3.13") == "one==1.0\n"
    assert for_machine(pins, "amd64", "3.13") == ""


def test_a_list_that_cannot_be_read_is_refused_with_the_line() -> None:
    with pytest.raises(PackageError, match="found '-e here'"):
        for_machine("-e here\n", "amd64", "3.13")


def test_a_package_depends_on_the_python_that_it_was_made_for_and_on_no_other() -> None:
    assert "python3 (>= 3.11), python3 (<< 3.12)" in RELEASES["12"].depends
    assert "python3 (>= 3.13), python3 (<< 3.14)" in RELEASES["13"].depends


def test_only_where_the_systems_picamera2_can_be_loaded_is_it_asked_for() -> None:
    assert "picamera2" not in RELEASES["12"].recommends
    assert "picamera2" in RELEASES["13"].recommends
