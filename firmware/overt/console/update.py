"""`update.*`: takes a bundle into the console's own folder, where what installs it (RAUC, as root) finds it.

The folder is the whole interface. `update.raucb.part` grows while parts come, also over a power cut; when all are there
and the technician has signed for them, it becomes `update.raucb`. Whatever installs it is begun by systemd when that
appears, checks the bundle's signature, writes how far it is to `update.json` (`Progress`), and removes the bundle.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from overt import __version__
from overt.console.registry import Counter, NotDone, Nothing, Registry, Request
from overt.protocol.cable.requests import Held, Part
from overt.protocol.cable.updates import BUNDLE_MAX_BYTES, Install, Progress, Stage
from overt.protocol.vocabulary import Act
from overt.runtime.files import sync_folder, write_atomically

BUNDLE: Final = "update.raucb"
STATE: Final = "update.json"
_PART: Final = f"{BUNDLE}.part"
_WHICH: Final = f"{BUNDLE}.which"
_KEEP_FREE: Final = 64 * 2**20
_CHUNK: Final = 2**20


def add_to(registry: Registry) -> None:
    """Add them."""
    registry.add(Request("update.part", Act.UPDATE, Part, _part))
    registry.add(Request("update.install", Act.UPDATE, Install, _install, signed=True))
    registry.add(Request("update.state", Act.UPDATE, Nothing, _state))


def _part(counter: Counter, part: Part) -> Held:
    """Take a part; one that does not join what is held changes nothing."""
    if part.size > BUNDLE_MAX_BYTES:
        raise NotDone(f"expected a bundle of at most {BUNDLE_MAX_BYTES:,} bytes, found one of {part.size:,}")
    folder = counter.spool
    which = f"{part.digest} {part.size}".encode()
    if (folder / BUNDLE).exists():
        if _read(folder / _WHICH) == which:
            return Held(bytes_held=part.size)
        raise NotDone("another update is being installed: wait until it is done")
    path = folder / _PART
    if not path.exists() or _read(folder / _WHICH) != which:
        _require_room(folder, part.size)
        path.unlink(missing_ok=True)
        write_atomically(folder / _WHICH, which)
    with path.open("ab") as file:
        held = file.tell()
        if part.offset == held and held + len(part.data) <= part.size:
            file.write(part.data)
            held += len(part.data)
    return Held(bytes_held=held)


def _install(counter: Counter, asked: Install) -> bytes:
    """Hand the bundle over, if it is what was signed for. The same again comes to the same."""
    folder = counter.spool
    if (folder / BUNDLE).exists():
        return b""
    path = folder / _PART
    if not path.exists() or path.stat().st_size != asked.size:
        raise NotDone("the update is not all here: send it again")
    if _digest(path) != asked.digest:
        path.unlink()
        raise NotDone("the update was damaged on its way: send it again")
    write_atomically(folder / STATE, msgspec.json.encode(Progress(stage=Stage.WAITING, version=__version__)), 0o644)
    path.replace(folder / BUNDLE)
    sync_folder(folder)
    return b""


def _state(counter: Counter, _: Nothing) -> Progress:
    """Say how far it is. The release is the one that runs, whatever the installer says."""
    kept = _read(counter.spool / STATE)
    if kept is None:
        coming = (counter.spool / _PART).exists()
        return Progress(stage=Stage.COMING if coming else Stage.NOTHING, version=__version__)
    try:
        return msgspec.structs.replace(msgspec.json.decode(kept, type=Progress), version=__version__)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotDone("what the installer wrote of the update cannot be read") from error


def _require_room(folder: Path, size: int) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free - _KEEP_FREE < size:
        raise NotDone(f"expected {size // 2**20 + 64:,} MiB of free disk, found {free // 2**20:,}: the disk is full")


def _digest(path: Path) -> str:
    made = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            made.update(chunk)
        os.fsync(file.fileno())
    return made.hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
