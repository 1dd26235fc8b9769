"""What the documentation tells people to type exists."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import overt.cli
import overt_controlroom.cli
import overt_provisioning.cli
import overt_tools.cli
from overt.protocol.audit import CATALOGUE
from overt.protocol.vocabulary import Doubt
from overt.runtime.cli import Parser
from tests.test_house import ROOT

PARSERS: dict[str, Callable[[], Parser]] = {
    "overt-camera": overt.cli.parser,
    "overt-provision": overt_provisioning.cli.parser,
    "overt-controlroom": overt_controlroom.cli.parser,
    "overt-tools": overt_tools.cli.parser,
}
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
    ROOT / "models/README.md",
]


def commands_in(page: Path) -> list[str]:
    blocks = re.findall(r"```\w*\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [re.split(r" #| > ", line)[0] for line in lines if line.startswith(("overt-", "make "))]


def all_commands() -> list[str]:
    return sorted({command for page in PAGES for command in commands_in(page)})


def test_there_are_commands_to_check() -> None:
    assert len(all_commands()) > 20


@pytest.mark.parametrize("command", [command for command in all_commands() if command.startswith("overt-")])
def test_a_documented_command_is_understood(command: str) -> None:
    name, *arguments = shlex.split(command)
    assert PARSERS[name]().parse_args(arguments).handler


@pytest.mark.parametrize("command", [command for command in all_commands() if command.startswith("make ")])
def test_a_documented_target_exists(command: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(command.split()[1:]) <= targets


def test_the_readmes_two_commands_are_the_ones_that_continuous_integration_runs() -> None:
    assert [line for line in commands_in(ROOT / "README.md") if line.startswith("make")] == ["make run", "make test"]
    script = (ROOT / ".ci" / "run").read_text()
    assert "\nmake test\n" in script
    assert "make run" in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_of_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def named_tests(words: list[str]) -> tuple[set[Path], set[str]]:
    """The files that a pytest command names, and the names of the tests in them."""
    files = {file for word in words if word.startswith("tests/") for file in python_files(ROOT / word)}
    return files, {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


def python_files(path: Path) -> list[Path]:
    return sorted(path.rglob("test_*.py")) if path.is_dir() else [path]


@pytest.mark.parametrize(
    "command", re.findall(r"`([^`]*pytest [^`]+)`", (ROOT / "docs/bench-procedure.md").read_text())
)
def test_what_the_bench_procedure_tells_to_run_is_there(command: str) -> None:
    words = shlex.split(command)
    files, names = named_tests(words)
    assert files
    assert names
    texts = "".join(file.read_text() for file in files)
    assert f"pytest.mark.{words[words.index('-m') + 1]}" in texts
    for variable in (word.partition("=")[0] for word in words if word.startswith("OVERT_")):
        assert f'"{variable}"' in texts
    for part in words[words.index("-k") + 1].split(" or ") if "-k" in words else []:
        assert [name for name in names if part in name], f"no test is called {part}"


def test_every_test_for_a_bench_is_in_its_procedure() -> None:
    told = (ROOT / "docs" / "bench-procedure.md").read_text()
    for file in (ROOT / "tests" / "hardware").glob("test_*.py"):
        assert f"tests/hardware/{file.name}" in told


def all_parsers(parser: Parser) -> list[Parser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                found += all_parsers(child)
    return found


@pytest.mark.parametrize("name", PARSERS)
def test_every_commands_help_says_what_it_does_and_gives_exit_codes(name: str) -> None:
    for parser in all_parsers(PARSERS[name]()):
        text = parser.format_help()
        assert "exit codes" in text
        assert parser.description or parser.epilog, parser.prog


def test_the_table_of_the_logs_events_is_the_catalogue() -> None:
    rows = re.findall(r"^\| ([a-z]+) \| (.*) \|$", (ROOT / "docs" / "audit-log.md").read_text(), re.MULTILINE)
    told = {event: operation for operation, events in rows for event in re.findall(r"`([a-z._]+)`", events)}
    assert told == {event.value: shape.operation.value for event, shape in CATALOGUE.items()}


def test_the_technicians_table_of_doubts_is_complete() -> None:
    text = (ROOT / "docs" / "technician-guide.md").read_text()
    assert re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE) == [doubt.value for doubt in Doubt]
