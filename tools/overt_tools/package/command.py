"""`overt-tools package`: the unit's Debian package."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from hashlib import file_digest
from pathlib import Path

from overt.recognition import catalogue as cat
from overt.recognition.errors import RecognitionError
from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser
from overt.runtime.files import write_atomically

from .errors import PackageError, Unavailable

_ROOT = Path(__file__).resolve().parents[3]
_PINS = Path("requirements") / "unit.txt"


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `package` with its command."""
    parser = subparsers.add_parser(
        "package",
        help="build the unit's Debian package",
        description="What is installed on a unit: the firmware, the Python packages that it runs with, and the models.",
        epilog="example:\n  overt-tools package build --arch arm64",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    building = commands.add_parser(
        "build",
        help="make overt-camera_VERSION_ARCH.deb and its bill of materials",
        description="Fetch the pinned wheels for the unit's machine, lay everything out, write the package and, beside "
        "it, its bill of materials (CycloneDX). The same sources give the same bytes.",
        epilog="example:\n  overt-tools package build --arch arm64 --debian 13 --out build/package",
    )
    building.add_argument("--arch", choices=["amd64", "arm64"], default="arm64", help="default: %(default)s")
    building.add_argument(
        "--debian",
        choices=["12", "13"],
        default="12",
        help="release that it is for; Raspberry Pi OS counts likewise (default: %(default)s)",
    )
    building.add_argument("--out", type=Path, default=Path("build/package"), help="folder (default: %(default)s)")
    building.add_argument(
        "--models", type=Path, default=Path("build/models"), help="built models (default: %(default)s)"
    )
    building.add_argument("--model-set", metavar="NAME", help="which goes along (default: the catalogue's first)")
    building.add_argument(
        "--cache", type=Path, default=Path("build/cache/wheels"), help="downloads (default: %(default)s)"
    )
    building.add_argument("--json", action="store_true", help="print one JSON object")
    building.set_defaults(handler=_build)


def _build(arguments: argparse.Namespace) -> int:
    try:
        package, bill = build(arguments)
    except Unavailable as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except (PackageError, RecognitionError) as error:
        raise Failure(str(error), BAD_INPUT) from error
    except FileNotFoundError as error:
        raise Failure(f"expected {error.filename}, found none: run 'make models' first", UNAVAILABLE) from error
    with package.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if arguments.json:
        said = {"package": str(package), "sha256": digest, "bytes": package.stat().st_size, "sbom": str(bill)}
        print(json.dumps(said))
    else:
        print(
            f"package: {package} ({package.stat().st_size / 1e6:.0f} MB), sha256 {digest}\npackage: its parts: {bill}"
        )
    return OK


def build(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Build the package.

    Returns:
        Its path, and that of its bill of materials.

    Raises:
        PackageError: it cannot be built.
        RecognitionError: the models are not what the catalogue names.
        OSError: a file cannot be read or written.
    """
    from . import deb, sbom, tree, wheels  # noqa: PLC0415 - only a real build needs them

    catalogue = cat.parse((arguments.models / cat.FILE_NAME).read_bytes())
    chosen = catalogue.find_set(arguments.model_set)
    release = deb.RELEASES[arguments.debian]
    _say(f"fetching the Python packages for {arguments.arch}, Python {release.python}")
    cache = arguments.cache / f"{arguments.arch}-{release.python}"
    found = wheels.fetch_wheels(_ROOT / _PINS, arguments.arch, release.python, cache)
    with tempfile.TemporaryDirectory(prefix="overt-package-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        _say(f"laying out {len(found)} packages, the firmware and the model set {chosen.name}")
        tree.lay_out(_ROOT, found, arguments.models, chosen, root)
        bill = sbom.bill(arguments.arch, release.version, found, catalogue, list(chosen.artefacts))
        (root / tree.DOCUMENTS / "sbom.cdx.json").write_bytes(bill)
        _say("writing the package")
        package = deb.make(root, _ROOT, arguments.arch, release, arguments.out, _epoch())
    beside = package.with_suffix(".cdx.json")
    write_atomically(beside, bill, mode=0o644)
    return package, beside


def _say(text: str) -> None:
    print(f"package: {text}", file=sys.stderr, flush=True)


def _epoch() -> int:
    """The time that files get: SOURCE_DATE_EPOCH (reproducible-builds.org), else that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdecimal():
        return int(given)
    done = subprocess.run(
        ["git", "-C", str(_ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout.strip().isdecimal():
        raise PackageError("expected a git repository or SOURCE_DATE_EPOCH to date the package by, found neither")
    return int(done.stdout)
