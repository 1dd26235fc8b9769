"""Building from a small package made on the spot, and, where the real one is at hand, from that."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from overt.recognition import catalogue as cat
from overt.runtime.cli import run
from overt_tools.cli import parser
from overt_tools.fetch import fetch
from overt_tools.models.build import build, convert_all, load_catalogue
from overt_tools.models.errors import ModelsError, WrongArtefact
from overt_tools.models.reference import Reference
from overt_tools.models.verify import LIMIT, compare, verify
from tests.tools.wheels import make_wheel

ROOT = Path(__file__).parent.parent.parent
SIZE = 32
UNKNOWN = "0" * 64


def little_model(seed: int) -> bytes:
    """One convolution with output "template"."""
    weights = np.random.default_rng(seed).normal(size=(2, 3, 3, 3)).astype(np.float32) / 255
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["template"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def artefact_text(role: str, digest: str) -> str:
    return f"""
[[artefact]]
name = "{role}"
file = "{role}.tflite"
role = "{role}"
source = "zoo"
member = "zoo/{role}.onnx"
licence = "MIT"
licence_source = "LICENSE"
input = {{ shape = [1, {SIZE}, {SIZE}, 3], dtype = "float32", colour = "RGB", range = [0, 255] }}
outputs = [{{ name = "template", shape = [1, {SIZE}, {SIZE}, 2] }}]
sha256 = "{digest}"
notes = "none"
"""


class Zoo:
    """A package with two small models."""

    def __init__(self, folder: Path) -> None:
        self.content = {"zoo/detector.onnx": little_model(1), "zoo/embedder.onnx": little_model(2)}
        self.wheel = make_wheel(folder, "zoo", self.content)


class Workshop:
    """A catalogue of that package, which is in the cache already."""

    def __init__(self, folder: Path, zoo: Zoo) -> None:
        self.catalogue, self.out, self.cache = folder / "catalogue.toml", folder / "out", folder / "cache"
        self.zoo = zoo
        (self.cache / "zoo-1.0.0" / "zoo").mkdir(parents=True)
        for path, model in zoo.content.items():
            (self.cache / "zoo-1.0.0" / path).write_bytes(model)

    def pin(self, detector: str = UNKNOWN, embedder: str = UNKNOWN) -> None:
        """Write the catalogue with these digests of the built files."""
        members = ", ".join(f'{{ path = "{p}", sha256 = "{sha256(m)}" }}' for p, m in self.zoo.content.items())
        self.catalogue.write_text(
            f'format = 1\n[[source]]\nname = "zoo"\necosystem = "python"\npackage = "zoo"\nversion = "1.0.0"\n'
            f'archive = "{self.zoo.wheel.name}"\nsha256 = "{sha256(self.zoo.wheel.read_bytes())}"\nlicence = "MIT"\n'
            f'licence_source = "LICENSE"\nmembers = [{members}]\n'
            + artefact_text("detector", detector)
            + artefact_text("embedder", embedder)
            + f'[[model_set]]\nname = "s"\ndetector = "detector"\nembedder = "embedder"\n'
            f"preprocessing = {cat.PREPROCESSING}\n"
        )

    def pin_what_is_built(self) -> None:
        self.pin()
        built = convert_all(self.catalogue, self.cache)
        self.pin(**{one.artefact.role: one.sha256 for one in built})

    def build(self) -> bool:
        return build(self.catalogue, self.out, self.cache)

    def command(self, *arguments: str) -> int:
        places = ["--catalogue", str(self.catalogue)]
        if arguments[0] == "build":
            places += ["--out", str(self.out), "--cache", str(self.cache)]
        return run(parser(), ["models", *arguments, *places])


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, Zoo(tmp_path))


def test_what_is_not_in_the_cache_is_fetched_first(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.pin_what_is_built()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(workshop.zoo.wheel.parent))
    shutil.rmtree(workshop.cache)
    assert workshop.build()


def test_built_files_and_the_catalogue_come_together_and_a_second_run_only_checks(workshop: Workshop) -> None:
    workshop.pin_what_is_built()
    assert workshop.build()
    assert {path.name for path in workshop.out.iterdir()} == {"catalogue.toml", "detector.tflite", "embedder.tflite"}
    catalogue = cat.parse((workshop.out / "catalogue.toml").read_bytes())
    for artefact in catalogue.artefact:
        artefact.check((workshop.out / artefact.file).read_bytes())
    assert not workshop.build()


def test_a_damaged_or_missing_file_is_built_again(workshop: Workshop) -> None:
    workshop.pin_what_is_built()
    workshop.build()
    good = (workshop.out / "detector.tflite").read_bytes()
    (workshop.out / "detector.tflite").write_bytes(good[:-1])
    assert workshop.build()
    (workshop.out / "embedder.tflite").unlink()
    assert workshop.build()
    assert (workshop.out / "detector.tflite").read_bytes() == good
    assert not workshop.build()


def test_one_built_file_with_another_digest_stops_everything_and_nothing_is_written(workshop: Workshop) -> None:
    workshop.pin_what_is_built()
    catalogue, _ = load_catalogue(workshop.catalogue)
    built = catalogue.find_artefact("detector").sha256
    workshop.pin(detector=built, embedder=UNKNOWN)
    with pytest.raises(WrongArtefact) as refusal:
        workshop.build()
    assert UNKNOWN in str(refusal.value)
    assert catalogue.find_artefact("embedder").sha256 in str(refusal.value)
    assert not workshop.out.exists()


def test_a_mismatch_leaves_what_stood_there_before(workshop: Workshop) -> None:
    workshop.pin_what_is_built()
    workshop.build()
    before = {path.name: path.read_bytes() for path in workshop.out.iterdir()}
    workshop.pin()
    with pytest.raises(WrongArtefact):
        workshop.build()
    assert {path.name: path.read_bytes() for path in workshop.out.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_said_to_be(workshop: Workshop) -> None:
    workshop.pin_what_is_built()
    workshop.out.write_text("a file where the folder should be")
    with pytest.raises(ModelsError, match="choose another --out"):
        workshop.build()


def test_digests_are_printed_for_whoever_pins_and_nothing_is_accepted(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.pin()
    pinned = workshop.catalogue.read_bytes()
    assert workshop.command("build", "--print-digests", "--json") == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["differing"] == ["detector", "embedder"]
    assert workshop.catalogue.read_bytes() == pinned
    assert not workshop.out.exists()
    workshop.pin(**{name: row["built"] for name, row in printed["artefacts"].items()})
    assert workshop.command("build", "--print-digests") == 0
    assert workshop.command("build", "--json") == 0


def test_the_command_line_says_in_one_line_what_is_wrong(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.pin()
    assert workshop.command("build") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("overt-tools: expected detector.tflite with sha256 000")
    workshop.catalogue.write_text("format = 3")
    assert workshop.command("show") == 2
    assert "the catalogue is not of the expected form" in capsys.readouterr().err
    workshop.catalogue.unlink()
    assert workshop.command("show") == 2
    assert "could not read it" in capsys.readouterr().err


def test_a_converted_model_is_compared_with_its_original_and_not_with_another(workshop: Workshop) -> None:
    workshop.pin()
    one, other = convert_all(workshop.catalogue, workshop.cache)
    picture = np.full((SIZE, SIZE, 3), 77, np.uint8)
    reference = Reference(workshop.zoo.content["zoo/detector.onnx"], SIZE, SIZE)
    right = compare(one.artefact, one.content, reference, [picture])
    assert (right.inputs, right.real, right.within) == (3, 1, True)
    wrong = compare(other.artefact, other.content, reference, [picture])
    assert not wrong.within
    assert wrong.absolute > LIMIT


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[cat.Catalogue, Path, Path]:
    """The shipped catalogue's models, built anew from what the cache of this repository holds."""
    cache = ROOT / "build" / "cache"
    catalogue, _ = load_catalogue(ROOT / "models" / "catalogue.toml")
    for source in catalogue.source:
        folder = cache / f"{source.package}-{source.version}"
        if not all((folder / member.path).is_file() for member in source.members):
            pytest.skip(f"{source.package} is not in build/cache: run 'overt-tools models verify' once, with a network")
    out = tmp_path_factory.mktemp("models")
    build(ROOT / "models" / "catalogue.toml", out, cache)
    return catalogue, out, cache


def test_the_real_models_come_out_as_pinned_and_compute_what_their_originals_do(
    real: tuple[cat.Catalogue, Path, Path],
) -> None:
    differences = verify(*real)
    assert [d.artefact for d in differences] == [a.name for a in real[0].artefact]
    for difference in differences:
        assert difference.within, difference
        assert difference.real >= 5, "faces of the footage were found and compared"


def test_the_real_models_run_wholly_inside_the_fast_engine(real: tuple[cat.Catalogue, Path, Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    catalogue, out, _ = real
    for artefact in catalogue.artefact:
        interpreter = Interpreter(model_path=str(out / artefact.file), num_threads=1)
        interpreter.allocate_tensors()
        delegates = [o for o in interpreter._get_ops_details() if o["op_name"] == "DELEGATE"]  # the only way to see it
        promised = {output.name for output in artefact.outputs}
        made = {interpreter._get_tensor_details(i, 0)["name"] for d in delegates for i in d["outputs"]}
        assert len(delegates) == 1, "one part, so nothing in the middle is left out"
        assert made == promised, "nothing at the end is left out"


def test_a_changed_model_file_is_refused_before_it_is_compared(
    real: tuple[cat.Catalogue, Path, Path], tmp_path: Path
) -> None:
    catalogue, out, cache = real
    for artefact in catalogue.artefact:
        (tmp_path / artefact.file).write_bytes((out / artefact.file).read_bytes())
    first = catalogue.artefact[0]
    (tmp_path / first.file).write_bytes((out / first.file).read_bytes() + b"\0")
    with pytest.raises(cat.BadModel, match=first.sha256):
        verify(catalogue, tmp_path, cache)


def test_fetching_the_real_sources_again_changes_nothing(real: tuple[cat.Catalogue, Path, Path]) -> None:
    catalogue, _, cache = real
    said: list[str] = []
    for source in catalogue.source:
        fetch(source, cache, said.append)
    assert said == []
