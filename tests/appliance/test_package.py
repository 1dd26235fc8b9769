"""The unit's package in a clean Debian 12: what it puts where, what it leaves, and what its daemons may not do."""

import json
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tests.appliance.debian import HANDED_OVER, NAMES, ROOT, build, clean, fetched, inside, install, needed, run

UNITS = ROOT / "firmware" / "systemd"
SCHEMAS = "cyclonedx/schema/_res"
SCHEMA_FILES = ("bom-1.6.SNAPSHOT.schema.json", "spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
DAEMONS = ("warden", "vision", "uplink", "console@")
JOBS = ("seal", "network", "update", "confirm", "ladder@")


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


@pytest.fixture(scope="module", params=NAMES)
def release(request: pytest.FixtureRequest) -> str:
    """Of Debian: Raspberry Pi OS counts likewise."""
    return str(request.param)


@pytest.fixture(scope="module")
def package(release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine."""
    needed("mmdebstrap", "dpkg-deb", "chroot")
    return build(tmp_path_factory.mktemp("package"), "amd64", release)


@pytest.fixture
def debian(release: str, tmp_path: Path) -> Iterator[Path]:
    """A clean Debian to install into."""
    with clean(tmp_path, release) as root:
        yield root


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
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_the_same_sources_give_the_same_bytes_whoever_builds(arch: str, release: str, tmp_path: Path) -> None:
    """In another folder, time zone and language, by somebody whose files are private."""
    needed("dpkg-deb")
    first = build(tmp_path / "one", arch, release)
    elsewhere = {**os.environ, "TZ": "Pacific/Apia", "LC_ALL": "C", "HOME": str(tmp_path)}
    second = build(tmp_path / "a longer name", arch, release, env=elsewhere, umask=0o077)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".cdx.json").read_bytes() == second.with_suffix(".cdx.json").read_bytes()


@pytest.mark.slow
def test_one_for_another_release_is_refused_and_says_which_python_it_is_for(
    package: Path, release: str, tmp_path: Path
) -> None:
    (other,) = NAMES.keys() - {release}
    with clean(tmp_path, other) as root:
        shutil.copy(package, root / HANDED_OVER[1:])
        done = inside(root, "dpkg", "-i", HANDED_OVER)
        assert done.returncode != 0
        assert "overt-camera depends on python3 (" in done.stderr
        wants = root / "etc/systemd/system/multi-user.target.wants"
        assert not [path for path in wants.iterdir() if "overt" in path.name], "nothing of it starts"


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
    named = {path for unit in (debian / "usr/lib/systemd/system").glob("overt-*") for path in named_documents(unit)}
    assert named, "such as how a network camera is let in"
    assert all((debian / path.lstrip("/")).is_file() for path in named)


def named_documents(unit: Path) -> list[str]:
    """The documents on the unit's own disk to which a unit file sends its reader."""
    return re.findall(r"/usr/share/doc/[\w./-]+\w", unit.read_text())


@pytest.mark.slow
def test_what_is_installed_tests_itself_as_fit(package: Path, debian: Path) -> None:
    install(debian, package)
    done = inside(debian, "overt-camera", "selftest", "--json")
    said = json.loads(done.stdout)
    assert said["fit"], said
    assert done.returncode == 0


@pytest.mark.slow
def test_it_brings_users_folders_and_rules_and_nothing_that_others_could_write(
    package: Path, release: str, debian: Path
) -> None:
    install(debian, package)
    users = {line.split(":")[0]: line.split(":") for line in (debian / "etc/passwd").read_text().splitlines()}
    for daemon in ("warden", "vision", "uplink", "console"):
        assert users[f"overt-{daemon}"][6].endswith("nologin")
    for folder, owner in (("var/lib/overt", "overt-warden"), ("var/lib/overt-console", "overt-console")):
        status = (debian / folder).stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (int(users[owner][2]), 0o700)
    settings = (debian / "etc/overt/camera.conf").stat()
    assert (settings.st_uid, stat.S_IMODE(settings.st_mode)) == (0, 0o644)
    assert inside(debian, "dpkg-query", "-W", "-f=${Conffiles}", "overt-camera").stdout.startswith(
        " /etc/overt/camera."
    )
    for name in inside(debian, "dpkg", "-L", "overt-camera").stdout.splitlines():
        status = (debian / name[1:]).lstat()
        assert status.st_uid == 0
        assert not stat.S_IMODE(status.st_mode) & 0o6022, name
    if release != "12":  # whose udevadm has no such word
        assert inside(debian, "udevadm", "verify", "/usr/lib/udev/rules.d/60-overt.rules").returncode == 0


@pytest.mark.slow
def test_the_systems_own_packages_are_seen_and_never_in_place_of_its_own(package: Path, debian: Path) -> None:
    """On a unit picamera2 comes from the system, and what is pinned does not."""
    install(debian, package)
    system = debian / "usr/lib/python3/dist-packages"
    (system / "picamera2.py").write_text("class Picamera2:\n    global_camera_info = staticmethod(lambda: [])\n")
    (system / "numpy.py").write_text("raise SystemExit('the system has another')\n")
    check = "from overt.vision.sources.pi import PiCamera; PiCamera((960, 544)).check()"
    done = inside(debian, "python3", "-I", "-c", f"import sys; sys.path.insert(0, '/usr/lib/overt'); {check}")
    assert "SourceUnavailable: expected a Raspberry Pi camera, found none" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("cc") is None, reason="no C compiler (cc): the accelerator of this test cannot be built"
)
def test_an_accelerators_process_starts_from_what_is_installed(package: Path, debian: Path) -> None:
    install(debian, package)
    delegate = ROOT / "tests" / "vision" / "delegates" / "delegate.c"
    built = ["cc", "-shared", "-fPIC", "-pthread", "-DBEHAVIOUR=0", '-DTRIGGER="/none"']
    assert run(*built, "-o", debian / "tmp/delegate.so", delegate).returncode == 0
    done = inside(debian, "python3", "-I", "-c", _ACCELERATED)
    assert done.stdout.strip() == "accelerator", done.stderr


_ACCELERATED = """
import sys
sys.path.insert(0, "/usr/lib/overt")
from pathlib import Path
from overt.vision import models
folder = Path("/usr/share/overt/models")
print(models.load(folder, models.choose(folder), 1, "/tmp/delegate.so").detector.engine)
"""


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


@pytest.mark.slow
def test_its_bill_of_materials_is_what_cyclonedx_says_one_is(package: Path) -> None:
    """By the standard's own schema, as its Python library carries it."""
    (wheel,) = fetched("cyclonedx")
    with zipfile.ZipFile(wheel) as archive:
        schemas = {name: json.loads(archive.read(f"{SCHEMAS}/{name}")) for name in SCHEMA_FILES}
    base = schemas[SCHEMA_FILES[0]]["$id"].rpartition("/")[0]
    known = Registry().with_resources(
        (f"{base}/{name}", Resource.from_contents(schema)) for name, schema in schemas.items()
    )
    judge = Draft7Validator(schemas[SCHEMA_FILES[0]], registry=known, format_checker=Draft7Validator.FORMAT_CHECKER)
    bill = json.loads(package.with_suffix(".cdx.json").read_text())
    assert [error.message for error in judge.iter_errors(bill)] == []
    assert [*judge.iter_errors({**bill, "components": [{"name": "no type"}]})], "and it finds what is wrong"
