"""The pieces that a report is made of, before they are HTML or paper."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A number: where it stands in the JSON, and how it is written."""

    path: str
    text: str


Run = str | Figure
Words = Sequence[Run]


@dataclass(frozen=True, slots=True)
class Heading:
    """A section begins."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences; with a tone, the verdict."""

    words: Words
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """A list."""

    items: Sequence[Words]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; the first cell of a row names it."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Words]]


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, what it shows for those who cannot see it, and a line below it."""

    name: str
    alternative: str
    caption: str


Block = Heading | Paragraph | Points | Table | Plot


def plain(words: Words) -> str:
    """Return words as text."""
    return "".join(run if isinstance(run, str) else run.text for run in words)
