"""The report on equal treatment: nothing in it is not in its JSON, and it can be read."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overt_tools.evaluate.assurance import borne
from overt_tools.evaluate.groups import Standard, compare, thresholds_of
from overt_tools.evaluate.report import html, pdf
from overt_tools.evaluate.report.model import Report
from overt_tools.evaluate.report.wording import score
from tests.tools.equal import four_groups


@pytest.fixture(scope="module")
def report() -> Report:
    some = four_groups(women=380)
    characteristics, thresholds, standard = ("sex", "ethnicity"), thresholds_of(some, [0.5]), Standard()
    bears, left_out = borne(some, characteristics, [threshold for _, threshold in thresholds], standard, 1000)
    return Report(
        title="Equal treatment: <script> & testers",
        kind="stills",
        made="2026-09-01T10:00:00+00:00",
        how=("Measured for a test.",),
        not_shown=("It shows nothing of real people.",),
        watchlist=1000,
        model_set="standard",
        model_digest="a" * 64,
        data_set_digest="d" * 64,
        labels_digest="e" * 64,
        command="overt-tools evaluate identification set",
        environment={"overt": "0"},
        groups=compare(some, characteristics, thresholds, standard),
        bears=bears,
        not_in_assurance=left_out,
    )


class Page(HTMLParser):
    """What a reader of the page gets."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.text, self.tags = "", list[tuple[str, dict[str, str | None]]]()
        self.figures: list[tuple[str, str]] = []
        self._path: str | None = None
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._path = dict(attrs).get("data-figure")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._path is not None:
            self.figures.append((self._path, data))
            self._path = None


@pytest.fixture(scope="module")
def rendered(report: Report) -> bytes:
    return html.render(report)


@pytest.fixture(scope="module")
def page(rendered: bytes) -> Page:
    return Page(rendered)


def at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


def test_no_figure_differs_from_the_json(report: Report, page: Page) -> None:
    tree = json.loads(msgspec.json.encode(report))
    assert len(page.figures) > 150
    for path, text in page.figures:
        value, shown = at(tree, path), float(text.removeprefix("below ").rstrip("%").replace(",", ""))
        if path.endswith(("threshold", "shown")):
            assert value <= shown <= value + 1.001e-4, path
        elif text.endswith("%"):
            assert shown == pytest.approx(value * 100, abs=0.0501), path
        elif isinstance(value, int):
            assert shown == value, path
        elif text.startswith("below"):
            assert value < shown, path
        elif ".p" in path or "table_p" in path:
            assert shown == pytest.approx(value, abs=5.01e-5), path
        else:
            assert shown == pytest.approx(value * 1000, abs=0.00501), path


def test_a_threshold_that_an_order_can_name_is_written_as_it_is() -> None:
    for threshold in (0.556, 0.35, 0.458, 0.95):
        assert float(score("", threshold).text) == threshold


def test_every_group_and_the_verdict_are_there_and_the_verdict_comes_first(
    report: Report, rendered: bytes, page: Page
) -> None:
    for group in ("women", "men", "Asian", "Black"):
        assert group in page.text
    headings = re.findall(r"<h2>(.*?)</h2>", rendered.decode())
    assert headings[0] == "The verdict"
    assert report.groups.headline == "Unequal treatment is shown."
    assert page.text.index(report.groups.headline) < page.text.index("What was measured")
    assert "Recognised least often: women, in 76.0% of looks; men, in 90.0%" in page.text
    assert "All groups were recognised equally often." in page.text, "of two ethnicities neither is worse off"
    assert "0.0000" not in page.text


def test_it_says_what_it_does_not_show_where_limits_come_from_and_how_to_repeat_it(page: Page) -> None:
    for words in (
        "It shows nothing of real people",
        "South Wales Police",
        "a" * 64,
        "d" * 64,
        "e" * 64,
        "overt-tools evaluate identification set",
        "How often chance alone would set the groups as far apart",
    ):
        assert words in page.text


def test_a_unit_would_refuse_what_the_report_says_it_would(report: Report, page: Page) -> None:
    assert all(one.refusals for one in report.bears)
    assert "A unit would let no order stand on it" in page.text
    assert "Sex men are recognised in 90.0% of passages, women in 76.0%" in page.text


def test_it_is_one_file_that_can_be_listened_to(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object"}
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:")
            assert "recognised" in (attributes["alt"] or "")
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}
    assert ("html", {"lang": "en"}) in page.tags
    assert "<script>" not in [tag for tag, _ in page.tags]
    assert "Equal treatment: <script> & testers" in page.text


def test_the_paper_says_the_same(report: Report, tmp_path: Path) -> None:
    data = pdf.render(report)
    assert data.startswith(b"%PDF-")
    assert 4 <= len(re.findall(rb"/Type /Page\n", data)) <= 10
    if shutil.which("pdftotext") is None:
        return
    (tmp_path / "r.pdf").write_bytes(data)
    done = subprocess.run(["pdftotext", "-layout", tmp_path / "r.pdf", "-"], capture_output=True, text=True, check=True)
    words = " ".join(done.stdout.split())
    for text in (report.groups.headline, "women", "men", "Asian", "Black", "a" * 64, "76.0%"):
        assert text in words


def test_the_same_report_is_the_same_file(report: Report, rendered: bytes) -> None:
    assert html.render(report) == rendered
