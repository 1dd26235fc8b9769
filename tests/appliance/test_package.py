"""The unit's package in a clean Debian 12: what it puts where, what it leaves, and what its daemons may not do."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "firmware" / "systemd"
HANDED_OVER = "/tmp/overt.deb"  # noqa: S108 - inside the clean system
DAEMONS = ("warden", "vision", "uplink", "console@")
JOBS = ("seal", "network", "update", "confirm", "ladder@")
BASE = "systemd,udev,python3,libgomp1,dbus,systemd-sysv"


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("daemon", DAEMONS + JOBS)
def test_p10_a_daemon_is_exposed_to_little(daemon: str, tmp_path: Path) -> None:
    """Two of ten, by systemd's own reckoning."""
    text = (UNITS / f"overt-{daemon}.service").read_text()
    instance = "ttyGS0" if daemon.endswith("@") else ""
    unit = tmp_path / f"overt-{daemon}{instance}.service"  # the program and the credentials are not on this machine
    unit.write_text(text.replace("/usr/bin/overt-camera", "/bin/true"))
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("daemon", ["vision", "warden", "console@"])
def test_p1_who_sees_or_holds_keys_has_no_network(daemon: str) -> None:
    lines = (UNITS / f"overt-{daemon}.service").read_text().splitlines()
    assert "PrivateNetwork=yes" in lines
    assert not any("AF_INET" in line for line in lines)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_p1_nothing_of_a_daemon_goes_to_swap_or_a_core_dump(daemon: str) -> None:
    lines = (UNITS / f"overt-{daemon}.service").read_text().splitlines()
    assert {"LimitCORE=0", "MemorySwapMax=0"} <= set(lines)
    assert any(line.startswith("WatchdogSec=") for line in lines), "and a hanging one is started anew"


def needed(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(programs)}; missing: {', '.join(missing) or 'root'}")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine, built twice: the bytes are the same."""
    needed("mmdebstrap", "dpkg-deb", "chroot")
    made = []
    for number in range(2):
        out = tmp_path_factory.mktemp(f"build{number}")
        done = run(
            ROOT / ".venv" / "bin" / "overt-tools", "package", "build", "--arch", "amd64", "--out", out, cwd=ROOT
        )
        if done.returncode == 3:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        made.append(next(out.glob("*.deb")))
    assert made[0].read_bytes() == made[1].read_bytes(), "reproducible"
    return made[0]


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Path]:
    """A clean Debian 12 to install into."""
    needed("mmdebstrap", "mount")
    kept = ROOT / "build" / "cache" / "debian-12.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(".new.tar")
        done = run("mmdebstrap", "--variant=minbase", f"--include={BASE}", "bookworm", new)
        if done.returncode:
            pytest.skip(f"no clean Debian to be had: {done.stderr.strip().splitlines()[-1]}")
        new.rename(kept)
    root = tmp_path / "debian"
    root.mkdir()
    assert run("tar", "-xf", kept, "-C", root).returncode == 0
    assert run("mount", "-t", "proc", "proc", root / "proc").returncode == 0
    yield root
    run("umount", root / "proc")


def inside(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return run("chroot", root, *command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})


def install(root: Path, package: Path) -> None:
    shutil.copy(package, root / HANDED_OVER[1:])
    done = inside(root, "dpkg", "-i", HANDED_OVER)
    assert done.returncode == 0, done.stdout + done.stderr


def of_version(package: Path, version: str, folder: Path) -> Path:
    """The same package under another version."""
    tree, made = folder / version, folder / f"{version}.deb"
    assert run("dpkg-deb", "-R", package, tree).returncode == 0
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join(f"Version: {version}\n" if one.startswith("Version:") else one for one in lines))
    assert run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made).returncode == 0
    return made


@pytest.mark.slow
def test_it_installs_cleanly_and_works_without_anything_from_outside(package: Path, debian: Path) -> None:
    install(debian, package)
    assert inside(debian, "overt-camera", "--version").stdout.startswith("overt ")
    made = inside(debian, "runuser", "-u", "overt-warden", "--", "overt-camera", "identity", "--unit", "unit-1")
    assert made.returncode == 0, made.stderr
    state = debian / "var/lib/overt"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "identity.json").exists()
    other = inside(debian, "runuser", "-u", "overt-vision", "--", "ls", "/var/lib/overt/keys")
    assert other.returncode != 0, "vision cannot read the warden's keys"
    assert inside(debian, "dpkg", "--verify", "overt-camera").stdout == ""
    wants = {path.name for path in (debian / "etc/systemd/system/multi-user.target.wants").iterdir()}
    assert {"overt-warden.service", "overt-vision.service", "overt-uplink.path", "overt-network.path"} <= wants
    assert (debian / "etc/systemd/system/sockets.target.wants/overt-warden.socket").is_symlink()
    units = [f"overt-{name}.service" for name in ("warden", "vision", "console@ttyGS0", "network")]
    loaded = inside(debian, "systemd-analyze", "verify", "overt-warden.socket", *units)
    assert "Unknown" not in loaded.stderr, "every setting is known to this systemd"


@pytest.mark.slow
def test_an_upgrade_and_a_downgrade_keep_keys_and_the_technicians_settings(
    package: Path, debian: Path, tmp_path: Path
) -> None:
    install(debian, package)
    inside(debian, "runuser", "-u", "overt-warden", "--", "overt-camera", "identity", "--unit", "unit-1")
    identity = (debian / "var/lib/overt/identity.json").read_bytes()
    settings = debian / "etc/overt/camera.conf"
    settings.write_text("SOURCE=v4l2:/dev/video0\n")
    for version in ("9.0.0", "0.0.1"):
        shutil.copy(of_version(package, version, tmp_path), debian / HANDED_OVER[1:])
        done = inside(debian, "dpkg", "--force-confold", "-i", HANDED_OVER)
        assert done.returncode == 0, done.stderr
        assert version in inside(debian, "dpkg-query", "-W", "overt-camera").stdout
        assert (debian / "var/lib/overt/identity.json").read_bytes() == identity
        assert settings.read_text() == "SOURCE=v4l2:/dev/video0\n"
        assert inside(debian, "overt-camera", "--version").returncode == 0


@pytest.mark.slow
def test_removal_keeps_the_log_and_a_purge_leaves_nothing(package: Path, debian: Path) -> None:
    before = everything(debian)
    install(debian, package)
    inside(debian, "runuser", "-u", "overt-warden", "--", "overt-camera", "identity", "--unit", "unit-1")
    assert inside(debian, "dpkg", "-r", "overt-camera").returncode == 0
    assert (debian / "var/lib/overt/identity.json").exists()
    assert not (debian / "usr/lib/overt").exists()
    assert inside(debian, "dpkg", "-P", "overt-camera").returncode == 0
    left = {path for path in everything(debian) - before if "dpkg" not in path and not path.startswith("tmp/")}
    assert left == set()
    for name in ("passwd", "group"):
        assert "overt" not in (debian / "etc" / name).read_text()


def everything(root: Path) -> set[str]:
    return {
        str(Path(folder, name).relative_to(root))
        for top in ("etc", "usr", "var", "run", "tmp")
        for folder, folders, files in os.walk(root / top)
        for name in folders + files
        if not name.endswith(("-", ".cache-2", ".old", ".log"))
    }


@pytest.mark.slow
def test_its_bill_of_materials_names_every_part_with_its_digest(package: Path) -> None:
    bill = json.loads(package.with_suffix(".cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["name"]: part for part in bill["components"]}
    assert {"numpy", "cryptography", "yunet-960x544", "edgeface-s"} <= parts.keys()
    for part in parts.values():
        assert len(part["hashes"][0]["content"]) == 64
        assert part["version"]
