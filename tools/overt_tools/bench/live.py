"""`bench latency` and `bench memory`: a whole deployment with the real daemons, watched from the control room.

The demonstration plays it (`overt_tools.demo`): warden, vision and uplink as processes of their own, a broker with TLS,
a control room that subscribes, decrypts and verifies. Nothing is pinned here: the daemons share the machine's cores,
with a broker and a control room that on a real deployment run elsewhere.
"""

import contextlib
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from overt_tools.demo import stage
from overt_tools.demo.deployment import Cast, Plan, run
from overt_tools.demo.feed import Event, Feed
from overt_tools.demo.processes import Family

from .errors import BenchError
from .statistics import Spread, spread

UNIT = ("warden", "vision", "uplink")
LIMIT_MB = 220
"""Of a whole unit's resident memory (DESIGN, Targets)."""

_EVERY_S = 1.0
_MS = 1e3


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process. Megabytes of 2^20 bytes.

    Attributes:
        name: Of the daemon.
        unit: It runs on a unit; the others do not.
        rss: Resident, shared pages counted whole: median while recognising.
        rss_peak: The most that was seen.
        pss: Resident, shared pages counted by share: median while recognising; None where it cannot be read.
        pss_peak: The most that was seen.
    """

    name: str
    unit: bool
    rss: float
    rss_peak: float
    pss: float | None
    pss_peak: float | None


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long alerts took, milliseconds. With fewer than 100 alerts p99 is the slowest of them.

    Attributes:
        alerts: How many.
        whole: Picture captured to alert verified at the subscriber.
        seeing: Captured to decided: detection, tracking, embedding, search.
        sealing: Decided to sealed: doubted, numbered, signed, encrypted, stored, by the warden.
        carrying: Sealed to verified: uplink, broker, subscriber.
        ready_s: Seconds from the start of the unit's daemons to its first word at the control room, of each run.
    """

    alerts: int
    whole: Spread
    seeing: Spread
    sealing: Spread
    carrying: Spread
    ready_s: list[float]


class Live(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="live"):
    """What was seen of a unit at work.

    Attributes:
        runs: For each: the scene's name, seconds that it recognised, alerts.
        latency: Of all alerts of all runs.
        memory: The largest figures of all runs, by process.
        unit_pss: The unit's processes together, steady: a lower bound, for they share pages with others here.
        unit_pss_peak: The sum of the peaks.
        unit_rss: The sum of resident sizes, steady: an upper bound, shared pages are counted once for each.
        limit: What the unit may take.
    """

    runs: list[tuple[str, float, int]]
    latency: Latency
    memory: list[Memory]
    unit_pss: float | None
    unit_pss_peak: float | None
    unit_rss: float
    limit: int


@dataclass(slots=True)
class Heard:
    """What one run brought: events with the time of their arrival, samples of memory."""

    began_s: float = 0.0
    ready_s: float | None = None
    events: "list[Event]" = None  # type: ignore[assignment] # set below
    samples: "dict[str, list[tuple[float, float | None]]]" = None  # type: ignore[assignment] # set below

    def __post_init__(self) -> None:
        self.events, self.samples = [], {}

    def hear(self, event: Event) -> None:
        """Take down an event."""
        if event.get("event") == "status" and self.ready_s is None:
            self.ready_s = time.monotonic() - self.began_s
        self.events.append(event)

    @property
    def alerts(self) -> list[Event]:
        """The alerts among the events."""
        return [event for event in self.events if event.get("event") == "alert"]


class _Overheard(Feed):
    """A control room's feed, of which a copy is kept."""

    def __init__(self, feed: Feed, heard: Heard) -> None:
        self._feed, self._heard = feed, heard

    def next(self, seconds: float) -> Event | None:
        event = self._feed.next(seconds)
        if event is not None:
            self._heard.hear(event)
        return event


class _Watched(Cast):
    """The processes of a deployment, with an eye on their memory."""

    def __init__(self, plan: Plan, folders: stage.Folders, heard: Heard) -> None:
        super().__init__(plan, folders)
        self._heard = heard

    def start_room(self) -> None:
        super().start_room()
        if self.feed is not None:
            self.feed = _Overheard(self.feed, self._heard)

    def start_unit(self) -> None:
        self._heard.began_s = time.monotonic()
        super().start_unit()
        threading.Thread(target=_watch_memory, args=(self.family, self._heard), daemon=True).start()


def _watch_memory(family: Family, heard: Heard) -> None:
    """Sample every process until all have gone."""
    while family.children:
        for child in family.children:
            with contextlib.suppress(OSError):
                heard.samples.setdefault(child.name, []).append(resident(child.pid))
        time.sleep(_EVERY_S)


def resident(pid: int) -> tuple[float, float | None]:
    """Return a process's resident memory: RSS and PSS in megabytes; PSS is None where it may not be read.

    Raises:
        OSError: There is no such process.
    """
    folder = Path(f"/proc/{pid}")
    try:
        fields = _kilobytes((folder / "smaps_rollup").read_text())
        return fields["Rss"] / 1024, fields["Pss"] / 1024
    except (PermissionError, KeyError):
        return _kilobytes((folder / "status").read_text()).get("VmRSS", 0.0) / 1024, None


def _kilobytes(text: str) -> dict[str, float]:
    rows = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {row[0].rstrip(":"): float(row[1]) for row in rows}


def play(plan: Plan) -> Heard:
    """Play one deployment to its end.

    Raises:
        BenchError: It recognised nobody, so there is nothing to measure.
    """
    heard = Heard()
    run(plan, lambda chosen, folders: _Watched(chosen, folders, heard))
    if not heard.alerts:
        raise BenchError("expected alerts in the demonstration, found none: try 'overt-tools demo' and read its logs")
    return heard


def sum_up(runs: list[tuple[str, Heard]]) -> Live:
    """Sum up all runs.

    Raises:
        BenchError: There is nothing to sum up.
    """
    alerts = [event for _, heard in runs for event in heard.alerts]
    if not alerts:
        raise BenchError("expected alerts, found none")
    memory = _memory([heard for _, heard in runs])
    unit = [one for one in memory if one.unit]
    pss = [one.pss for one in unit if one.pss is not None]
    peaks = [one.pss_peak for one in unit if one.pss_peak is not None]
    whole = len(pss) == len(unit)
    return Live(
        runs=[(name, round(_recognised_s(heard), 1), len(heard.alerts)) for name, heard in runs],
        latency=_latency(alerts, [heard.ready_s for _, heard in runs if heard.ready_s is not None]),
        memory=memory,
        unit_pss=round(sum(pss), 1) if whole else None,
        unit_pss_peak=round(sum(peaks), 1) if whole else None,
        unit_rss=round(sum(one.rss for one in unit), 1),
        limit=LIMIT_MB,
    )


def _latency(alerts: list[Event], ready: list[float]) -> Latency:
    rows = []
    for event in alerts:
        captured, decided, published = (_ms(event["alert"][name]) for name in ("captured", "decided", "published"))
        seeing, sealing = decided - captured, published - decided
        rows.append((event["latency_ms"], seeing, sealing, event["latency_ms"] - seeing - sealing))
    whole, seeing_all, sealing_all, carrying = (spread(column) for column in zip(*rows, strict=True))
    return Latency(len(alerts), whole, seeing_all, sealing_all, carrying, [round(s, 2) for s in ready])


def _memory(runs: list[Heard]) -> list[Memory]:
    names = sorted({name for heard in runs for name in heard.samples}, key=lambda name: (name not in UNIT, name))
    return [_of_process(name, [heard.samples[name] for heard in runs if name in heard.samples]) for name in names]


def _of_process(name: str, runs: list[list[tuple[float, float | None]]]) -> Memory:
    """The largest figures of all runs; steady is the median of a run's second half."""
    halves = [samples[len(samples) // 2 :] for samples in runs]
    rss = max(spread([row[0] for row in half]).median for half in halves)
    shares = [[row[1] for row in half if row[1] is not None] for half in halves]
    all_shares = [row[1] for samples in runs for row in samples if row[1] is not None]
    return Memory(
        name=name,
        unit=name in UNIT,
        rss=round(rss, 1),
        rss_peak=round(max(row[0] for samples in runs for row in samples), 1),
        pss=round(max(spread(share).median for share in shares), 1) if all(shares) else None,
        pss_peak=round(max(all_shares), 1) if all_shares else None,
    )


def _recognised_s(heard: Heard) -> float:
    """Seconds from the first status that says so to the first after it that does not."""
    began: float | None = None
    for event in heard.events:
        if event.get("event") != "status":
            continue
        status: dict[str, Any] = event["status"]
        since = _ms(status["since"]) / _MS
        if status["state"] == "recognising":
            began = since if began is None else began
        elif began is not None:
            return since - began
    return 0.0


def _ms(time_text: str) -> float:
    return datetime.fromisoformat(time_text).timestamp() * _MS
