"""A labelled set of stills: <subject>/<image>.jpg below one folder."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import EvaluateError
from .pictures import SUFFIXES


@dataclass(frozen=True, slots=True)
class StillSet:
    """What is in the folder.

    Attributes:
        folder: The folder.
        sha256: Digest of each image file, by its path below the folder ("subject/image.jpg"), in order of the paths.
    """

    folder: Path
    sha256: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted lines "path sha256", each ending with a line feed."""
        lines = "".join(f"{image} {self.sha256[image]}\n" for image in sorted(self.sha256))
        return hashlib.sha256(lines.encode()).hexdigest()

    def by_subject(self) -> dict[str, tuple[str, ...]]:
        """Return the images of each subject, both in order of their names."""
        subjects: dict[str, list[str]] = {}
        for image in sorted(self.sha256):
            subjects.setdefault(subject_of(image), []).append(image)
        return {subject: tuple(images) for subject, images in sorted(subjects.items())}


def subject_of(image: str) -> str:
    """Return whose image it is: the folder that it lies in."""
    return image.rpartition("/")[0]


def read_set(folder: Path, limit: int | None = None) -> StillSet:
    """Find and digest the images of a set.

    Args:
        folder: Holds one folder per subject.
        limit: Take only the first so many subjects, for a quick look; None: all.

    Raises:
        EvaluateError: No such folder, no subject with an image, or a file that cannot be read.
    """
    if not folder.is_dir():
        raise EvaluateError(f"expected a folder of <subject>/<image>.jpg, found no folder {folder}")
    subjects = sorted(path for path in folder.iterdir() if path.is_dir())[:limit]
    images = sorted(
        path
        for subject in subjects
        for path in subject.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not images:
        loose = sum(path.suffix.lower() in SUFFIXES for path in folder.iterdir())
        found = f"{loose} images that lie in no subject's folder" if loose else f"no image in {len(subjects)} folders"
        raise EvaluateError(f"expected images as <subject>/<image>.jpg below {folder}, found {found}")
    return StillSet(folder, _digests(folder, images))


def _digests(folder: Path, images: Iterable[Path]) -> dict[str, str]:
    digests = {}
    for path in images:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EvaluateError(f"expected to read {path}, could not: {error.strerror}") from error
        digests[path.relative_to(folder).as_posix()] = digest
    return digests
