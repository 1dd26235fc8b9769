"""What units compare themselves with: computed here, and far from nothing that the catalogue has."""

import json
from pathlib import Path

import pytest

from overt.recognition.catalogue import FILE_NAME
from overt.runtime.cli import run
from overt_tools.cli import parser
from tests.test_house import ROOT
from tests.vision.daemon import MODELS

CATALOGUE = ROOT / "models" / FILE_NAME
ASK = ["models", "answers", "--models", str(MODELS), "--catalogue"]

needs_models = pytest.mark.skipif(
    not (MODELS / FILE_NAME).is_file(), reason=f"no models in {MODELS}: run 'make models'"
)


@needs_models
def test_every_built_network_gives_what_the_catalogue_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parser(), [*ASK, str(CATALOGUE), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["within"]
    assert said["artefacts"].keys() == {"yunet-960x544", "yunet-640x352", "yunet-128x128", "edgeface-s", "sface"}


@needs_models
def test_where_the_catalogue_has_none_it_is_printed_to_be_entered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = tmp_path / FILE_NAME
    head, _, rest = CATALOGUE.read_text().partition("answer = [")
    catalogue.write_text(head + rest.partition("]\n")[2])
    assert run(parser(), [*ASK, str(catalogue)]) == 1
    first, answer, *_ = capsys.readouterr().out.splitlines()
    assert first == "# yunet-960x544: the catalogue has none"
    assert answer.startswith("answer = [0.2234")


def test_without_the_files_it_says_how_to_make_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parser(), ["models", "answers", "--models", str(tmp_path), "--catalogue", str(CATALOGUE)]) == 2
    assert "run 'make models'" in capsys.readouterr().err
