"""Children that run a module of ours, also where the firmware is on no path that Python knows by itself."""

import subprocess
from pathlib import Path

import pytest

from overt.runtime.children import command_of


def test_a_child_finds_what_only_this_process_knows_where_to_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "away.py").write_text("import sys\nif __name__ == '__main__':\n    print(*sys.argv[1:])\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = subprocess.run(command_of("away", "one", "--two"), capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout == "one --two\n"


def test_a_child_takes_no_path_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run(command_of("json.tool", "--help"), capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
