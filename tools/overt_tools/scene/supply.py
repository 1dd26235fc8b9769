"""What a scene is made from, as the catalogue of models and footage names it: recordings and face detector."""

from collections.abc import Callable
from pathlib import Path

from overt.recognition import catalogue as cat
from overt.recognition.errors import RecognitionError
from overt_tools.fetch import FetchError, fetch

from .build import Studio
from .clips import CLIPS
from .errors import SceneError
from .finder import detector_finder

# The catalogue's names of the package with the recordings, and of the detector: the smaller one is plenty for a
# recording of a few hundred pixels with one large face.
FOOTAGE, DETECTOR = "footage", "yunet-640x352"


def supply(models: Path, cache: Path, clips: Path | None, report: Callable[[str], None]) -> Studio:
    """Make sure that recordings and detector are at hand.

    Args:
        models: the folder of built models, with its catalogue.
        cache: where downloads and found faces are kept.
        clips: a folder with the recordings; None to fetch them.
        report: told in a few words what is being fetched.

    Raises:
        SceneError: the models are not built, were changed, or a recording cannot be had.
    """
    try:
        catalogue = cat.parse((models / cat.FILE_NAME).read_bytes())
        detector = catalogue.find_artefact(DETECTOR)
        path = models / detector.file
        detector.check(path.read_bytes())
    except OSError as error:
        raise SceneError(
            f"expected built models in {models}, could not read {error.filename}: {error.strerror}; "
            "build the models first (overt-tools models build)"
        ) from error
    except RecognitionError as error:
        raise SceneError(f"{error}; build the models again (overt-tools models build)") from error
    folder = clips or _fetched(catalogue, cache, report)
    key = f"detector {detector.sha256}"
    return Studio(CLIPS, folder, lambda: detector_finder(path), key, cache / "scene")


def _fetched(catalogue: cat.Catalogue, cache: Path, report: Callable[[str], None]) -> Path:
    """The folder of the recordings, fetched if need be."""
    try:
        files = fetch(catalogue.find_source(FOOTAGE), cache, report).files
    except (FetchError, RecognitionError) as error:
        raise SceneError(f"the recordings cannot be had: {error}") from error
    folders = {path.parent for path in files.values() if path.name in {clip.file for clip in CLIPS}}
    if len(folders) != 1:
        raise SceneError(
            f"expected all recordings in one folder of the source {FOOTAGE!r}, found {len(folders)} folders"
        )
    return folders.pop()
