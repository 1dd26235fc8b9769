"""The office's own report on a watchlist: HTML with small pictures, for people; JSON, for other programs.

The HTML is one file without scripts that reaches for nothing outside itself. Pictures go straight into unnamed
temporary files, so that neither memory nor an interrupted run keeps them.
"""

import base64
import html
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from overt.runtime.files import write_atomically
from overt_provisioning.criteria import Criteria
from overt_provisioning.drafting import Judged, Line
from overt_provisioning.findings import ADVICE, Finding, Reason
from overt_provisioning.obligations import legend
from overt_provisioning.report_page import FOOT, HEAD

HTML_ENDINGS = (".html", ".htm")
_CHUNK = 1 << 20


class Tally(msgspec.Struct):
    """How many rows and people were accepted and refused, and why."""

    rows: int = 0
    accepted: int = 0
    people: set[str] = msgspec.field(default_factory=set)
    asked: set[str] = msgspec.field(default_factory=set)
    reasons: Counter[Reason] = msgspec.field(default_factory=Counter)
    notes: int = 0
    categories: dict[str, str] = msgspec.field(default_factory=dict)
    under_18: set[str] = msgspec.field(default_factory=set)

    def count(self, line: Line) -> None:
        """Count a line."""
        self.rows += 1
        self.asked.add(line.reference)
        self.notes += bool(line.notes)
        self.reasons.update({finding.reason for finding in line.refusals})
        if line.accepted:
            self.accepted += 1
            self.people.add(line.reference)
            self.categories[line.reference] = str(line.category)
            if line.under_18:
                self.under_18.add(line.reference)

    def summary(self) -> dict[str, object]:
        """Return the counts, for JSON."""
        return {
            "rows": self.rows,
            "rows_accepted": self.accepted,
            "rows_refused": self.rows - self.accepted,
            "people": len(self.asked),
            "people_accepted": len(self.people),
            "people_without_an_image": len(self.asked - self.people),
            "under_18": len(self.under_18),
            "by_category": dict(sorted(Counter(self.categories.values()).items())),
            "refused_by_reason": {reason.value: number for reason, number in self.reasons.most_common()},
        }


class Page:
    """The HTML report in the making. Use as a context manager: leaving it drops what was not finished."""

    def __init__(self, path: Path, criteria: Criteria) -> None:
        """Start a report.

        Raises:
            OSError: The report's folder cannot be written to.
        """
        self._path, self._criteria = path, criteria
        # Unnamed from the start: nothing to clean up after a crash.
        self._refused: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed in __exit__
        self._accepted: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> "Page":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refused.close()
        self._accepted.close()

    def add(self, judged: Judged) -> None:
        """Add a row."""
        if judged.line.accepted:
            self._accepted.write(_accepted(judged).encode())
        else:
            self._refused.write(_refused(judged).encode())

    def finish(self, tally: Tally, made: datetime) -> None:
        """Write the report, for its owner alone."""
        write_atomically(self._path, self._parts(tally, made), mode=0o600)

    def _parts(self, tally: Tally, made: datetime) -> Iterator[bytes]:
        yield HEAD.encode()
        yield _summary(tally, self._criteria, made).encode()
        refused = tally.rows - tally.accepted
        yield f'<h2 id="refused">Refused ({refused})</h2>\n'.encode()
        yield b'<ol class="rows">\n' if refused else b"<p>None.</p>\n"
        yield from _content(self._refused)
        yield b"</ol>\n" if refused else b""
        yield f'<h2 id="accepted">Accepted ({tally.accepted})</h2>\n'.encode()
        yield b'<ol class="faces">\n' if tally.accepted else b"<p>None.</p>\n"
        yield from _content(self._accepted)
        yield b"</ol>\n" if tally.accepted else b""
        yield FOOT.encode()


def write_json(path: Path, lines: list[Line]) -> None:
    """Write what became of each row, for its owner alone: no pictures and no templates."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(lines), indent=1), mode=0o600)


def _content(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while part := file.read(_CHUNK):
        yield part


def _summary(tally: Tally, criteria: Criteria, made: datetime) -> str:
    facts = {
        "Operation": criteria.operation,
        "Made": f"{made:%Y-%m-%d %H:%M} UTC",
        "Model": f"{criteria.model[:12]}…",
        "Categories permitted (O2)": ", ".join(criteria.categories),
        "People permitted (O19)": f"{criteria.most_entries:,}",
        "Rows accepted": f"{tally.accepted:,} of {tally.rows:,}",
        "People listed": f"{len(tally.people):,} of {len(tally.asked):,}",
        "Of them under 18 (O9)": f"{len(tally.under_18):,}",
        "By category": ", ".join(f"{name} {n:,}" for name, n in sorted(Counter(tally.categories.values()).items())),
        "Rows with a note": f"{tally.notes:,}",
    }
    rows = "".join(f'<tr><th scope="row">{_text(k)}</th><td>{_text(v or "none")}</td></tr>\n' for k, v in facts.items())
    named = " ".join([*facts, *(ADVICE[reason].obligation or "" for reason in tally.reasons)])
    return (
        f'<h2 id="summary">Summary</h2>\n<table class="facts"><tbody>\n{rows}</tbody></table>\n'
        + _reasons(tally.reasons)
        + "".join(f'<p class="file">{_text(line)}.</p>\n' for line in legend(named))
        + _lost(tally.asked - tally.people)
    )


def _reasons(reasons: Counter[Reason]) -> str:
    if not reasons:
        return "<p>Nothing was refused.</p>\n"
    rows = "".join(
        f'<tr><th scope="row">{_text(ADVICE[reason].title)}</th><td class="number" data-name="Rows: ">{number:,}</td>'
        f'<td data-name="Obligation: ">{_text(ADVICE[reason].obligation or "")}</td>'
        f'<td data-name="What to do: ">{_text(ADVICE[reason].todo)}</td></tr>\n'
        for reason, number in reasons.most_common()
    )
    return (
        '<table class="reasons"><caption>Why rows were refused (a row can have several reasons)</caption>\n'
        '<thead><tr><th scope="col">Reason</th><th scope="col" class="number">Rows</th>'
        '<th scope="col">Obligation</th><th scope="col">What to do</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table>\n"
    )


def _lost(references: set[str]) -> str:
    if not references:
        return ""
    shown = ", ".join(sorted(references, key=_as_counted)[:50])
    more = f" and {len(references) - 50:,} more" if len(references) > 50 else ""  # noqa: PLR2004 - as many as are shown
    return f"<p><strong>Without any usable image:</strong> {_text(shown)}{more}</p>\n"


def _as_counted(reference: str) -> list[tuple[int, str]]:
    """Put v-2 before v-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", reference)]


def _refused(judged: Judged) -> str:
    line = judged.line
    reasons = "".join(_finding(finding) for finding in line.refusals) + _notes(line)
    return (
        f"<li>{_picture(judged)}<div><h3>Row {line.row}: {_text(line.reference or 'no reference')}</h3>\n"
        f'<p class="file">{_text(line.image or "no image named")}</p>\n<dl>{reasons}</dl></div></li>\n'
    )


def _accepted(judged: Judged) -> str:
    line = judged.line
    notes = _notes(line)
    return (
        f"<li>{_picture(judged)}<div><h3>{_text(line.reference)}</h3>\n"
        f'<p class="file">row {line.row}, {_text(line.image)}</p>\n'
        f"<p>{_text(line.category or '')}{', under 18' if line.under_18 else ''}, quality {line.quality or 0:.2f}</p>"
        f"{f'<dl>{notes}</dl>' if notes else ''}</div></li>\n"
    )


def _notes(line: Line) -> str:
    return "".join(_finding(finding, "Note: ", ' class="note"') for finding in line.notes)


def _finding(finding: Finding, mark: str = "", style: str = "") -> str:
    advice = ADVICE[finding.reason]
    return f"<dt{style}>{mark}{_text(advice.title)}</dt><dd>{_text(finding.detail)}</dd><dd>{_text(advice.todo)}</dd>\n"


def _picture(judged: Judged) -> str:
    if judged.picture is None:
        return '<span class="none">no picture</span>'
    data = base64.b64encode(judged.picture).decode()
    return f'<img alt="Image of row {judged.line.row}" decoding="async" src="data:image/jpeg;base64,{data}">'


def _text(value: str) -> str:
    return html.escape(value, quote=True)
