import hashlib
from pathlib import Path

import pytest

from overt.recognition.catalogue import MAX_BYTES, PREPROCESSING, BadCatalogue, parse, set_digest
from overt.recognition.errors import BadModel

SHIPPED = Path(__file__).parent.parent.parent / "models" / "catalogue.toml"
MODEL = b"a model file"
GOOD = f"""
format = 1

[[source]]
name = "zoo"
ecosystem = "python"
package = "zoo"
version = "1.0"
archive = "zoo-1.0.whl"
sha256 = "{"1" * 64}"
licence = "MIT"
licence_source = "LICENSE"
members = [{{ path = "zoo/find.onnx", sha256 = "{"2" * 64}" }}, {{ path = "zoo/tell.onnx", sha256 = "{"3" * 64}" }}]

[[artefact]]
name = "finder"
file = "finder.tflite"
role = "detector"
source = "zoo"
member = "zoo/find.onnx"
licence = "MIT"
licence_source = "LICENSE"
input = {{ shape = [1, 32, 64, 3], dtype = "float32", colour = "BGR", range = [0, 255] }}
outputs = [{{ name = "cls_8", shape = [1, 32, 1] }}]
sha256 = "{hashlib.sha256(MODEL).hexdigest()}"
notes = "none"

[[artefact]]
name = "teller"
file = "teller.tflite"
role = "embedder"
source = "zoo"
member = "zoo/tell.onnx"
licence = "MIT"
licence_source = "LICENSE"
input = {{ shape = [1, 112, 112, 3], dtype = "float32", colour = "RGB", range = [0, 255] }}
outputs = [{{ name = "template", shape = [1, 128] }}]
sha256 = "{"5" * 64}"
notes = "none"

[[model_set]]
name = "standard"
detector = "finder"
embedder = "teller"
preprocessing = {PREPROCESSING}
"""


def test_the_digest_of_a_set_covers_both_files_and_the_preprocessing() -> None:
    found = parse(GOOD.encode()).find_set()
    text = f"detector {found.detector.sha256} {PREPROCESSING}\nembedder {found.embedder.sha256} {PREPROCESSING}\n"
    assert found.digest == hashlib.sha256(text.encode()).hexdigest()
    both = {"detector": "b" * 64, "embedder": "b" * 64}
    others = {set_digest(both | changed, 1) for changed in ({}, {"embedder": "c" * 64}, {"detector": "c" * 64})}
    others |= {set_digest(both, 2), set_digest(both | {"window-detector": "b" * 64}, 1)}
    assert len(others) == 5


def test_a_set_with_a_detector_for_windows_has_a_digest_of_its_own_and_needs_all_three_files() -> None:
    plain = parse(GOOD.encode()).find_set()
    with_windows = parse(
        GOOD.replace('detector = "finder"\n', 'detector = "finder"\nwindow_detector = "finder"\n').encode()
    )
    found = with_windows.find_set()
    assert found.digest != plain.digest
    assert [part.name for part in found.artefacts] == ["finder", "finder", "teller"]
    assert [part.name for part in plain.artefacts] == ["finder", "teller"]
    with pytest.raises(BadCatalogue, match="expected a detector in model set standard, found teller"):
        parse(GOOD.replace('detector = "finder"\n', 'detector = "finder"\nwindow_detector = "teller"\n').encode())


def test_a_set_is_found_by_the_digest_that_an_order_names() -> None:
    catalogue = parse(GOOD.encode())
    assert catalogue.find_set_by_digest(catalogue.find_set().digest) == catalogue.find_set("standard")
    assert catalogue.find_set_by_digest("0" * 64) is None


def test_a_set_made_for_other_preprocessing_is_refused_when_it_is_asked_for() -> None:
    catalogue = parse(GOOD.replace(f"preprocessing = {PREPROCESSING}", "preprocessing = 999").encode())
    with pytest.raises(BadCatalogue, match=f"expected preprocessing revision {PREPROCESSING}.*found 999"):
        catalogue.find_set()
    assert catalogue.find_set_by_digest(set_digest({"detector": "5" * 64, "embedder": "5" * 64}, 999)) is None


def test_a_file_is_its_artefact_or_is_refused_with_both_digests() -> None:
    finder = parse(GOOD.encode()).find_artefact("finder")
    finder.check(MODEL)
    with pytest.raises(BadModel) as refusal:
        finder.check(b"changed")
    assert finder.sha256 in str(refusal.value)
    assert hashlib.sha256(b"changed").hexdigest() in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('notes = "none"', 'notes = "none"\nscore = 1', "unknown field `score`"),
        ("format = 1", "format = 1\nextra = 1", "unknown field `extra`"),
        ("format = 1", "format = 2", "enum value 2"),
        ("format = 1", "", "missing required field `format`"),
        ("[[model_set]]", "[[other_set]]", "unknown field `other_set`"),
        ("1" * 64, "1" * 63, "sha256"),
        ("1" * 64, "G" * 64, "sha256"),
        ('file = "finder.tflite"', 'file = "../finder.tflite"', "file"),
        ('file = "finder.tflite"', 'file = "teller.tflite"', "every file once"),
        ('file = "finder.tflite"', 'file = "catalogue.toml"', "catalogue.toml"),
        ('path = "zoo/find.onnx"', 'path = "zoo/../../find.onnx"', "path"),
        ('path = "zoo/find.onnx"', 'path = "/zoo/find.onnx"', "path"),
        ('package = "zoo"', 'package = "--index-url=x"', "package"),
        ('ecosystem = "python"', 'ecosystem = "shell"', "ecosystem"),
        ('name = "teller"', 'name = "finder"', "every artefact once"),
        ('source = "zoo"', 'source = "ark"', "expected source 'ark', found zoo"),
        ('member = "zoo/find.onnx"', 'member = "zoo/none.onnx"', "expected member of zoo 'zoo/none.onnx'"),
        ('detector = "finder"', 'detector = "teller"', "expected a detector in model set standard"),
        ('embedder = "teller"', 'embedder = "nobody"', "expected artefact 'nobody'"),
        ("format = 1", "format = ", "TOML"),
    ],
)
def test_a_catalogue_of_another_form_is_refused_and_says_where(old: str, new: str, why: str) -> None:
    assert old in GOOD
    with pytest.raises(BadCatalogue, match=why):
        parse(GOOD.replace(old, new).encode())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"#" * (MAX_BYTES + 1)])
def test_bytes_that_are_no_catalogue_are_refused(data: bytes) -> None:
    with pytest.raises(BadCatalogue):
        parse(data)


def test_names_that_are_not_there_are_refused_with_those_that_are() -> None:
    catalogue = parse(GOOD.encode())
    with pytest.raises(BadCatalogue, match="found standard"):
        catalogue.find_set("fast")
    with pytest.raises(BadCatalogue, match="found zoo"):
        catalogue.find_source("ark")


def test_the_shipped_catalogue_is_read_and_its_first_set_is_the_default() -> None:
    catalogue = parse(SHIPPED.read_bytes())
    assert catalogue.find_set() == catalogue.find_set(catalogue.model_set[0].name)
    assert {a.role for a in catalogue.artefact} == {"detector", "embedder"}
    for artefact in catalogue.artefact:
        assert artefact.file.endswith(".tflite")
