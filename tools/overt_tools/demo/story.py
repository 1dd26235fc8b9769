"""What has happened so far, told by the control room's verified events alone."""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from overt_tools.demo.feed import Event
from overt_tools.demo.score import AlertSeen, Passage, Score, repeated, score
from overt_tools.scene.truth import check_footage

_NS = 1_000_000_000


class Footage(msgspec.Struct, frozen=True):
    """What the footage shows, out of its sidecar."""

    passages: tuple[Passage, ...]
    duration_ns: int


def read_footage(scene: Path) -> Footage:
    """Read what a scene shows.

    Raises:
        SceneError: The footage or its ground truth is missing, damaged, or they do not belong together.
    """
    truth = check_footage(scene)
    frame_ns = _NS // truth.fps
    passages = tuple(
        Passage(
            id=number,
            listed=passage.listed,
            first_ns=passage.in_view.first * frame_ns,
            last_ns=passage.in_view.last * frame_ns,
        )
        for number, passage in enumerate(truth.passages)
    )
    return Footage(passages, truth.frames * frame_ns)


@dataclass(slots=True)
class Story:
    """The deployment as the control room saw it."""

    footage: Footage
    started_ns: int | None = None
    ended_ns: int | None = None
    heard_of: bool = False
    ordered: bool = False
    interrupted: bool = False
    over: bool = False
    certificate: bytes = b""
    alerts: list[AlertSeen] = field(default_factory=list)
    faces_seen: int = 0
    erasure: Event = field(default_factory=dict)

    @property
    def erased(self) -> bool:
        """Whether the unit's erasure certificate has arrived and was verified."""
        return bool(self.certificate)

    def hear(self, event: Event) -> None:
        """Take in one event."""
        match event.get("event"):
            case "status":
                self._hear_status(event["status"])
            case "health":
                self.faces_seen = max(self.faces_seen, event["health"]["faces_seen"])
            case "alert":
                self._hear_alert(event)
            case "erasure":
                self.erasure = event["erasure"]
                self.certificate = base64.b64decode(event["envelope"])
                self.over = True

    def score(self, enrolled: str) -> Score:
        """Count what was achieved."""
        started = self.started_ns or 0
        played = max(0, (self.ended_ns or started) - started)
        passages = repeated(self.footage.passages, self.footage.duration_ns, played)
        return score(passages, self.alerts, enrolled, played, self.faces_seen)

    def erasure_words(self) -> str:
        """Say what the certificate says."""
        said = self.erasure
        return (
            f"{said['entries']} entry with {said['templates_listed']} templates; of everyone seen "
            f"{said['templates_made']} templates made, {said['templates_wiped']} wiped"
        )

    def _hear_status(self, status: Event) -> None:
        self.heard_of = True
        if status["state"] == "recognising" and self.started_ns is None:
            self.started_ns = _nanoseconds(status["since"])
        elif self.started_ns is not None and status["state"] != "recognising" and self.ended_ns is None:
            self.ended_ns = _nanoseconds(status["since"])
            self.over = True

    def _hear_alert(self, event: Event) -> None:
        alert = event["alert"]
        position = _nanoseconds(alert["captured"]) - (self.started_ns or 0)
        self.alerts.append(AlertSeen(position, alert["entry"], event["latency_ms"]))


def _nanoseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * _NS)
