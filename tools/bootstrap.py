#!/usr/bin/env python3
"""Makes the virtual environment that everything else runs in. Standard library only; no root needed.

Usage: tools/bootstrap.py run|dev

Idempotent: when the pinned lists have not changed since the last time, it ends at once.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LISTS = {"run": "run.txt", "dev": "dev.txt"}  # what each profile installs; dev holds all of run
NPM_LIST = "npm.txt"
OLDEST = (3, 11)


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Make or update the environment. Returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in LISTS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with (ROOT / ".venv.lock").open("w") as lock:
            _take(lock.fileno())
            set_up(arguments[0])
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"set-up: cannot write below {ROOT}: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("set-up: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


def set_up(profile: str) -> None:
    """Bring the environment to what the pinned lists say.

    Raises:
        SetupError: With what is missing and how to get it.
    """
    if sys.version_info < OLDEST:
        found = platform.python_version()
        raise SetupError(f"expected Python {OLDEST[0]}.{OLDEST[1]} or later, found {found}: install it, or set PYTHON=")
    if not sys.platform.startswith("linux"):
        raise SetupError(
            f"expected Linux, found {sys.platform}: a unit is a Linux machine, and its parts run on no other"
        )
    lists = [LISTS[profile]] + ([] if shutil.which("npm") else [NPM_LIST])
    wanted = _key(lists)
    if _is_up_to_date(profile, wanted):
        return
    _make_venv()
    for name in lists:
        _install_list(name)
    _run_pip(["install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], "installing Overt")
    for done in [profile, "run"]:  # dev holds all of run
        _stamp(done).write_text(_key([LISTS[done], *lists[1:]]))
    print("set-up: environment ready", flush=True)


def _key(lists: list[str]) -> str:
    """Return the digest of all that decides what is installed, this folder's place included."""
    files = [ROOT / "pyproject.toml", *(ROOT / "requirements" / name for name in lists)]
    text = [str(ROOT), sys.version, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _stamp(profile: str) -> Path:
    return VENV / f".overt-{profile}"


def _is_up_to_date(profile: str, wanted: str) -> bool:
    stamp = _stamp(profile)
    return stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists()


def _make_venv() -> None:
    if (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    ):
        return
    print("set-up: making the virtual environment .venv", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", *_seeing_the_camera(), VENV]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            "this Python cannot make virtual environments with pip. On Debian: 'apt install python3-venv' (as root), "
            f"or choose another Python with 'make run PYTHON=…'. It said: {_last_line(made.stdout + made.stderr)}"
        )


def _seeing_the_camera() -> list[str]:
    """What lets an environment see picamera2, which no list pins: a Raspberry Pi's own system brings it."""
    return [] if importlib.util.find_spec("picamera2") is None else ["--system-site-packages"]


def _install_list(name: str) -> None:
    """Install one pinned list, a progress line for every package that is looked at."""
    file = ROOT / "requirements" / name
    total = sum(1 for line in file.read_text().splitlines() if line[:1].isalnum())
    _run_pip(
        ["install", "--require-hashes", "--progress-bar", "off", "--requirement", str(file)],
        f"installing {total} pinned packages ({name})",
    )


def _run_pip(arguments: list[str], doing: str) -> None:
    print(f"set-up: {doing}", flush=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    command = [str(PYTHON), "-m", "pip", *arguments]
    tail: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            tail = [*tail[-30:], line.rstrip()]
            if line.startswith("Collecting "):
                seen += 1
                if seen % 10 == 0:
                    print(f"set-up:   {seen} …", flush=True)
            elif line.startswith("Installing collected packages"):
                print("set-up:   unpacking", flush=True)
    if process.returncode != 0:
        raise SetupError(_explain(tail))


def _explain(tail: list[str]) -> str:
    text = "\n".join(tail)
    if "No space left" in text:
        return "the disk is full: about 1.5 GB is needed below this folder"
    if "DO NOT MATCH THE HASHES" in text:
        return f"a downloaded package is not the one that is pinned, so nothing of it was installed.\n{text}"
    if any(sign in text for sign in ("NewConnectionError", "Name or service", "Temporary failure", "timed out")):
        return "the package index cannot be reached: check the network (or pip's proxy settings) and run it again"
    return f"pip could not install what is pinned. The end of what it said:\n{text}"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "nothing"


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("set-up: another set-up is running in this folder; waiting for it", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
