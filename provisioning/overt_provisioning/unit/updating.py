"""`unit update`: a signed bundle to the unit, and what became of it."""

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from overt.protocol.cable import requests
from overt.protocol.cable.updates import BUNDLE_MAX_BYTES, Install, Progress, Stage
from overt.protocol.vocabulary import Act
from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Failure
from overt_provisioning.common import say
from overt_provisioning.unit.handing import Shown
from overt_provisioning.unit.session import Session
from overt_provisioning.unit.visiting import Visiting

_LOOK_EVERY_S: Final = 1.0
_CHUNK: Final = 2**20
_ENDS: Final = {Stage.GOOD, Stage.REFUSED, Stage.ROLLED_BACK}
WORDS: Final = {
    Stage.NOTHING: "no update was brought",
    Stage.COMING: "an update is half here: give the same command again to go on",
    Stage.WAITING: "the update is on the unit and waits to be installed",
    Stage.INSTALLING: "the update is being installed",
    Stage.REBOOTING: "the unit is starting with the update",
    Stage.GOOD: "the update is installed, and the unit has found itself well with it",
    Stage.REFUSED: "the update was refused; the release before goes on",
    Stage.ROLLED_BACK: "the unit was not well with the update and went back to the release before",
}


def update(arguments: argparse.Namespace) -> int:
    """Bring a bundle, have it installed, and wait for what becomes of it; without one, say how the last one went."""
    visiting = Visiting(arguments)
    bundle: Path | None = arguments.bundle
    size, digest = _measured(bundle) if bundle else (0, "")
    with visiting.session() as session:
        if bundle:
            before = session.greeting.version
            with Shown(visiting, size) as shown:
                _send(session, bundle, size, digest, shown.advance)
            session.ask("update.install", Install(digest=digest, size=size), Act.UPDATE)
            found = _wait(session, arguments.wait, visiting.person.tell)
        else:
            found, before = session.ask_for(Progress, "update.state"), session.greeting.version
    facts: dict[str, Any] = msgspec.to_builtins(found)
    detail = f" ({found.detail})" if found.detail else ""
    text = f"{WORDS[found.stage]}{detail}; the unit runs {found.version}"
    say(arguments, text, **facts, before=before)
    return NEGATIVE if found.stage in {Stage.REFUSED, Stage.ROLLED_BACK} else OK


def _measured(path: Path) -> tuple[int, str]:
    made, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            made.update(chunk)
    if not 0 < size <= BUNDLE_MAX_BYTES:
        raise Failure(f"expected a bundle of 1 to {BUNDLE_MAX_BYTES:,} bytes in {path}, found {size:,}")
    return size, made.hexdigest()


def _send(session: Session, path: Path, size: int, digest: str, advance: Callable[[int], None]) -> None:
    with path.open("rb") as file:
        held, data = 0, b""
        while True:
            part = requests.Part(digest=digest, size=size, offset=held, data=data)
            held = session.ask_for(requests.Held, "update.part", part).bytes_held
            advance(held)
            if held >= size:
                return
            file.seek(held)
            data = file.read(requests.PART_BYTES)


def _wait(session: Session, seconds: float, tell: Callable[[str], None]) -> Progress:
    """Look again and again until it has ended one way or the other. The unit starts anew meanwhile."""
    until, told = time.monotonic() + seconds, None
    while True:
        found = session.ask_for(Progress, "update.state")
        if found.stage in _ENDS or seconds == 0:
            return found
        if found.stage is not told:
            told = found.stage
            tell(WORDS[found.stage])
        if time.monotonic() > until:
            raise Failure(f"{WORDS[found.stage]}; it is not done after {seconds:g} s: look again later", UNAVAILABLE)
        time.sleep(_LOOK_EVERY_S)
