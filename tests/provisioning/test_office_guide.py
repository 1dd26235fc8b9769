"""docs/office.md, typed as it stands in an empty folder: from the first passphrase to the second charter."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import authority
from overt.protocol.documents import Charter
from overt.protocol.vocabulary import Role
from overt.runtime import cli
from tests.builders import utc_now
from tests.provisioning import pictures, softhsm
from tests.provisioning.office import MODELS, STILLS, row, write_manifest
from tests.provisioning.test_watchlist import needs_models
from tests.stage import Stage, blocks
from tests.test_house import ROOT

GUIDE = (ROOT / "docs" / "office.md").read_text()
BLOCKS = blocks("office.md")
PASSPHRASE, SECOND, FOUNDING, TOKEN, BROUGHT, BLANK, SIGNING, READING, COUNTERSIGNING, *_ = BLOCKS
CHECKING, LISTING, STOPPING, RENEWING, REPLACING, REPLACING_ELSEWHERE = BLOCKS[9:]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def charter_in(folder: Path) -> Charter:
    return authority.check_charter((folder / "charter.json").read_bytes(), utc_now()).document


def order(stage: Stage) -> None:
    """Everything up to a lawful order."""
    stage.type(*PASSPHRASE, *SECOND, *FOUNDING)
    (stage.folder / "models").symlink_to(MODELS)
    brought = stage.type(*BROUGHT)
    stage.type(*BLANK)
    stage.fill_in_the_order(next(word for word in brought.split() if word.startswith("age1")))
    stage.type(*SIGNING)
    read = stage.type(*READING, code=cli.NEGATIVE)
    for words in ("It is for", "expected 1 valid signature(s) of the role second_officer", "by: Authorising officer."):
        assert words in read
    assert "A unit accepts it." in stage.type(*COUNTERSIGNING)


@pytest.mark.slow
@needs_models
def test_the_guide_from_an_empty_folder_to_the_next_charter(stage: Stage) -> None:
    order(stage)
    (stage.folder / "stills").mkdir()
    shutil.copy(STILLS / pictures.GOOD, stage.folder / "stills")
    write_manifest(stage.folder / "manifest.csv", [row(pictures.GOOD)])
    stage.type(*CHECKING)
    assert "must not leave the office" in (stage.folder / "report.html").read_text()
    stage.start()
    stage.type(*LISTING)
    assert stage.status()["state"] == "armed"
    stage.type(*STOPPING)
    stage.until(lambda: stage.status()["state"] == "idle")
    assert not list((stage.folder / "unit" / "deployments").rglob("*"))

    stage.type(*RENEWING, *REPLACING, *REPLACING_ELSEWHERE)
    stage.stop()
    charter = charter_in(stage.folder / "office")
    assert charter.version == 4
    (second,) = charter.roles[Role.SECOND_OFFICER].keys
    (public,) = (stage.folder / "next.pub").read_text().splitlines()[:1]
    assert public == f"public:{charter.keys[second].public}"
    assert charter_in(stage.folder / "unit") == charter
    _assert_secrets_stayed(stage)


def _assert_secrets_stayed(stage: Stage) -> None:
    """No secret was said, no key of one office is in the other, and none is outside them."""
    for name in ("passphrase", "second.pass"):
        assert (stage.folder / name).stat().st_mode & 0o077 == 0
        assert (stage.folder / name).read_text().strip() not in stage.said
    assert not (stage.folder / "office" / "keys" / "second_officer.key").exists()
    assert {path.name for path in (stage.folder / "second" / "keys").iterdir()} == {"second_officer.key"}
    outside = [path for path in stage.folder.iterdir() if path.is_file()]
    for path in outside:
        assert b"PRIVATE KEY" not in path.read_bytes(), path


@softhsm.needed
def test_the_guides_keys_on_a_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.type(*PASSPHRASE)
    (stage.folder / "token").mkdir()
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm.make(stage.folder / "token", "office", "canary-pin-4711")))
    (stage.folder / "pin").write_text("canary-pin-4711\n")
    stage.type(*(line.replace("/usr/lib/softhsm/libsofthsm2.so", str(softhsm.MODULE)) for line in TOKEN))
    charter = charter_in(stage.folder / "vault")
    assert charter.version == 2
    (root,) = charter.roles[Role.ROOT].keys
    assert f"public:{charter.keys[root].public}" in stage.said
    assert not (stage.folder / "vault" / "keys" / "root.key").exists()
    assert "canary-pin" not in stage.said


def test_every_error_that_the_guide_explains_is_one_that_commands_give() -> None:
    folder = ROOT / "provisioning" / "overt_provisioning"
    sources = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    sources = re.sub(r"\{[^{}]*\}", "…", sources)
    explained = re.findall(r"^\| `([^`]+)` \| ", GUIDE[GUIDE.index("| it says |") :], re.MULTILINE)
    assert len(explained) > 8
    for said in explained:
        for part in filter(None, map(str.strip, said.split("…"))):
            assert part in sources, part


def test_every_exit_code_is_in_the_guide() -> None:
    for code in (cli.OK, cli.NEGATIVE, cli.BAD_INPUT, cli.UNAVAILABLE, cli.INTERRUPTED):
        assert f"\n| {code} | " in GUIDE
