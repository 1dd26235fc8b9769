"""The report with pictures is one file for the office alone: it says why and what to do, and reaches for nothing."""

import contextlib
import itertools
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from overt.protocol.vocabulary import Category
from overt.recognition import catalogue
from overt.runtime import cli
from overt_provisioning import progress
from overt_provisioning.criteria import Criteria
from overt_provisioning.drafting import Judged, Line
from overt_provisioning.findings import Finding, Reason
from overt_provisioning.obligations import OBLIGATIONS
from overt_provisioning.report import Page, Tally
from overt_provisioning.thumbnails import make
from tests.builders import utc_now
from tests.provisioning import pictures
from tests.provisioning.office import MODELS, STILLS, Office, new_unit, row, run, snapshot, write_manifest
from tests.provisioning.test_watchlist import needs_models, ready

MAX_PICTURE_BYTES = 12_000
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Read(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def criteria() -> Criteria:
    return Criteria(
        operation="EXERCISE-1", categories=(Category.VOLUNTEER,), most_entries=9, model="a" * 64, moment=utc_now()
    )


def page_of(folder: Path, *judged: Judged) -> str:
    tally = Tally()
    with Page(folder / "report.html", criteria()) as page:
        for one in judged:
            tally.count(one.line)
            page.add(one)
        page.finish(tally, utc_now())
    return (folder / "report.html").read_text()


def refused_row(number: int = 2, reference: str = "v-1", image: str = "a.jpg") -> Judged:
    finding = Finding(Reason.BLURRED, "expected a sharp face, found it blurred")
    return Judged(Line(row=number, reference=reference, image=image, accepted=False, refusals=(finding,)), None)


def accepted_row(reference: str = "v-2", picture: bytes | None = None) -> Judged:
    line = Line(row=3, reference=reference, image="b.jpg", accepted=True, quality=0.9, category="volunteer")
    return Judged(line, picture)


def test_the_report_says_whose_it_is_what_became_of_each_row_and_what_to_do(tmp_path: Path) -> None:
    page = Read(page_of(tmp_path, refused_row(), accepted_row()))
    for words in ("must not leave the office", "1 of 2", "Blurred", "found it blurred", "Use a sharper image", "v-2"):
        assert words in page.text
    assert "Without any usable image: v-1" in page.text
    assert "EXERCISE-1" in page.text
    for name in ("O2", "O5", "O9", "O19"):
        assert f"{name}: {OBLIGATIONS[name]}" in page.text
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600


def test_those_without_an_image_are_named_as_people_count(tmp_path: Path) -> None:
    page = Read(page_of(tmp_path, *(refused_row(n, f"v-{n}") for n in (10, 9, 2)), refused_row(1, "x²-1")))
    assert "Without any usable image: v-2, v-9, v-10, x²-1" in page.text


def test_a_printed_page_says_that_it_must_stay_and_shows_every_picture(tmp_path: Path) -> None:
    picture = make(np.full((200, 200, 3), 90, np.uint8), ())
    text = page_of(tmp_path, accepted_row(picture=picture))
    assert re.search(r'@page \{[^}]*@bottom-center \{\s*content: "Holds images of people. Must not leave', text)
    assert "loading=" not in text, "what is loaded late is not printed"


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the report's layout is not tested")
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, width: int) -> None:
    """WCAG 2.2, 1.4.10: everything can be read at a width of 320 pixels without scrolling sideways."""
    picture = make(np.full((300, 200, 3), 90, np.uint8), ())
    long = "a-reference-that-has-no-space-in-it-and-is-as-long-as-any-can-be"
    lines = [Judged(refused_row(reference=long, image=f"{long}.jpg").line, picture), accepted_row(long, picture)]
    page_of(tmp_path, *lines)
    (tmp_path / "frame.html").write_text(
        f'<!DOCTYPE html><iframe src="report.html" style="width: {width}px; height: 900px; border: 0"></iframe>'
        "<script>onload = () => { const seen = frames[0].document.documentElement;"
        "document.title = `${seen.clientWidth} ${seen.scrollWidth}`; }</script>"
    )
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "frame.html").as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    shown = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert shown, done.stdout[-500:]
    assert 0 < int(shown[2]) <= int(shown[1]) <= width


def test_nothing_in_a_manifest_becomes_markup(tmp_path: Path) -> None:
    page = Read(page_of(tmp_path, refused_row(reference=EVIL, image=EVIL), accepted_row(EVIL)))
    names = {tag for tag, _ in page.tags}
    assert "script" not in names
    assert "img" not in names
    assert page.text.count(EVIL) >= 3


def test_the_report_has_no_script_and_reaches_for_nothing_outside_itself(tmp_path: Path) -> None:
    picture = make(np.full((200, 200, 3), 90, np.uint8), ())
    text = page_of(tmp_path, refused_row(), accepted_row(picture=picture))
    page = Read(text)
    assert "default-src 'none'" in text
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "form", "base"}
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert re.match(r"(data:image/jpeg;base64,|#)", attributes.get(name) or "#")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text


def test_the_report_can_be_read_by_everyone(tmp_path: Path) -> None:
    """A language, one heading of the first order, no level skipped, a text for each picture, targets for each link."""
    page = Read(page_of(tmp_path, refused_row(), accepted_row(picture=make(np.zeros((99, 80, 3), np.uint8), ()))))
    assert page.tags[0] == ("html", {"lang": "en"})
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert {str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"} <= targets


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    colour = "".join(2 * digit for digit in colour) if len(colour) == 3 else colour
    parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_colour_of_text_stands_out_from_white(tmp_path: Path) -> None:
    """WCAG 2.2, 1.4.6: a contrast of at least 7."""
    style = page_of(tmp_path, refused_row())
    colours = re.findall(r"[^-]color: #([0-9a-f]{3,6})", style)
    assert len(colours) > 4
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) >= 7, colour


def test_a_report_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    with Page(tmp_path / "report.html", criteria()) as page:
        page.add(refused_row())
        assert not list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(1, 1), (64, 3000), (3000, 64), (576, 720), (65, 77)])
@pytest.mark.parametrize(
    "boxes", [(), ((10.0, 10.0, 30.0, 40.0),), ((-20.0, -5.0, 60.0, 60.0), (900.0, 9.0, 5.0, 5.0))]
)
def test_a_picture_is_small_whatever_the_image(
    shape: tuple[int, int], boxes: tuple[tuple[float, float, float, float], ...]
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    picture = make(noise, boxes)
    assert picture.startswith(b"\xff\xd8\xff")
    assert len(picture) < 6 * MAX_PICTURE_BYTES
    assert len(make(pictures.good() if STILLS.exists() else noise[:9, :9], ())) < MAX_PICTURE_BYTES


@needs_models
def test_a_list_is_built_with_both_reports_and_neither_holds_a_template(office: Office) -> None:
    ready(office)
    pictures.save(office.images / "blurred.jpg", pictures.blurred())
    rows = [row(pictures.GOOD), row("blurred.jpg", "volunteer-2"), row("none.jpg", "volunteer-3")]
    page, data = office.base / "report.html", office.base / "report.json"
    said = office.list(rows, "--report", page, "--report", data, "--json")
    assert said.code == cli.NEGATIVE
    assert said.json["summary"]["refused_by_reason"] == {"blurred": 1, "no_image": 1}
    lines = json.loads(data.read_text())
    assert [line["accepted"] for line in lines] == [True, False, False]
    assert lines[1]["refusals"][0]["reason"] == "blurred"
    assert "jpeg" not in data.read_text()
    found = Read(page.read_text())
    assert len([tag for tag, _ in found.tags if tag == "img"]) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in (page, data)} == {0o600}
    assert not office.watchlist.exists()


def test_a_report_of_another_kind_is_refused() -> None:
    common = ("--manifest", "m", "--images", "i", "--models", "m")
    said = run("watchlist", "check", "--form", "f", *common, "--report", "report.pdf")
    assert said.code == cli.BAD_INPUT
    assert ".html" in said.err


@needs_models
def test_several_processes_give_what_one_gives(office: Office) -> None:
    ready(office)
    shutil.copy(STILLS / pictures.OTHER, office.images)
    rows = [row("none.jpg" if n % 8 else pictures.GOOD, f"volunteer-{n // 16}") for n in range(26)]
    rows[5] = row(pictures.OTHER, "volunteer-0")
    said = [office.list(rows, "--json", "--workers", workers) for workers in (1, 2)]
    assert {one.code for one in said} == {cli.NEGATIVE}
    assert said[0].json["images"] == said[1].json["images"]
    assert {line["accepted"] for line in said[0].json["images"]} == {True, False}


def many(office: Office, missing: int, there: int) -> tuple[str, ...]:
    """Check a list whose first images are missing, which is quick, and whose others are there; as a command to run."""
    digest = catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest
    order = office.ordered(new_unit(), digest)
    assert order
    office.images.mkdir()
    shutil.copy(STILLS / pictures.GOOD, office.images)
    names = ["none.jpg"] * missing + [pictures.GOOD] * there
    write_manifest(office.manifest, [row(name, f"volunteer-{n}") for n, name in enumerate(names)])
    return (
        *(sys.executable, "-c", "from overt_provisioning.cli import main; main()", "watchlist", "check"),
        *("--order", str(office.order), "--manifest", str(office.manifest), "--images", str(office.images)),
        *("--models", str(MODELS), "--report", str(office.base / "report.html"), "--workers", "2"),
    )


def living(session: int) -> list[str]:
    """The processes of a session that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(owner) == session and state != "Z":
                found.append((folder / "cmdline").read_text())
    return found


@needs_models
def test_ctrl_c_leaves_nothing_half_written_and_no_process(office: Office) -> None:
    command = many(office, 110, 3890)
    before = snapshot(office.base)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stderr is not None
        assert b"enrolling: 100 of 4000" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == cli.INTERRUPTED, err
    assert out == b""
    assert b"Traceback" not in err
    assert err.strip().endswith(b"interrupted")
    assert snapshot(office.base) == before
    deadline = time.monotonic() + 5
    while living(process.pid):
        assert time.monotonic() < deadline, living(process.pid)
        time.sleep(0.05)


@needs_models
def test_a_terminal_shows_one_line_that_changes(office: Office) -> None:
    command = many(office, 3, 3)
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm"})
    os.close(follower)
    shown = b""
    reader = threading.Thread(target=lambda: process.communicate(timeout=60))
    reader.start()
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    reader.join(timeout=60)
    os.close(leader)
    assert process.returncode == cli.NEGATIVE
    assert b"enrolling" in shown
    assert b"a second" in shown
    assert b"6/6" in shown
    assert shown.count(b"\r\n") <= 2


def test_without_a_terminal_a_line_is_written_every_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.shown(range(250), 250, "enrolling")) == list(range(250))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" (")[0] for line in lines] == ["enrolling: 100 of 250", "enrolling: 200 of 250"]
    assert all("a second" in line and "left" in line for line in lines)
