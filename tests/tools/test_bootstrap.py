import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The set-up script, copied into an empty project, so that it works on that."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", tmp_path / "tools")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    spec = importlib.util.spec_from_file_location("bootstrap", tmp_path / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_unknown_profile_is_told_the_usage(bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["everything"]) == 2
    assert "Usage" in capsys.readouterr().err


def test_a_python_that_cannot_make_environments_is_told_what_to_install(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crippled = tmp_path / "python3"  # Debian's python3 without python3-venv behaves like this
    crippled.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n")
    crippled.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crippled))
    assert bootstrap.main(["run"]) == 3
    error = capsys.readouterr().err
    assert "python3-venv" in error
    assert "ensurepip is not available" in error
    assert not (tmp_path / ".venv").exists()


def test_only_where_the_system_has_picamera2_does_the_environment_see_the_systems_packages(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert bootstrap.main(["run"]) == 3
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "picamera2.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "system")
    assert bootstrap.main(["run"]) == 3
    without, with_it = asked.read_text().splitlines()
    assert "--system-site-packages" not in without
    assert "--system-site-packages" in with_it


@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_one_clear_error_and_the_next_try_starts_over(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements" / "run.txt").write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert bootstrap.main(["run"]) == 3
    assert "no-such-thing" in capsys.readouterr().err
    assert not list((tmp_path / ".venv").glob(".overt-*"))


def test_the_set_up_script_runs_on_the_standard_library_alone() -> None:
    script = str(ROOT / "tools" / "bootstrap.py")
    done = subprocess.run([sys.executable, "-I", "-S", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Usage" in done.stderr


def test_every_pinned_package_has_a_digest() -> None:
    for name in ("run.txt", "dev.txt", "npm.txt"):
        text = (ROOT / "requirements" / name).read_text()
        packages = [block for block in text.split("\n") if block[:1].isalnum()]
        assert packages
        for line in packages:
            assert "==" in line
            after = text.split(line, 1)[1].split("\n", 2)[1]
            assert "--hash=sha256:" in after, line


def test_the_pinned_lists_hold_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0]
        for line in (ROOT / "requirements" / "dev.txt").read_text().splitlines()
        if line[:1].isalnum()
    }
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {"".join(c for c in name.split("[")[0].split(">")[0].split(";")[0]).strip() for name in wanted}
    assert names <= pinned
