"""The disk image: where each part of a unit's disk lies, and how it is put together without mounting anything."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .errors import ImageError
from .programs import run
from .system import KEPT, SLOT_MIB

MIB: Final = 2**20
BOOT_MIB: Final = 64
DATA_MIB: Final = 512
"""Least size of what is kept; on a larger disk it grows at the first start."""
_FIRST_MIB: Final = 1
GRUB: Final = Path(__file__).resolve().parents[3] / "firmware" / "image" / "grub.cfg"
_OWNERS: Final = {
    "overt": (961, 960, 0o700),
    "overt-console": (964, 960, 0o700),
    "overt-update": (0, 0, 0o700),
    "connections": (0, 0, 0o700),
}
"""User, group and mode of folders that are kept, by the numbers in `system`."""
_MODULES: Final = "part_gpt fat squash4 loadenv linux normal regexp test minicmd reboot sleep"
_STATE: Final = ("ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=0", "B_TRY=0")


def write(root: Path, out: Path, console: str | None, tell: Callable[[str], None]) -> None:
    """Write a disk image whose first slot holds a system, the second nothing.

    Args:
        root: The squashed system.
        out: The file to write.
        console: Serial line on which the system tells how it starts.
        tell: Takes progress.

    Raises:
        ImageError: The system does not fit a slot, or a program fails.
    """
    found = -(-root.stat().st_size // MIB)
    if found > SLOT_MIB:
        raise ImageError(f"expected a system of at most {SLOT_MIB} MiB, found {found}")
    tell("putting the disk together")
    starts = {"boot": _FIRST_MIB, "a": _FIRST_MIB + BOOT_MIB}
    starts["b"] = starts["a"] + SLOT_MIB
    starts["data"] = starts["b"] + SLOT_MIB
    new = out.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="overt-disk-", dir=out.parent) as folder:
        boot, data = Path(folder) / "boot.fat", Path(folder) / "data.ext4"
        _boot(boot, Path(folder), console)
        _data(data, Path(folder))
        new.unlink(missing_ok=True)
        with new.open("xb") as file:
            file.truncate((starts["data"] + DATA_MIB + 1) * MIB)
        _partition(new, starts)
        for name, part in (("boot", boot), ("a", root), ("data", data)):
            run("dd", f"if={part}", f"of={new}", "bs=1M", f"seek={starts[name]}", "conv=notrunc,sparse", "status=none")
    new.replace(out)


def _partition(image: Path, starts: dict[str, int]) -> None:
    kinds = {"boot": "ef00", "a": "8300", "b": "8300", "data": "8300"}
    sizes = {"boot": BOOT_MIB, "a": SLOT_MIB, "b": SLOT_MIB, "data": DATA_MIB}
    words = ["sgdisk", "--clear", "--set-alignment=2048"]
    for number, name in enumerate(starts, 1):
        words += [f"--new={number}:{starts[name]}M:+{sizes[name]}M", f"--typecode={number}:{kinds[name]}"]
        words += [f"--change-name={number}:overt-{name}"]
    run(*words, image)


def _boot(out: Path, folder: Path, console: str | None) -> None:
    """The partition that the machine's firmware starts from: the loader, and what its choice of a slot rests on."""
    config, loader, state = folder / "grub.cfg", folder / "BOOTX64.EFI", folder / "grubenv"
    words = f"console={console},115200 quiet loglevel=3" if console else "quiet loglevel=0 console=tty0"
    config.write_text(GRUB.read_text().replace("@CONSOLE@", words))
    run(
        "grub-mkstandalone",
        "--format=x86_64-efi",
        f"--output={loader}",
        "--locales=",
        "--fonts=",
        "--themes=",
        f"--install-modules={_MODULES}",
        f"--modules={_MODULES}",
        f"boot/grub/grub.cfg={config}",
    )
    run("grub-editenv", state, "create")
    run("grub-editenv", state, "set", *_STATE)
    with out.open("xb") as file:
        file.truncate(BOOT_MIB * MIB)
    run("mkfs.vfat", "-F", "32", "-n", "OVERTBOOT", out)
    run("mmd", "-i", out, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", out, loader, "::/EFI/BOOT/BOOTX64.EFI")
    run("mcopy", "-i", out, state, "::/grubenv")


def _data(out: Path, folder: Path) -> None:
    kept = folder / "kept"
    kept.mkdir(mode=0o755)
    for name in KEPT:
        user, group, mode = _OWNERS.get(name, (0, 0, 0o755))
        (kept / name).mkdir()
        os.chown(kept / name, user, group)
        (kept / name).chmod(mode)
    with out.open("xb") as file:
        file.truncate(DATA_MIB * MIB)
    run("mke2fs", "-q", "-t", "ext4", "-L", "overt-data", "-m", "1", "-d", kept, out)
