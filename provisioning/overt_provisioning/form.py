"""The order form: a commented TOML file that reads like the paper that officers fill in, and what it becomes."""

import hashlib
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from overt.protocol import documents as d
from overt.protocol import envelope
from overt.protocol.documents import Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Category, Kind, UseCase
from overt.recognition import catalogue
from overt.recognition.errors import RecognitionError
from overt_provisioning import wording

F = TypeVar("F", bound=msgspec.Struct)
_MAX_BYTES = 256 * 1024


class FormProblem(Exception):
    """The form cannot become a document. The message names each field that is wrong.

    Attributes:
        problems: The fields, one by one.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class PlaceForm(_Part, frozen=True, kw_only=True):
    """`[place]`: a point (latitude, longitude) or the corners of an area."""

    name: str
    latitude: float | None = None
    longitude: float | None = None
    corners: list[tuple[float, float]] | None = None


class WindowForm(_Part, frozen=True, kw_only=True):
    """`[window]`: start and end, or minutes from the moment of signing."""

    start: datetime | None = None
    end: datetime | None = None
    minutes: Annotated[int, Meta(ge=1, le=24 * 60)] | None = None


class RecognitionForm(_Part, frozen=True, kw_only=True):
    """`[recognition]`: the model set, by digest or by the catalogue that has it, the threshold, the evidence."""

    threshold: float
    model: str | None = None
    catalogue: str | None = None
    false_alert_ceiling: float = 0.001
    assurance: str | None = None


class WatchlistForm(_Part, frozen=True, kw_only=True):
    """`[watchlist]`: who may be on it and how many."""

    categories: list[Category]
    maximum_entries: int


class UnitForm(_Part, frozen=True, kw_only=True):
    """`[[unit]]`: by the identity file that the unit made, or by name and key."""

    identity: str | None = None
    name: str | None = None
    key: str | None = None


class RoomForm(_Part, frozen=True, kw_only=True):
    """`[[control_room]]`: its name and the age recipient that it published."""

    name: str
    recipient: str


class PaperForm(_Part, frozen=True, kw_only=True):
    """One of `[papers]`: the title, and the approved file or its digest."""

    title: str
    file: str | None = None
    digest: str | None = None


class PapersForm(_Part, frozen=True, kw_only=True):
    """`[papers]`: what the order stands on."""

    impact_assessment: PaperForm
    equality_assessment: PaperForm
    policy: PaperForm


class NoticeForm(_Part, frozen=True, kw_only=True):
    """`[notice]`: what the public is told."""

    text: str
    address: str


class RetentionForm(_Part, frozen=True, kw_only=True):
    """`[retention]`."""

    alerts_hours: int = 24
    adjudication_minutes: int = 5


class Form(_Part, frozen=True, kw_only=True):
    """The whole form."""

    operation: str
    use_case: UseCase
    purpose: str
    legal_basis: str
    necessity: str
    proportionality: str
    expectation: str
    operators: list[str]
    place: PlaceForm
    window: WindowForm
    recognition: RecognitionForm
    watchlist: WatchlistForm
    unit: list[UnitForm]
    control_room: list[RoomForm]
    papers: PapersForm
    notice: NoticeForm
    retention: RetentionForm = RetentionForm()


def read(path: Path) -> Form:
    """Read an order's form.

    Raises:
        FormProblem: Missing, not TOML, or a field is missing, unknown or of the wrong kind.
    """
    return load(path, Form)


def load(path: Path, type_: type[F]) -> F:
    """Read a form of any kind.

    Raises:
        FormProblem: Missing, not TOML, or a field is missing, unknown or of the wrong kind.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise FormProblem(f"expected a form of at most {_MAX_BYTES:,} bytes in {path}, found {len(data):,}")
        return msgspec.convert(tomllib.loads(data.decode()), type_)
    except RecursionError as error:
        raise FormProblem(f"expected a form in {path}, found one nested too deeply") from error
    except OSError as error:
        raise FormProblem(f"expected a form in {path}, cannot read it: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormProblem(f"expected TOML in {path}: {error}") from error
    except msgspec.ValidationError as error:
        raise FormProblem(f"{path}: {wording.worded(str(error))}") from error


def to_order(form: Form, force: str, folder: Path, now: datetime | None = None) -> Order:
    """Make the order that a form describes.

    Args:
        form: As read.
        force: The force's slug.
        folder: The form's folder: paths in the form are relative to it.
        now: The moment of signing.

    Raises:
        FormProblem: A file named in the form cannot be read, or a value is out of its bounds.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    parts: dict[str, Callable[[], Any]] = {
        "force": lambda: force,
        "operation": lambda: form.operation,
        "use_case": lambda: form.use_case,
        "purpose": form.purpose.strip,
        "legal_basis": form.legal_basis.strip,
        "necessity": form.necessity.strip,
        "proportionality": form.proportionality.strip,
        "place": lambda: _place(form.place),
        "expectation": form.expectation.strip,
        "issued": lambda: now,
        "window": lambda: _window(form.window, now),
        "units": lambda: [unit_of(unit, folder) for unit in form.unit],
        "model": lambda: find_model(form.recognition.catalogue, form.recognition.model, folder),
        "threshold": lambda: form.recognition.threshold,
        "categories": lambda: form.watchlist.categories,
        "watchlist_max_entries": lambda: form.watchlist.maximum_entries,
        "false_alert_ceiling": lambda: form.recognition.false_alert_ceiling,
        "impact_assessment": lambda: paper("papers.impact_assessment", form.papers.impact_assessment, folder),
        "equality_assessment": lambda: paper("papers.equality_assessment", form.papers.equality_assessment, folder),
        "policy": lambda: paper("papers.policy", form.papers.policy, folder),
        "notice": lambda: {"text": form.notice.text.strip(), "address": form.notice.address},
        "control_rooms": lambda: msgspec.to_builtins(form.control_room),
        "operators": lambda: form.operators,
        "retention": lambda: msgspec.to_builtins(form.retention),
        "assurance": lambda: _assurance(form.recognition, folder),
    }
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, part in parts.items():
        try:
            values[name] = msgspec.convert(part(), _ORDER_TYPES[name])
        except FormProblem as problem:
            problems.extend(problem.problems)
        except msgspec.ValidationError as error:
            problems.append(_problem(name, str(error)))
    if problems:
        raise FormProblem(*problems)
    return Order(**values)


_ORDER_TYPES = get_type_hints(Order, include_extras=True)
_OBLIGATIONS = {
    "use_case": "O2",
    "categories": "O2",
    "expectation": "O3",
    "retention": "O11",
    "operators": "O15-17",
    "threshold": "O18",
    "watchlist_max_entries": "O19",
    "false_alert_ceiling": "O19",
    "equality_assessment": "O20",
    "window": "O21-22",
    "notice": "O23",
    **dict.fromkeys(("legal_basis", "necessity", "proportionality", "impact_assessment", "policy"), "O25-27"),
}
"""The obligation that a field of the order answers to."""


def _problem(name: str, error: str) -> str:
    """Word a field that is out of its bounds; msgspec says what was expected and, after ` - at `, in which part."""
    expected, _, part = error.partition(" - at ")
    field = wording.field(name, part.strip("`").removeprefix("$"))
    obligation = f" ({_OBLIGATIONS[name]})" if name in _OBLIGATIONS else ""
    return f"{field}: {wording.worded(expected)}{obligation}"


def _place(form: PlaceForm) -> dict[str, Any]:
    if form.corners is not None:
        if form.latitude is not None or form.longitude is not None:
            raise FormProblem("[place]: expected latitude and longitude, or corners, found both")
        return {"type": "area", "name": form.name, "corners": form.corners}
    if form.latitude is None or form.longitude is None:
        raise FormProblem("[place]: expected latitude and longitude, or corners")
    return {"type": "fixed_site", "name": form.name, "latitude": form.latitude, "longitude": form.longitude}


def _window(form: WindowForm, now: datetime) -> dict[str, datetime]:
    if form.minutes is not None and form.start is None and form.end is None:
        return {"start": now, "end": now + timedelta(minutes=form.minutes)}
    if form.start is None or form.end is None or form.minutes is not None:
        raise FormProblem("[window]: expected start and end, or minutes alone")
    return {"start": form.start, "end": form.end}


def find_start(form: WindowForm) -> datetime | None:
    """Return when the window starts; None when that is the moment of signing.

    Raises:
        FormProblem: Not a time with its zone.
    """
    if form.start is not None and form.start.tzinfo is None:
        raise FormProblem("[window] start: expected a time with its zone, such as 2026-11-23T09:00:00Z")
    return form.start


def unit_of(form: UnitForm, folder: Path) -> dict[str, Any]:
    """Return the unit that a form names.

    Raises:
        FormProblem: The form names none, or its identity file cannot be read.
    """
    if form.identity is None:
        return {"unit": form.name, "key": form.key}
    if form.name is not None or form.key is not None:
        raise FormProblem("[[unit]]: expected identity, or name and key, found both")
    content = content_of("[[unit]] identity", folder, form.identity)
    try:
        identity = msgspec.json.decode(content, type=d.UnitRef)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormProblem(f"[[unit]] identity: {form.identity} is not a unit's identity: {error}") from error
    return {"unit": identity.unit, "key": identity.key}


def find_model(listed_in: str | None, model: str | None, folder: Path) -> str:
    """Return the digest of the model set that a form names: by a catalogue in `folder`, or itself a digest.

    Raises:
        FormProblem: The catalogue cannot be read, or has no such set.
    """
    if listed_in is None:
        return model or ""
    content = content_of("the model's catalogue", folder, listed_in)
    try:
        found = catalogue.parse(content).find_set(model)
    except RecognitionError as error:
        raise FormProblem(f"the model's catalogue: {error}") from error
    return found.digest


def _assurance(form: RecognitionForm, folder: Path) -> str | None:
    if form.assurance is None:
        return None
    content = content_of("[recognition] assurance", folder, form.assurance)
    try:
        return envelope.parse(content, Kind.ASSURANCE).digest()
    except ProtocolError as error:
        raise FormProblem(f"[recognition] assurance: {form.assurance}: {error.detail}") from error


def paper(part: str, form: PaperForm, folder: Path) -> dict[str, Any]:
    """Return the paper that a part of a form names, by its file in `folder` or by its digest.

    Raises:
        FormProblem: It names neither or both, or the file cannot be read.
    """
    if (form.file is None) == (form.digest is None):
        raise FormProblem(f"[{part}]: expected either file or digest")
    if form.file is None:
        return {"title": form.title, "digest": form.digest}
    content = content_of(f"[{part}] file", folder, form.file)
    return {"title": form.title, "digest": hashlib.sha256(content).hexdigest()}


def content_of(field: str, folder: Path, name: str) -> bytes:
    """Read a file that a form names.

    Raises:
        FormProblem: It cannot be read.
    """
    path = folder / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormProblem(f"{field}: cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FormProblem(f"{field}: expected the path of a file, found none") from error


BLANK = '''\
# Written authority for one deployment. Fill in every field; nothing may be left out. Then:
#   overt-provision order make --home OFFICE order.toml --out order.json     (authorising officer)
#   overt-provision order countersign --home OFFICE order.json               (second officer)
#   overt-provision order check order.json --charter charter.json

operation = "EXERCISE-1"            # your reference for this deployment
use_case = "blue_watchlist"         # any other needs an assurance report, see [recognition]

purpose = """
Measure how well volunteers are recognised at this place, before anyone else is ever looked for here.
"""
legal_basis = """
Consent of each volunteer. For passers-by: DPA 2018 s.35(2)(b), for the moment in which a face is compared and wiped.
"""
necessity = """
How well recognition works here, in this light and with these passers-by, cannot be learned anywhere else.
"""
proportionality = """
Only volunteers are listed; a passer-by's template exists for a fraction of a second and is never stored.
"""
expectation = """
The volunteers have been asked to walk through the view during the window.
"""
operators = ["Duty operator"]       # posts that may adjudicate

[place]                             # where; or corners = [[latitude, longitude], …] instead of the point
name = "Market square"
latitude = 52.1356
longitude = -0.4669

[window]                            # start = 2026-11-23T09:00:00Z and end = …; or minutes from the moment of signing
minutes = 60

[recognition]
catalogue = "models/catalogue.toml" # or model = "<digest>"
threshold = 0.5                     # score from which a face is an alert
false_alert_ceiling = 0.001         # false alerts per face seen above which recognition must stop (O19)
# assurance = "assurance.json"      # the assurance body's report on this model and threshold (O18, O20)

[watchlist]
categories = ["volunteer"]
maximum_entries = 20

[[unit]]                            # one for each unit; or name = … and key = …
identity = "unit/identity.json"     # made on the unit by `overt-camera identity`

[[control_room]]                    # one for each room that may read the alerts
name = "control-room-1"
recipient = "age1…"                 # printed by `overt-controlroom identity`

[papers.impact_assessment]          # O25: the file that was approved, or its digest
title = "Data protection impact assessment"
file = "papers/impact-assessment.pdf"

[papers.equality_assessment]        # O20
title = "Equality impact assessment"
file = "papers/equality-assessment.pdf"

[papers.policy]                     # O26
title = "Policy document"
file = "papers/policy.pdf"

[notice]                            # O23: what signs and web page say
text = "Live facial recognition is in use here, in an exercise with volunteers."
address = "https://police.example/lfr"

[retention]                         # at most 24 hours (O11) and 10 minutes
alerts_hours = 24
adjudication_minutes = 5
'''
