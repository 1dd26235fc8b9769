"""`unit aim` and `unit test`, as a technician types them, against the real unit with footage for a camera."""

import html
import json
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from overt.protocol import envelope
from overt.protocol.cable.aim import Outline, View
from overt.protocol.code import unit_code
from overt.protocol.reports import Check, Inspection
from overt.protocol.sentences import SENTENCES
from overt.protocol.vocabulary import Cause, ClockQuality, Kind, Part
from overt.runtime import cli
from overt_provisioning.unit import acceptance, page
from overt_provisioning.unit.acceptance import ADVICE, Acceptance
from overt_provisioning.unit.meters import meters
from overt_provisioning.unit.page import Page
from tests.provisioning.office import Office, refused
from tests.provisioning.test_unit_commands import Bench
from tests.vision.daemon import MODELS

SCENE = Path(__file__).parents[2] / "build" / "demo" / "scene.mp4"
needs_camera = pytest.mark.skipif(
    not (SCENE.is_file() and (MODELS / "catalogue.toml").is_file()),
    reason="the models or the footage are not built: run `make footage`",
)
VIEW = View(
    number=1,
    width=1920,
    height=1080,
    picture_width=16,
    picture_height=9,
    picture=zlib.compress(bytes(16 * 9)),
    outlines=(Outline(left=100, top=100, width=80, height=100, eyes_px=41.0),),
    focus=95.0,
    focus_peak=100.0,
    mean=0.5,
    dark=0.0,
    bright=0.0,
)

# Vision ends after a preview; its supervisor starts it again.
_SUPERVISED = "while true; do {command}; sleep 0.1; done"


@pytest.fixture
def bench(office: Office, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(office, tmp_path / "unit")
    with made.unit:
        yield made


@pytest.fixture
def camera(bench: Bench) -> Iterator[None]:
    command = [str(Path(sys.executable).with_name("overt-camera")), "vision", "--run", str(bench.unit.run)]
    command += ["--models", str(MODELS), "--source", f"file:{SCENE}", "--loop", "--size", "640x352", "--threads", "1"]
    line = _SUPERVISED.format(command=" ".join(command))
    with (bench.unit.folder / "vision.log").open("wb") as log:
        supervisor = subprocess.Popen(["/bin/bash", "-c", line], stderr=log, start_new_session=True)
        yield
        subprocess.run(["/bin/kill", "--", f"-{supervisor.pid}"], check=True)
        supervisor.wait()


@needs_camera
@pytest.mark.usefixtures("camera")
def test_aim_shows_meters_and_makes_no_template_and_test_writes_what_both_signed(bench: Bench, tmp_path: Path) -> None:
    assert bench.enrol().code == cli.OK
    aimed = bench.at_unit("aim", "--json", "--views", "4")
    assert aimed.code == cli.OK, aimed
    views = [json.loads(line) for line in aimed.out.splitlines()]
    assert [set(view["meters"]) for view in views] == [{"focus", "exposure", "faces"}] * 4
    assert {view["templates_made"] for view in views} == {0}

    out = tmp_path / "acceptance"
    tested = bench.at_unit("test", "--out", out, "--seconds", "2", "--json")
    assert tested.code == cli.NEGATIVE, "this unit has no lamp"
    assert {path.name for path in out.iterdir()} == {"acceptance.json", "report.html", "report.pdf", "label.pdf"}
    signed = (out / "acceptance.json").read_bytes()
    found = envelope.verify(signed, Inspection, bench.known.key)
    checks = {check.part: check for check in found.checks}
    assert checks[Part.CAMERA].well, checks[Part.CAMERA]
    assert not checks[Part.INDICATOR].well
    assert len(envelope.parse(signed, Kind.INSPECTION).signatures) == 2
    text = (out / "report.html").read_text()
    assert unit_code(bench.known.key) in text
    assert html.escape(SENTENCES[Cause.LAMP_ABSENT]) in text, "why, as far as the unit knows"
    assert checks[Part.PLACE].found == "attested: 52.10000, -0.46000, Test square"
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert (out / "label.pdf").read_bytes().startswith(b"%PDF-")
    refused(bench.at_unit("test", "--out", out), cli.BAD_INPUT, "is there already")


@pytest.mark.slow
def test_without_a_camera_the_unit_is_tested_all_the_same(bench: Bench, tmp_path: Path) -> None:
    assert bench.enrol().code == cli.OK
    tested = bench.at_unit("test", "--out", tmp_path / "acceptance", "--seconds", "1", "--json")
    assert tested.code == cli.NEGATIVE
    assert tested.json["seen"] == ["No picture came."]
    assert {"part": "camera", "found": "no picture"}.items() <= tested.json["checks"][0].items()


@pytest.mark.slow
def test_a_blank_unit_shows_nothing(bench: Bench) -> None:
    said = bench.at_unit("aim", "--json", "--views", "1", "--code", bench.code)
    assert said.code == cli.NEGATIVE
    assert "this unit is blank: enrol it first" in said.err


def get(address: str, host: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})  # noqa: S310 - the loopback's
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
            assert answer.headers["Cache-Control"] == "no-store"
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_page_is_for_this_machine_and_for_whoever_knows_its_address() -> None:
    served = Page("unit-1")
    try:
        served.show(VIEW)
        code, text = get(served.address)
        assert (code, "41 px" in text, "Nothing is recognised" in text) == (200, True, True)
        assert "http" not in text.replace("http-equiv", ""), "nothing is fetched from elsewhere"
        assert get(served.address + "view")[0] == 200
        assert get(served.address.rsplit("/", 2)[0] + "/")[0] == 404
        assert get(served.address, host="camera.example")[0] == 403
    finally:
        served.close()


def test_a_picture_that_is_not_of_its_size_is_not_drawn() -> None:
    page.png(VIEW)
    for wrong in (b"no zlib", zlib.compress(bytes(9)), zlib.compress(bytes(10_000_000))):
        with pytest.raises(ValueError, match="picture"):
            page.png(msgspec.structs.replace(VIEW, picture=wrong))


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({}, "focus", "at its sharpest"),
        ({"focus": 60.0}, "focus", "turn back"),
        ({"focus": 0.0, "focus_peak": 0.0}, "focus", "nothing to focus on"),
        ({}, "exposure", "good"),
        ({"mean": 0.1, "dark": 0.4}, "exposure", "more light"),
        ({"bright": 0.2}, "exposure", "turn away from lamps"),
        ({}, "faces", "good"),
        ({"outlines": ()}, "faces", "have somebody stand"),
        ({"outlines": (msgspec.structs.replace(VIEW.outlines[0], eyes_px=12.0),)}, "faces", "too small"),
    ],
)
def test_a_meter_says_what_to_do(changes: dict[str, object], name: str, words: str) -> None:
    found = {meter.name: meter for meter in meters(msgspec.structs.replace(VIEW, **changes))}
    assert words in found[name].advice


def test_a_report_says_what_to_do_and_a_label_shows_the_code() -> None:
    part = Check(part=Part.BROKER, found="not <connected>", limit="connected", well=False)
    now = datetime(2026, 6, 1, 10, tzinfo=UTC)
    found = Inspection(
        force="test-force", unit="unit-1", sent=now, clock=ClockQuality.SYNCHRONISED, version="1", checks=(part,)
    )
    report = Acceptance(found, "ab" * 32, "cd" * 32, "ef" * 32, ("focus: good",))
    text = acceptance.page(report)
    assert "Not accepted yet: see to broker." in text
    assert ("not &lt;connected&gt;" in text, "<connected>" in text) == (True, False)
    assert set(ADVICE) == set(Part), "there is something to do about every part"
    assert acceptance.paper(report) == acceptance.paper(report), "the same facts make the same paper"
    label = acceptance.label("unit-1", "test-force", "ab" * 32, now)
    assert b"/MediaBox [0 0 255.12 113.39]" in label, "90 by 40 mm, wider than high: nothing is cut off"
