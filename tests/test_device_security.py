"""docs/device-security.md names no test that does not exist, and has no row without one that does not say so."""

import ast
import re
from pathlib import Path

import pytest

from tests.test_house import ROOT

PAGE = ROOT / "docs" / "device-security.md"
ROWS = re.findall(r"^\| ([NSB]?\d[\d.]*) \|.*\|$", PAGE.read_text(), re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", PAGE.read_text())))


def rows() -> list[str]:
    return [line for line in PAGE.read_text().splitlines() if re.match(r"\| [NSB]?\d", line)]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: str(part).rpartition("/")[2])
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip())
def test_a_row_is_shown_by_a_test_or_says_that_it_is_open(row: str) -> None:
    shown = row.split("|")[4]
    assert "::" in shown or "**open**" in shown.lower()


def test_each_list_is_whole() -> None:
    expected = {f"N{number}" for number in range(1, 12)} | {f"5.{number}" for number in range(1, 14)} | {"6"}
    expected |= {f"B{number}" for number in range(1, 13)}
    assert expected <= set(ROWS)


def test_the_way_to_report_a_weakness_says_how_and_by_when() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for words in ("Report a weakness privately", "within a week", "90 days"):
        assert words in text


def test_what_is_said_of_theft_is_what_the_tests_of_promise_3_show() -> None:
    """The gap that unit-security.md admits is shown by a test, so that neither can change without the other."""
    text = (ROOT / "docs" / "unit-security.md").read_text()
    (named,) = set(re.findall(r"test_p3_a_whole_disk\w+", text))
    suite = Path(ROOT / "tests/promises/test_p3_the_watchlist_dies_with_the_deployment.py").read_text()
    assert f"def {named}(" in suite
