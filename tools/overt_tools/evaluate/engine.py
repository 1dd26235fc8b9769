"""One model set at work on stills: the subject's face, its template as a unit or an office makes it, its quality."""

import ast
import hashlib
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

import overt.recognition
from overt.recognition import catalogue as cat
from overt.recognition.align import align
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import Detections
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.enrol import enrol, find_faces, frame_from_rgb, listed_template
from overt.recognition.errors import BadFrame, BadPoints, EnrolmentRefused, RecognitionError
from overt.recognition.frame import Frame
from overt.recognition.quality import Quality, assess

from .errors import CannotMeasureError
from .measured import Found, Measured, Pose

_NOT_IN_A_STILLS_WAY = (
    "__init__",
    "advice",
    "attention",
    "catalogue",
    "errors",
    "match",
    "passage",
    "pipeline",
    "still",
    "survey",
    "track",
    "windows",
)
_WARM_UP = 3


class ModelFiles(msgspec.Struct, frozen=True):
    """A model set and where its files are.

    Attributes:
        name: Of the set, in the catalogue.
        digest: What an order names.
        preprocessing: Revision of the code between camera and embedder.
        detector: Path of the detector's file.
        detector_sha256: Of that file.
        embedder: Path of the embedder's file.
    """

    name: str
    digest: str
    preprocessing: int
    detector: str
    detector_sha256: str
    embedder: str


def find_models(folder: Path, name: str | None = None) -> ModelFiles:
    """Look a model set up among the built models and check its files.

    Args:
        folder: Of the built models, with their catalogue.
        name: Of the set; None: the default.

    Raises:
        CannotMeasureError: They are missing or changed, or there is no such set.
    """
    try:
        chosen = cat.parse((folder / cat.FILE_NAME).read_bytes()).find_set(name)
        for artefact in (chosen.detector, chosen.embedder):
            artefact.check((folder / artefact.file).read_bytes())
    except OSError as error:
        raise CannotMeasureError(
            f"expected built models in {folder}, could not read {error.filename}: {error.strerror}; "
            "build the models first (overt-tools models build)"
        ) from error
    except RecognitionError as error:
        raise CannotMeasureError(str(error)) from error
    detector, embedder = (str(folder / artefact.file) for artefact in (chosen.detector, chosen.embedder))
    return ModelFiles(chosen.name, chosen.digest, chosen.preprocessing, detector, chosen.detector.sha256, embedder)


def code_revision() -> str:
    """Return a digest of what is done to a still in code: of `overt.recognition` without its comments and docstrings.

    Templates that were kept are made anew when any of it changes, also when nobody thought of raising
    `catalogue.PREPROCESSING`.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(overt.recognition.__path__[0]).glob("*.py")):
        if path.stem in _NOT_IN_A_STILLS_WAY:
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined] # as it has one
        digest.update(f"{path.name}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()


def _is_text(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


class Engine:
    """Detector and embedder of one model set."""

    def __init__(self, models: ModelFiles) -> None:
        """Load them.

        Raises:
            CannotMeasureError: They are not what the engine expects.
        """
        try:
            with _quiet():
                self.detector = LiteRtDetector(models.detector)
                self.embedder = LiteRtEmbedder(models.embedder)
        except RecognitionError as error:
            raise CannotMeasureError(str(error)) from error

    def find(self, rgb: Bytes) -> Found:
        """Find the subject of a still: the face nearest to its middle, weighted by size.

        Args:
            rgb: (H, W, 3) uint8, RGB.
        """
        try:
            frame, found = find_faces(rgb, self.detector)
        except BadFrame as error:
            return Found(problem=str(error))
        if not len(found):
            return Found()
        return self.describe(frame, found, subject_index(found, (frame.width, frame.height)))

    def describe(self, frame: Frame, found: Detections, index: int) -> Found:
        """Put one of the faces of a frame into plain numbers, its quality too."""
        box, points = found.boxes[index], found.points[index]
        try:
            quality = assess(frame, box, points, align(frame, points))
        except BadPoints as error:
            return Found(faces=len(found), problem=str(error))
        return Found(
            faces=len(found),
            score=float(found.scores[index]),
            box=tuple(box.tolist()),
            points=tuple(points.ravel().tolist()),
            pose=_pose(quality),
        )

    def probe(self, rgb: Bytes, found: Found) -> Measured:
        """Make the template of a face as a unit does of a face in the stream: align, embed.

        Args:
            rgb: The still that it was found in.
            found: The face.
        """
        if found.pose is None:
            return Measured()
        frame = frame_from_rgb(rgb, self.detector.size)
        return Measured(template=self.template(frame, found.corners()).tobytes())

    def template(self, frame: Frame, points: Floats) -> Floats:
        """Align and embed one face of a frame.

        Args:
            frame: The picture.
            points: (5, 2) float32, full-view pixels.

        Returns:
            (embedder.dimension,) float32, length 1.
        """
        out = np.zeros((1, self.embedder.dimension), np.float32)
        self.embedder.embed(align(frame, points)[None], out)
        return np.asarray(out[0])

    def listed(self, rgb: Bytes, found: Found) -> Measured:
        """Make the template of a listed person as an office does, and say whether the office would refuse the still."""
        if found.pose is None:
            return Measured()
        frame = frame_from_rgb(rgb, self.detector.size)
        template = listed_template(frame, found.corners(), self.embedder)
        try:
            enrol(rgb, self.detector, self.embedder)
        except EnrolmentRefused as refused:
            return Measured(template=template.tobytes(), refused=refused.reason.value)
        return Measured(template=template.tobytes())

    def ms_per_face(self, stills: Sequence[tuple[Bytes, Found]]) -> float | None:
        """Time align and embed on faces that were found before: CPU time, to which others on the machine do not add.

        Returns:
            The median in milliseconds; None without a face.
        """
        faces = [
            (frame_from_rgb(rgb, self.detector.size), found.corners())
            for rgb, found in stills
            if found.pose is not None
        ]
        if not faces:
            return None
        for frame, points in faces[:_WARM_UP]:
            self.template(frame, points)
        times = []
        for frame, points in faces:
            began = time.process_time()
            self.template(frame, points)
            times.append(time.process_time() - began)
        return statistics.median(times) * 1000


def subject_index(found: Detections, size: tuple[int, int]) -> int:
    """Return which face is the subject's: the greatest area less twice the squared distance from the middle.

    The choice that the evaluation of FaceNet on LFW made the custom (Schroff et al., 2015; its open implementation).

    Args:
        found: At least one face.
        size: Width and height of the picture in pixels.
    """
    centre = found.boxes[:, :2] + found.boxes[:, 2:] / 2
    away = ((centre - np.array(size, np.float32) / 2) ** 2).sum(axis=1)
    return int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3] - 2 * away))


def _pose(quality: Quality) -> Pose:
    light = quality.light
    return Pose(
        eyes=quality.inter_eye_px,
        yaw=quality.yaw,
        pitch=quality.pitch,
        roll=quality.roll,
        clipped=quality.clipped,
        sharpness=quality.sharpness,
        mean=light.mean if light else None,
        spread=light.spread if light else None,
        dark=light.dark if light else None,
        bright=light.bright if light else None,
        score=quality.score,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the engine's greeting, which it writes past Python, out of the way of a progress line."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
