"""`overt-camera selftest`: what works is said to work, what does not is not, and nothing is kept."""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overt.recognition.catalogue import FILE_NAME
from overt.runtime.selftest import Finding, Outcome, try_out
from overt.warden.selftest import try_the_store
from tests.vision.daemon import MODELS

PARTS = ["libraries", "signing", "sealing", "store", "memory", "lock", "models", "detector", "windows", "embedder"]
COMMAND = Path(sys.executable).with_name("overt-camera")

needs_models = pytest.mark.skipif(
    not (MODELS / FILE_NAME).is_file(), reason=f"no models in {MODELS}: run 'make models'"
)


def selftest(models: Path, temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "selftest", "--models", models, *options],
        capture_output=True,
        text=True,
        env={"TMPDIR": str(temporary), "PATH": "/usr/bin:/bin"},
        check=False,
    )


def found(models: Path, temporary: Path) -> tuple[int, dict[str, Any]]:
    done = selftest(models, temporary, "--json")
    said = json.loads(done.stdout)
    return done.returncode, {check["part"]: check for check in said["checks"]} | {"fit": said["fit"]}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy, to be spoilt."""
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


@needs_models
def test_where_everything_works_it_says_so_of_every_part_and_keeps_nothing(tmp_path: Path) -> None:
    done = selftest(MODELS, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    *parts, last = done.stdout.splitlines()
    assert [line.split()[0] for line in parts] == PARTS
    assert all(" works: " in line for line in parts)
    assert last == "selftest: everything works"
    assert list(tmp_path.iterdir()) == []


def no_answer(text: str) -> str:
    head, _, rest = text.partition("answer = [")
    return head + rest.partition("]\n")[2]


def another_answer(text: str) -> str:
    return text.replace("answer = [\n    0.22346, ", "answer = [\n    0.52346, ", 1)


@needs_models
@pytest.mark.parametrize("spoil", [no_answer, another_answer])
def test_p10_a_machine_that_computes_something_else_is_not_fit(
    spoil: Callable[[str], str], models: Path, tmp_path: Path
) -> None:
    catalogue = models / FILE_NAME
    text = catalogue.read_text()
    catalogue.write_text(spoil(text))
    assert catalogue.read_text() != text
    code, said = found(models, tmp_path)
    assert code == 1
    assert said["fit"] is False
    assert said["detector"]["outcome"] == "fails"
    assert said["embedder"]["outcome"] == "works"


@needs_models
def test_p10_a_model_file_with_another_byte_is_not_fit_and_does_not_run(models: Path, tmp_path: Path) -> None:
    file = models / "edgeface-s.tflite"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    code, said = found(models, tmp_path)
    assert code == 1
    assert said["models"]["outcome"] == "fails"
    assert "sha256" in said["models"]["detail"]
    assert said.keys().isdisjoint({"detector", "windows", "embedder"})


def test_without_models_it_says_where_they_should_be(tmp_path: Path) -> None:
    done = selftest(tmp_path, tmp_path)
    assert done.returncode == 1
    assert f"models     fails: cannot read the catalogue of models {tmp_path}" in done.stdout
    assert done.stdout.endswith("selftest: no unit should run here: models\n")


def test_p1_a_lock_that_forbids_nothing_is_found_out() -> None:
    open_ = "from overt.vision import sandbox, selftest; sandbox.lock = lambda: None; raise SystemExit(selftest.main())"
    done = subprocess.run([sys.executable, "-c", open_], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "none expected no network after the lock, found that it can still be had"


def raising(error: Exception) -> Callable[[], str]:
    def work() -> str:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.ENOSYS, "no such call"), Outcome.ABSENT),
        (OSError(errno.ENOTSUP, "another machine"), Outcome.ABSENT),
        (OSError(errno.EPERM, "refused"), Outcome.FAILS),
        (ValueError("wrong"), Outcome.FAILS),
    ],
)
def test_what_this_machine_does_not_have_is_told_from_what_fails(error: Exception, outcome: Outcome) -> None:
    said = error.strerror if isinstance(error, OSError) else str(error)
    assert try_out("part", raising(error), ValueError) == Finding("part", outcome, str(said))


def test_a_mistake_of_our_own_is_no_finding() -> None:
    with pytest.raises(KeyError):
        try_out("part", raising(KeyError("x")), ValueError)


def test_a_disk_on_which_the_store_cannot_be_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert try_the_store().outcome is Outcome.FAILS
