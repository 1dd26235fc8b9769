"""One office is made for all tests, because keys are slow to encrypt; every test works in its own copy."""

import shutil
from pathlib import Path

import pytest

from overt.runtime import cli
from tests.provisioning.office import Office


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    office = Office(tmp_path_factory.mktemp("founded"))
    assert office.create().code == cli.OK
    return office.base


@pytest.fixture
def office(founded: Path, tmp_path: Path) -> Office:
    return Office(Path(shutil.copytree(founded, tmp_path / "base")))
