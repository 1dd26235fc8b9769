"""What a control room wrote down while testers passed: the lines of `overt-controlroom watch --json`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol.reports import Alert, Erasure, Health
from overt_tools.evaluate.errors import EvaluateError


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """What of a line matters here. The rest (notes, latencies, topics) does not."""

    event: str
    alert: Alert | None = None
    health: Health | None = None
    erasure: Erasure | None = None


@dataclass(slots=True)
class Seen:
    """What the lines say of one order.

    Attributes:
        alerts: Each once, by unit and number.
        last: The highest number of an alert that each unit says it raised.
        entries: People on the list, if its erasure was seen.
        faces: What each unit says of the faces that it saw: an estimate, for a person may be seen as two.
    """

    alerts: dict[tuple[str, int], Alert] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    entries: int | None = None
    faces: dict[str, list[int]] = field(default_factory=dict)

    def missing(self) -> Iterator[tuple[str, int]]:
        """Yield the alerts that were raised and never came."""
        for unit, last in sorted(self.last.items()):
            yield from ((unit, number) for number in range(1, last + 1) if (unit, number) not in self.alerts)

    def faces_seen(self) -> int:
        """Return how many faces the units say they saw: the counter begins anew when recognition does."""
        total = 0
        for counted in self.faces.values():
            following = [*counted[1:], -1]
            total += sum(now for now, after in zip(counted, following, strict=True) if after < now)
        return total


def read_events(paths: list[Path]) -> dict[str, Seen]:
    """Read files of events.

    Returns:
        What they say, by the order's digest.

    Raises:
        EvaluateError: A file cannot be read, or a line is no event.
    """
    orders: dict[str, Seen] = {}
    for path in paths:
        for number, line in _lines(path):
            _note(orders, _decoded(line, number, path))
    return orders


def _note(orders: dict[str, Seen], line: _Line) -> None:
    if line.alert is not None and line.event == "alert":
        seen = orders.setdefault(line.alert.order, Seen())
        seen.alerts[line.alert.unit, line.alert.sequence] = line.alert
        seen.last[line.alert.unit] = max(seen.last.get(line.alert.unit, 0), line.alert.sequence)
    elif line.health is not None and line.health.order is not None:
        seen = orders.setdefault(line.health.order, Seen())
        seen.last[line.health.unit] = max(seen.last.get(line.health.unit, 0), line.health.last_sequence)
        seen.faces.setdefault(line.health.unit, []).append(line.health.faces_seen)
    elif line.erasure is not None:
        seen = orders.setdefault(line.erasure.order, Seen())
        seen.entries = line.erasure.entries
        seen.last[line.erasure.unit] = max(seen.last.get(line.erasure.unit, 0), line.erasure.alerts)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except OSError as error:
        raise EvaluateError(
            f"expected a control room's events in {path}, could not read it: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise EvaluateError(f"expected a control room's events in {path}, found no text") from error


def _decoded(line: str, number: int, path: Path) -> _Line:
    try:
        return msgspec.convert(_untagged(msgspec.json.decode(line)), _Line)
    except msgspec.MsgspecError as error:
        raise EvaluateError(
            f"expected lines of 'overt-controlroom watch --json' in {path}, found something else in line {number}: "
            f"{error}"
        ) from error


def _untagged(line: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what is not read, so that a control room may say more than this knows."""
    if not isinstance(line, dict):
        return line
    kept = {"alert": "alert", "health": "health", "erasure": "erasure"}
    wanted = kept.get(str(line.get("event")))
    return {"event": line.get("event"), **({wanted: line.get(wanted)} if wanted else {})}
