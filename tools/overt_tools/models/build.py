"""From pinned packages to the model files that a unit runs, each of them pinned too."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from overt.recognition import catalogue as cat
from overt.runtime.files import write_atomically
from overt_tools.fetch import fetch

from .errors import ModelsError, WrongArtefact

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A converted artefact, not yet trusted.

    Attributes:
        artefact: what the catalogue says of it.
        content: the file.
        sha256: of the file.
    """

    artefact: cat.Artefact
    content: bytes
    sha256: str


def load_catalogue(path: Path) -> tuple[cat.Catalogue, bytes]:
    """Read a catalogue file.

    Returns:
        The catalogue, and its bytes.

    Raises:
        ModelsError: it cannot be read.
        BadCatalogue: it is not of the expected form.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelsError(f"expected a catalogue in {path}, could not read it: {error.strerror}") from error
    return cat.parse(data), data


def is_up_to_date(catalogue: cat.Catalogue, data: bytes, out: Path) -> bool:
    """Whether a folder holds every artefact and this catalogue already."""
    try:
        if (out / cat.FILE_NAME).read_bytes() != data:
            return False
        for artefact in catalogue.artefact:
            with (out / artefact.file).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != artefact.sha256:
                    return False
    except OSError:
        return False
    return True


def convert_all(catalogue_path: Path, cache: Path, report: Report = lambda _: None) -> list[Built]:
    """Fetch what the artefacts of a catalogue are made from, and convert it.

    Raises:
        ModelsError: the catalogue cannot be read.
        BadCatalogue: the catalogue is not of the expected form.
        FetchError: a source cannot be had.
        CannotConvert: a source is not what the converter knows.
    """
    from .convert import convert  # noqa: PLC0415 - loads the file format's schema, which an up-to-date build never needs

    catalogue, _ = load_catalogue(catalogue_path)
    built = []
    for source in catalogue.source:
        artefacts = [artefact for artefact in catalogue.artefact if artefact.source == source.name]
        files = fetch(source, cache, report).files if artefacts else {}
        for artefact in artefacts:
            report(f"converting {artefact.name}")
            content = convert(files[artefact.member].read_bytes(), artefact)
            built.append(Built(artefact, content, hashlib.sha256(content).hexdigest()))
    return built


def build(catalogue_path: Path, out: Path, cache: Path, report: Report = lambda _: None) -> bool:
    """Make every artefact and put it, with the catalogue, into a folder.

    Nothing is written before every artefact has the digest that the catalogue names; the catalogue goes last.

    Returns:
        Whether anything had to be done.

    Raises:
        FetchError: a source cannot be had.
        BadCatalogue: the catalogue is not of the expected form.
        WrongArtefact: a built file is not the pinned one.
        ModelsError: otherwise.
    """
    catalogue, data = load_catalogue(catalogue_path)
    if is_up_to_date(catalogue, data, out):
        return False
    built = convert_all(catalogue_path, cache, report)
    for one in built:
        if one.sha256 != one.artefact.sha256:
            raise WrongArtefact(
                f"expected {one.artefact.file} with sha256 {one.artefact.sha256}, built one with {one.sha256}: nothing "
                "was written. If the converter was changed on purpose, see 'overt-tools models build --print-digests'"
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for one in built:
            write_atomically(out / one.artefact.file, one.content, mode=0o644)
        write_atomically(out / cat.FILE_NAME, data, mode=0o644)
    except OSError as error:
        raise ModelsError(
            f"cannot write the models to {out}: {error.strerror}; free some space or choose another --out"
        ) from error
    return True
