"""The root file system of a slot: Debian with the unit's package, read-only, without a way to log in."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .programs import run

SUITE: Final = "bookworm"
SLOT_MIB: Final = 640
PACKAGES: Final = (
    "linux-image-amd64",
    "initramfs-tools",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "dbus",
    "python3",
    "libgomp1",
    "kmod",
    "network-manager",
    "rauc",
    "rauc-service",
    "grub-common",
    "zstd",
    "libtss2-esys-3.0.2-0",
    "libtss2-rc0",
    "libtss2-mu0",
    "libtss2-tcti-device0",
)
KEPT: Final = {
    "overt": "/var/lib/overt",
    "overt-console": "/var/lib/overt-console",
    "overt-update": "/var/lib/overt-update",
    "connections": "/etc/NetworkManager/system-connections",
    "network": "/var/lib/NetworkManager",
    "time": "/var/lib/systemd/timesync",
}
"""Folders of the data partition, and where the system has them. Nothing else outlives a restart."""

_FSTAB: Final = """\
PARTLABEL=overt-boot /boot/efi vfat rw,sync,umask=0077,nodev,nosuid,noexec,nofail 0 2
PARTLABEL=overt-data /data ext4 nodev,nosuid,noexec,noatime,data=journal,commit=1,x-systemd.growfs 0 2
tmpfs /tmp tmpfs nodev,nosuid,noexec,size=64M,mode=1777 0 0
tmpfs /var/tmp tmpfs nodev,nosuid,noexec,size=64M,mode=1777 0 0
tmpfs /var/log tmpfs nodev,nosuid,noexec,size=32M,mode=0755 0 0
"""
_USERS: Final = """\
# As the package's, with numbers that are the same in every release: the data partition keeps them.
g overt 960
u overt-warden 961 "Overt authority" /var/lib/overt
u overt-vision 962 "Overt camera"
u overt-uplink 963 "Overt messages"
u overt-console 964 "Overt technician's cable"
m overt-warden overt
m overt-console overt
m overt-vision overt
m overt-uplink overt
"""
_RAUC: Final = """\
[system]
compatible={compatible}
bootloader=grub
grubenv=/boot/efi/grubenv
statusfile=/data/rauc.status
bundle-formats=-plain
mountprefix=/run/rauc

[keyring]
path=/etc/rauc/keyring.pem
use-bundle-signing-time=true

[slot.rootfs.0]
device=/dev/disk/by-partlabel/overt-a
type=raw
bootname=A

[slot.rootfs.1]
device=/dev/disk/by-partlabel/overt-b
type=raw
bootname=B
"""
_JOURNAL: Final = "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToConsole={console}\n"
_SIZES: Final = {
    "10-a.conf": "[Partition]\nType=linux-generic\nLabel=overt-a\nSizeMaxBytes={slot}M\n",
    "20-b.conf": "[Partition]\nType=linux-generic\nLabel=overt-b\nSizeMaxBytes={slot}M\n",
    "30-data.conf": "[Partition]\nType=linux-generic\nLabel=overt-data\n",
}
"""The three partitions of one type, in their order: the last takes what a larger disk has left."""
_SQUASHING: Final = (
    *("-Xcompression-level", "6"),  # a hundredth larger than with 9, in a third of the time
    *("-noappend", "-quiet", "-no-progress", "-all-time", "0"),
)
_NO_LOGIN: Final = (
    "getty.target",
    "console-getty.service",
    "serial-getty@.service",
    "getty@.service",
    "debug-shell.service",
    "systemd-pcrphase.service",
    "systemd-logind.service",
)


_ANEW: Final = """\
[Unit]
Description=Overt: nobody can log in to repair this start, so another is tried
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/sleep 10
ExecStart=/usr/bin/systemctl --force reboot
"""
"""In place of a shell for repairs. The loader gives up a release on trial that comes here again and again."""


@dataclass(frozen=True)
class Settings:
    """What is particular to one kind of unit.

    Attributes:
        compatible: Which bundles a unit takes: those that say the same.
        keyring: Certificates of who may sign bundles, PEM.
        source: Where pictures come from (`overt-camera vision --source`).
        cables: Serial lines at which a technician may come, besides a USB port.
        console: Serial line on which the system tells how it starts; None: nowhere.
        footage: A recording that lies in the system in place of a camera: for a bench, never for a street.
        parts: Files for a bench's simulated parts: where in the system, and what. Their units are enabled.
    """

    compatible: str
    keyring: bytes
    source: str
    cables: Sequence[str] = ()
    console: str | None = None
    footage: Path | None = None
    parts: Sequence[tuple[str, bytes]] = ()


def base(arch: str, cache: Path, tell: Callable[[str], None]) -> Path:
    """Return a tar of Debian with `PACKAGES`, made when it is not kept yet.

    Args:
        arch: Debian's name of the machine.
        cache: Where it is kept.
        tell: Takes progress.

    Raises:
        ImageError: Debian's archive cannot be had, or installing fails.
    """
    name = hashlib.sha256(" ".join((SUITE, arch, *PACKAGES)).encode()).hexdigest()[:12]
    kept = cache / f"system-{arch}-{name}.tar"
    if not kept.exists():
        tell("installing Debian (some minutes)")
        cache.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(".new.tar")
        run(
            "mmdebstrap",
            "--variant=minbase",
            f"--architectures={arch}",
            f"--include={','.join(PACKAGES)}",
            "--aptopt=APT::Install-Recommends false",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            SUITE,
            new,
        )
        new.replace(kept)
    return kept


def make(tar: Path, package: Path, settings: Settings, out: Path, tell: Callable[[str], None]) -> str:
    """Write a slot's file system, squashed.

    Args:
        tar: From `base`.
        package: The unit's Debian package.
        settings: What is particular.
        out: The file to write.
        tell: Takes progress.

    Returns:
        The names and versions of all packages, a line each.

    Raises:
        ImageError: A step fails.
    """
    with tempfile.TemporaryDirectory(prefix="overt-image-", dir=out.parent) as folder:
        root = Path(folder) / "root"
        root.mkdir(mode=0o755)
        tell("unpacking Debian")
        run("tar", "--numeric-owner", "-xpf", tar, "-C", root)
        _before(root, settings)
        tell("installing the unit's package")
        shutil.copyfile(package, root / "overt.deb")
        _inside(root, "dpkg", "-i", "/overt.deb")
        (root / "overt.deb").unlink()
        _after(root, settings)
        _inside(root, "update-initramfs", "-u")
        for name in ("vmlinuz", "initrd.img"):  # by one name, whatever the kernel's version
            _link(root / "boot" / name, next((root / "boot").glob(f"{name}-*")).name)
        versions = _inside(root, "dpkg-query", "-W", "-f", "${Package} ${Version}\\n")
        tell("squashing")
        out.unlink(missing_ok=True)
        run("mksquashfs", root, out, "-comp", "gzip", *_SQUASHING)
    return versions


def _before(root: Path, settings: Settings) -> None:
    """What has to be there when the package comes."""
    _write(root / "etc/sysusers.d/overt.conf", _USERS)
    _write(
        root / "etc/initramfs-tools/modules", "squashfs\nloop\nvirtio_blk\nvirtio_pci\nsd_mod\nahci\nnvme\nmmc_block\n"
    )
    _write(root / "etc/rauc/system.conf", _RAUC.format(compatible=settings.compatible))
    (root / "etc/rauc/keyring.pem").write_bytes(settings.keyring)


def _after(root: Path, settings: Settings) -> None:
    """Everything that makes it a unit's."""
    _write(
        root / "etc/fstab", _FSTAB + "".join(f"/data/{name} {where} none bind 0 0\n" for name, where in KEPT.items())
    )
    for folder in ("data", "boot/efi", *(where.lstrip("/") for where in KEPT.values())):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _write(root / "etc/hostname", "overt\n")
    _write(root / "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    _write(root / "etc/machine-id", "")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("/run/NetworkManager/resolv.conf")
    _write(root / "etc/NetworkManager/conf.d/overt.conf", "[main]\nrc-manager=unmanaged\nplugins=keyfile\n")
    console = "yes" if settings.console else "no"
    _write(root / "etc/systemd/journald.conf.d/overt.conf", _JOURNAL.format(console=console))
    _write(root / "etc/systemd/coredump.conf.d/overt.conf", "[Coredump]\nStorage=none\nProcessSizeMax=0\n")
    _write(root / "etc/sysctl.d/90-overt.conf", "kernel.core_pattern=|/bin/false\nkernel.sysrq=0\nkernel.panic=10\n")
    _write(
        root / "etc/systemd/system.conf.d/overt.conf",
        "[Manager]\nRuntimeWatchdogSec=30\nDumpCore=no\nCtrlAltDelBurstAction=none\n",
    )
    for name, text in _SIZES.items():
        _write(root / "etc/repart.d" / name, text.format(slot=SLOT_MIB))
    _write(root / "etc/systemd/system/systemd-repart.service.d/overt.conf", "[Unit]\nBefore=data.mount\n")
    for name in _NO_LOGIN:
        _link(root / "etc/systemd/system" / name, "/dev/null")
    for name in ("emergency.service", "rescue.service"):
        _write(root / "etc/systemd/system" / name, _ANEW)
    _inside(root, "passwd", "-q", "-l", "root")
    for line in settings.cables:
        _inside(root, "systemctl", "-q", "enable", f"overt-console@{line}.service")
    _write(root / "etc/overt/camera.conf", f"SOURCE={settings.source}\n")
    if settings.footage:
        place = root / "usr/share/overt-bench"
        place.mkdir(parents=True)
        shutil.copyfile(settings.footage, place / "footage.mp4")
    for where, content in settings.parts:
        path = root / where.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if path.suffix == ".service":
            _inside(root, "systemctl", "-q", "enable", path.name)


def _inside(root: Path, *command: str) -> str:
    """Run a program of the system itself; what it starts ends with it, and nothing stays mounted."""
    return run("unshare", "--mount", "--pid", "--fork", f"--mount-proc={root}/proc", "chroot", root, *command)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o644)
