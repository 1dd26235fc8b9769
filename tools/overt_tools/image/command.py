"""`overt-tools image`: a disk image for a unit, and signed bundles to update it with."""

import argparse
import json
import sys
from hashlib import file_digest
from pathlib import Path

from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser
from overt.runtime.files import write_atomically

from .errors import ImageError, Unavailable

_LINE = "ttyS1"


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `image` with its commands."""
    parser = subparsers.add_parser(
        "image",
        help="build a unit's disk image and its updates",
        description="A whole system: Debian, the unit's package, read-only, in one of two slots, without a login.",
        epilog="example:\n  sudo overt-tools image build --keyring keyring.pem",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    _add_build(commands)
    _add_bundle(commands)


def _add_build(commands: "argparse._SubParsersAction[Parser]") -> None:
    build = commands.add_parser(
        "build",
        help="make a disk image and the system of one slot",
        description="Install Debian and the package, make all read-only but one partition, squash it, and put it "
        "into the first of two slots. For machines that start by UEFI. Needs root.",
        epilog="example:\n  sudo overt-tools image build --package overt-camera_0.1.0_amd64.deb --keyring keyring.pem",
    )
    build.add_argument("--package", type=Path, required=True, metavar="DEB", help="the unit's package, for amd64")
    build.add_argument("--keyring", type=Path, required=True, metavar="PEM", help="certificates that sign updates")
    build.add_argument("--out", type=Path, default=Path("build/image"), metavar="DIR", help="default: %(default)s")
    build.add_argument("--cache", type=Path, default=Path("build/cache"), metavar="DIR", help="default: %(default)s")
    build.add_argument("--source", default="v4l2:/dev/video0", help="where pictures come from (default: %(default)s)")
    build.add_argument("--cable", action="append", default=[], metavar="TTY", help="a UART for technicians; repeatable")
    build.add_argument("--console", metavar="TTY", help="a UART on which the system tells how it starts")
    build.add_argument(
        "--bench",
        type=Path,
        metavar="MP4",
        help="a bench's image: this recording in place of the camera, a simulated lamp; other updates than a unit's",
    )
    build.add_argument("--json", action="store_true", help="print one JSON object")
    build.set_defaults(handler=_build)


def _add_bundle(commands: "argparse._SubParsersAction[Parser]") -> None:
    bundle = commands.add_parser(
        "bundle",
        help="make a signed update of a slot's system",
        description="What 'overt-provision unit update' brings to a unit. Verified block by block as it is installed.",
        epilog="example:\n  overt-tools image bundle build/image/overt.squashfs --release 0.2.0 --certificate "
        "update.pem --key update.key --out overt-0.2.0.raucb",
    )
    bundle.add_argument("system", type=Path, metavar="SQUASHFS", help="from 'image build'")
    bundle.add_argument("--release", required=True, metavar="VERSION", help="for example 0.2.0")
    bundle.add_argument("--certificate", type=Path, required=True, metavar="PEM", help="of who signs")
    bundle.add_argument("--key", required=True, metavar="PEM|PKCS11", help="a file, or a token's URI (pkcs11:...)")
    bundle.add_argument("--bench", action="store_true", help="for a bench's image, not a unit's")
    bundle.add_argument("--out", type=Path, required=True, metavar="RAUCB", help="the file to write")
    bundle.add_argument("--json", action="store_true", help="print one JSON object")
    bundle.set_defaults(handler=_bundle)


def compatible(bench: bool) -> str:
    """Return which bundles a system takes: a bench's and a unit's are never one another's."""
    return "overt-bench-amd64" if bench else "overt-amd64"


def _tell(text: str) -> None:
    sys.stderr.write(f"image: {text}\n")


def _build(arguments: argparse.Namespace) -> int:
    from . import bench, disk, programs, system  # noqa: PLC0415 - for this command alone

    needed = ("mmdebstrap", "mksquashfs", "sgdisk", "mkfs.vfat", "mcopy", "mke2fs", "grub-mkstandalone", "grub-editenv")
    try:
        programs.require(*needed, "chroot", "unshare")
        arguments.out.mkdir(parents=True, exist_ok=True)
        out = arguments.out.resolve()
        settings = system.Settings(
            compatible=compatible(arguments.bench is not None),
            keyring=_certificates(arguments.keyring),
            source=bench.SOURCE if arguments.bench else arguments.source,
            cables=arguments.cable,
            console=arguments.console,
            footage=arguments.bench,
            parts=bench.PARTS if arguments.bench else (),
        )
        if not arguments.package.is_file():
            raise ImageError(
                f"expected the unit's package, found none at {arguments.package}: make it with 'package build'"
            )
        tar = system.base("amd64", arguments.cache, _tell)
        squashed, image = out / "overt.squashfs", out / "overt.img"
        versions = system.make(tar, arguments.package, settings, squashed, _tell)
        write_atomically(out / "overt.packages", versions.encode(), 0o644)
        disk.write(squashed, image, arguments.console, _tell)
    except Unavailable as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except (ImageError, OSError) as error:
        raise Failure(str(error), BAD_INPUT) from error
    facts = {
        "image": str(image),
        "system": str(squashed),
        "sha256": _digest(squashed),
        "bytes": squashed.stat().st_size,
    }
    said = f"{image}: a disk image; its system is {facts['bytes'] / 1e6:.0f} MB, sha256 {facts['sha256']}"
    sys.stdout.write((json.dumps(facts) if arguments.json else said) + "\n")
    return OK


def _bundle(arguments: argparse.Namespace) -> int:
    from . import bundle  # noqa: PLC0415 - for this command alone

    try:
        bundle.write(
            arguments.system,
            arguments.release,
            compatible(arguments.bench),
            arguments.certificate,
            arguments.key,
            arguments.out,
        )
    except Unavailable as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except (ImageError, OSError) as error:
        raise Failure(str(error), BAD_INPUT) from error
    facts = {"bundle": str(arguments.out), "release": arguments.release, "bytes": arguments.out.stat().st_size}
    said = f"{arguments.out}: release {arguments.release}, {arguments.out.stat().st_size / 1e6:.0f} MB"
    sys.stdout.write((json.dumps(facts) if arguments.json else said) + "\n")
    return OK


def _certificates(path: Path) -> bytes:
    data = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in data or b"PRIVATE KEY" in data:
        raise ImageError(f"expected certificates alone, in PEM, found something else in {path}")
    return data


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
