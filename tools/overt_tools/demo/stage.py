"""Everything that must be there before a unit may recognise anyone, made with the product's own commands.

Nothing here is special: the same commands, in this order, make a real deployment.
"""

import csv
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from overt_tools.demo.commands import type_in
from overt_tools.demo.texts import order_form, write_papers

FORCE = "demonstration-force"
UNIT = "unit-1"
ROOM = "control-room-1"
ENTRY = "volunteer-1"
SITE = ("Demonstration square", 52.1356, -0.4669)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where each party keeps its things. What one party holds, no other reads."""

    work: Path
    run: Path

    @property
    def office(self) -> Path:
        """The force office's folder."""
        return self.work / "office"

    @property
    def unit(self) -> Path:
        """The unit's state folder."""
        return self.work / "unit"

    @property
    def room(self) -> Path:
        """The control room's folder."""
        return self.work / "room"

    @property
    def broker(self) -> Path:
        """The broker's folder."""
        return self.work / "broker"

    @property
    def logs(self) -> Path:
        """What the processes wrote."""
        return self.work / "logs"

    @property
    def papers(self) -> Path:
        """Documents on their way."""
        return self.work / "papers"

    @property
    def passphrase(self) -> Path:
        """The file with the passphrase of the office's keys."""
        return self.office / "passphrase"


def clear(work: Path) -> Folders:
    """Empty the working folder, also of what a killed demonstration left, and make it anew."""
    marker = work / "run-folder"
    if marker.is_file():
        left = Path(marker.read_text())
        if left.name.startswith("overt-demo-"):
            shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    # Paths of Unix sockets are short (108 bytes), so they cannot live below just any clone.
    folders = Folders(work, Path(tempfile.mkdtemp(prefix="overt-demo-")))
    for folder in (folders.office, folders.unit, folders.room, folders.broker, folders.logs, folders.papers):
        folder.mkdir(parents=True, mode=0o700)
    marker.write_text(str(folders.run))
    return folders


def found_force(folders: Folders, say: Say) -> None:
    """The force: keys for each role, charter, certificate authority; the broker's and the office's certificates."""
    say("a demonstration force: keys for each role, its charter, its certificate authority")
    folders.passphrase.touch(mode=0o600)
    folders.passphrase.write_text(secrets.token_urlsafe(24))
    _office(folders, "force", "create", "--force", FORCE, "--title", "Demonstration force (volunteers only)")
    _office(folders, "certificate", "broker", "--host", "127.0.0.1", "--host", "localhost", "--out", folders.broker)
    _office(folders, "certificate", "office")


def enrol_unit(folders: Folders, broker: str, say: Say) -> None:
    """The unit: it makes its own keys, the force certifies it, and it learns its force, its site and its broker."""
    say("a unit: its own keys, certified by the force, at a fixed site")
    type_in("overt-camera", "identity", "--state", folders.unit, "--unit", UNIT)
    certificate = folders.papers / "unit.crt"
    request = folders.unit / "uplink" / "unit.csr"
    _office(folders, "certificate", "client", "--csr", request, "--out", certificate)
    name, latitude, longitude = SITE
    type_in(
        *("overt-camera", "enrol", "--state", folders.unit, "--charter", folders.office / "charter.json"),
        *("--site-name", name, "--latitude", str(latitude), f"--longitude={longitude}"),
        *("--authority", folders.office / "pki" / "ca.pem", "--certificate", certificate, "--broker", broker),
    )


def furnish_room(folders: Folders, broker: str, say: Say) -> str:
    """The control room: its own keys, certified by the force; it trusts the charter and this order alone.

    Returns:
        The age recipient that alerts for it are encrypted to.
    """
    say("a control room: its own keys, certified by the force")
    recipient = type_in("overt-controlroom", "identity", "--home", folders.room, "--name", ROOM).strip()
    _office(
        *(folders, "certificate", "client", "--csr", folders.room / "tls" / "room.csr"),
        *("--out", folders.room / "tls" / "room.crt"),
    )
    shutil.copy(folders.office / "pki" / "ca.pem", folders.room / "tls" / "ca.pem")
    shutil.copy(folders.office / "charter.json", folders.room / "charter.json")
    host, _, port = broker.rpartition(":")
    room = {"name": ROOM, "force": FORCE, "host": host, "port": int(port)}
    (folders.room / "room.json").write_text(json.dumps(room))
    return recipient


def authorise(folders: Folders, recipient: str, models: Path, minutes: int, threshold: float, say: Say) -> Path:
    """The order: written by one officer, countersigned by another, and given to the control room to work under.

    Returns:
        The order's file.
    """
    say("a deployment order: a blue watchlist exercise, here, now, signed by two officers")
    form, order = folders.papers / "order.toml", folders.papers / "order.json"
    write_papers(folders.papers)
    form.write_text(
        order_form(
            identity=folders.unit / "identity.json",
            catalogue=models / "catalogue.toml",
            room=ROOM,
            recipient=recipient,
            site=SITE,
            minutes=minutes,
            threshold=threshold,
        )
    )
    _office(folders, "order", "make", form, "--out", order)
    _office(folders, "order", "countersign", order)
    type_in("overt-provision", "order", "check", order, "--charter", folders.office / "charter.json")
    (folders.room / "orders").mkdir(exist_ok=True)
    shutil.copy(order, folders.room / "orders" / "order.json")
    return order


def send_order(folders: Folders, order: Path, broker: str, say: Say) -> Path:
    """Send the order and wait for the unit's receipt, which carries the key that the unit made for this deployment.

    Returns:
        The receipt's file.
    """
    say("the order goes to the unit, which answers with a key made for this deployment alone")
    receipt = folders.papers / "receipt.json"
    _send(folders, "order", order, order, broker, receipt)
    return receipt


def list_volunteer(folders: Folders, order: Path, receipt: Path, stills: Path, models: Path, say: Say) -> Path:
    """The watchlist: one volunteer, enrolled from stills, templates only, encrypted to the unit's deployment key.

    Returns:
        The encrypted watchlist's file.
    """
    say("a watchlist of one volunteer, from stills that never leave the office")
    manifest, watchlist = folders.papers / "manifest.csv", folders.papers / "watchlist.age"
    write_manifest(manifest, sorted(still.name for still in stills.glob("franck_*.jpg")))
    _office(
        *(folders, "watchlist", "build", "--order", order, "--receipt", receipt, "--manifest", manifest),
        *("--images", stills, "--models", models, "--out", watchlist, "--leave-out-refused"),
    )
    return watchlist


def send_watchlist(folders: Folders, order: Path, watchlist: Path, broker: str, say: Say) -> None:
    """Send the watchlist and wait for the unit's receipt."""
    say("the watchlist goes to the unit: only its vision process, in locked memory, can read it")
    _send(folders, "watchlist", watchlist, order, broker, folders.papers / "watchlist-receipt.json")


def cancel(folders: Folders, order: Path, broker: str) -> None:
    """End the order: one officer suffices."""
    cancellation = folders.papers / "cancellation.json"
    _office(folders, "cancel", "--order", order, "--out", cancellation)
    _send(folders, "cancel", cancellation, order, broker, folders.papers / "cancellation-receipt.json")


def write_manifest(path: Path, images: list[str]) -> None:
    """Write the list of stills with what the law wants said about each (O5, O9)."""
    now = datetime.now(UTC)
    row = {
        "reference": ENTRY,
        "category": "volunteer",
        "legal_basis": "Consent of a volunteer in a recognition exercise",
        "image_source": "Research recording, published by its author under the MIT licence",
        "image_date": (now - timedelta(days=30)).isoformat(timespec="seconds"),
        "reviewed_by": "Watchlist officer",
        "reviewed": now.isoformat(timespec="seconds"),
        "under_18": "no",
        "under_18_rationale": "",
        "expires": (now + timedelta(hours=12)).isoformat(timespec="seconds"),
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*row, "image"])
        writer.writeheader()
        writer.writerows({**row, "image": image} for image in images)


def _office(folders: Folders, *arguments: str | Path) -> str:
    """Run one of the force office's commands with its home and passphrase."""
    words = 1 if arguments[0] == "cancel" else 2
    home = ("--home", folders.office, "--passphrase-file", folders.passphrase)
    return type_in("overt-provision", *arguments[:words], *home, *arguments[words:])


def _send(folders: Folders, what: str, document: Path, order: Path, broker: str, receipt: Path) -> None:
    type_in(
        *("overt-provision", "send", "--home", folders.office, what, document, "--unit", UNIT, "--broker", broker),
        *("--order", order, "--wait", "20", "--receipt", receipt, "--passphrase-file", folders.passphrase),
    )
