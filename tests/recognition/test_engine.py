"""The LiteRT engines on the real models: right numbers, wrong files refused, nothing left in memory."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.recognition.align import align
from overt.recognition.attention import EVERY_PICTURE
from overt.recognition.detect import decode
from overt.recognition.engine import DIMENSION, LiteRtDetector, LiteRtEmbedder
from overt.recognition.errors import BadModel
from overt.recognition.match import Gallery
from overt.recognition.pipeline import Recogniser

from .synthetic import PICTURE_NS, SimulatedDetector, picture, template_of, texture

MODELS = Path(os.environ.get("OVERT_MODELS", Path(__file__).parents[2] / "build" / "models"))
DETECTOR = MODELS / "yunet-640x352.tflite"
EMBEDDER = MODELS / "edgeface-s.tflite"

pytestmark = pytest.mark.skipif(
    not (DETECTOR.is_file() and EMBEDDER.is_file()),
    reason=f"the models are not in {MODELS}: make them with `overt-tools models build`, or set OVERT_MODELS",
)


@pytest.fixture(scope="module")
def detector() -> LiteRtDetector:
    return LiteRtDetector(str(DETECTOR))


@pytest.fixture(scope="module")
def embedder() -> LiteRtEmbedder:
    return LiteRtEmbedder(str(EMBEDDER))


def test_the_detector_says_its_size_and_sees_nobody_in_an_empty_picture(detector: LiteRtDetector) -> None:
    assert detector.size == (640, 352)
    outputs = detector.detect(np.full((352, 640, 3), 100, np.uint8))
    assert {name: output.size for name, output in outputs.items() if name.startswith("kps")} == {
        "kps_8": 80 * 44 * 10,
        "kps_16": 40 * 22 * 10,
        "kps_32": 20 * 11 * 10,
    }
    assert len(decode(outputs, detector.size, 3.0)) == 0


def test_a_picture_of_another_size_is_refused(detector: LiteRtDetector) -> None:
    with pytest.raises(BadModel, match=r"\(352, 640, 3\)"):
        detector.detect(np.zeros((640, 352, 3), np.uint8))


def test_templates_have_length_one_and_depend_on_the_face_alone(embedder: LiteRtEmbedder) -> None:
    faces = np.stack([texture(1), texture(2), texture(1)])
    out = np.full((3, DIMENSION), 7, np.float32)
    embedder.embed(faces, out)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(out[0], out[2])
    assert float(out[0] @ out[1]) < 0.99


def test_nothing_to_embed_is_fine_and_wrong_shapes_are_refused(embedder: LiteRtEmbedder) -> None:
    embedder.embed(np.zeros((0, 112, 112, 3), np.uint8), np.zeros((0, DIMENSION), np.float32))
    with pytest.raises(BadModel, match="expected faces"):
        embedder.embed(np.zeros((1, 96, 112, 3), np.uint8), np.zeros((1, DIMENSION), np.float32))
    with pytest.raises(BadModel, match="expected faces"):
        embedder.embed(np.zeros((2, 112, 112, 3), np.uint8), np.zeros((1, DIMENSION), np.float32))


def test_the_engine_keeps_neither_face_nor_template_at_its_doors(embedder: LiteRtEmbedder) -> None:
    embedder.embed(texture(1)[None], np.zeros((1, DIMENSION), np.float32))
    network = embedder._network
    assert not network._input().any()
    assert not any(view().any() for view in network._views.values())


def test_a_model_is_read_through_a_descriptor() -> None:
    descriptor = os.open(EMBEDDER, os.O_RDONLY)
    try:
        engine = LiteRtEmbedder(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    out = np.zeros((1, DIMENSION), np.float32)
    engine.embed(texture(1)[None], out)
    assert out.any()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    whole = EMBEDDER.read_bytes()
    wrong = {"empty": b"", "text": b"hello" * 100, "cut": whole[:1000]}
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadModel, match="overt-tools models build"):
            LiteRtEmbedder(str(tmp_path / name))
    with pytest.raises(BadModel, match="expected a LiteRT model in"):
        LiteRtDetector(str(tmp_path / "missing"))


def test_the_wrong_model_is_refused() -> None:
    with pytest.raises(BadModel, match=r"expected input \[1, 112, 112, 3\].*found \[1, 352, 640, 3\]"):
        LiteRtEmbedder(str(DETECTOR))
    with pytest.raises(BadModel, match="expected input"):
        LiteRtDetector(str(EMBEDDER))


def regions(own: np.ndarray) -> Iterator[tuple[int, int]]:
    """This process's writable memory, but for one array of its own."""
    first = own.ctypes.data
    last = first + own.nbytes
    with Path("/proc/self/maps").open() as maps:
        for line in list(maps):
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found and not line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                start, end = int(found[1], 16), int(found[2], 16)
                yield start, max(start, min(end, first))
                yield min(end, max(start, last)), end


def times_in_memory(inverted_needle: bytes) -> int:
    """Search memory, every bit inverted in a place that is not searched itself, so that no search leaves anything."""
    buffer, times = np.zeros(1 << 22, np.uint8), 0
    wanted = re.compile(re.escape(inverted_needle))
    with Path("/proc/self/mem").open("rb", buffering=0) as content:
        for start, end in regions(buffer):
            position = start
            while position < end:
                content.seek(position)
                part = buffer[: end - position]
                try:
                    size = content.readinto(part.data)
                except OSError:
                    break
                np.invert(part, out=part)
                times += len(wanted.findall(part[:size].data))
                position += size
    buffer[:] = 0
    return times


ELSEWHERE = """
import sys, numpy as np
from overt.recognition.engine import LiteRtEmbedder
face = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(1, 112, 112, 3)
engine, out = LiteRtEmbedder(sys.argv[1]), np.zeros((1, 128), np.float32)
engine._network.run(face[0])
(name,) = engine._network.outputs
raw = engine._network.read(name)
engine.embed(face, out)
for array in (raw, out):
    sys.stdout.buffer.write(np.invert(array.view(np.uint8)).tobytes())
"""


class Spy(LiteRtEmbedder):
    """Counts, while the templates still exist, whether the search for them would find them."""

    needle = b""
    found = 0

    def embed(self, faces: np.ndarray, out: np.ndarray) -> None:
        super().embed(faces, out)
        self.found += times_in_memory(self.needle)


def test_after_a_picture_the_template_is_nowhere_in_memory() -> None:
    """Another process makes the same template, hands over its bytes inverted, and they are looked for."""
    gallery = Gallery(template_of(1)[None], np.zeros(1, np.int32))
    box = (200, 100, 112, 112)
    people = {9: box}
    engine = Spy(str(EMBEDDER))
    simulated = SimulatedDetector()
    recogniser = Recogniser(simulated, engine, gallery, 0.9, pace=EVERY_PICTURE)
    simulated.show([box])

    face = align(picture(people), simulated.faces.points[0]).tobytes()
    other = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(EMBEDDER)], input=face, capture_output=True, check=True
    ).stdout
    raw, template = other[:64], other[512 : 512 + 64]  # sixteen numbers of each are enough to know them by
    engine.needle = template
    for number in range(4):
        recogniser.process(picture(people, number, number * PICTURE_NS))
    assert recogniser.counters.templates_made == 1
    assert engine.found >= 1
    assert times_in_memory(template) == 0
    assert times_in_memory(raw) == 0
