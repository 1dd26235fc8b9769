"""What a person sees: plain lines, or on a terminal the same lines under a live panel."""

import sys
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from overt_tools.demo.feed import Event

_WORDS = {
    "idle": "idle: nothing is recognised, no order is in force",
    "armed": "armed: the order and the watchlist are here, recognition waits for its conditions",
    "recognising": "RECOGNISING: the order is in force and the lamp is proven lit",
    "paused": "paused: recognition is off",
    "erasing": "erasing: the deployment is over",
    "maintenance": "maintenance: matching is impossible",
}


class Display:
    """Tells the story of the demonstration on standard output."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._status: Event = {}
        self._health: Event = {}
        self._alerts = 0
        self._live: Live | None = None
        if self.console.is_terminal:
            self._live = Live(self._panel(), console=self.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Display":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.console.print(text, style=style, markup=False)

    def step(self, text: str) -> None:
        """Print one line about the preparation."""
        self.say(f"  · {text}")

    def show(self, event: Event) -> None:
        """Show one event of the control room."""
        shown: dict[str, Callable[[Event], None]] = {
            "alert": self._show_alert,
            "status": self._show_status,
            "health": self._show_health,
            "gap": lambda found: self.say(f"  ! a gap in the alerts: {found.get('detail', found)}", "red"),
            "refused": lambda found: self.say(f"  ! refused: {found.get('detail', found)}", "red"),
        }
        show = shown.get(str(event.get("event")))
        if show is not None:
            show(event)
        if self._live:
            self._live.update(self._panel())

    def _show_alert(self, event: Event) -> None:
        alert = event["alert"]
        self._alerts += 1
        self.say(
            f"  ▲ alert {alert['sequence']}: possible match, for adjudication\n"
            f"      entry {alert['entry']} ({alert['category']}), score {alert['score']:.3f} "
            f"against threshold {alert['threshold']:.2f}, {alert['face_px']:.0f} px between the eyes\n"
            f"      at {alert['place']['name']}; captured {_clock(alert['captured'])}, decided "
            f"{_clock(alert['decided'])}, received {_clock(event['received'])} ({event['latency_ms']:.0f} ms)",
            "bold yellow",
        )

    def _show_status(self, event: Event) -> None:
        status = event["status"]
        previous = (self._status.get("state"), self._status.get("doubts"))
        self._status = status
        if (status["state"], status.get("doubts")) == previous:
            return
        doubts = status.get("doubts") or []
        reason = f" ({', '.join(doubts)})" if doubts else ""
        lamp = "lamp lit" if status.get("indicator_lit") else "lamp dark"
        self.say(f"  unit: {_WORDS.get(status['state'], status['state'])}{reason} [{lamp}]", "cyan")

    def _show_health(self, event: Event) -> None:
        health = event["health"]
        previous = self._health
        self._health = health
        due = health["frames"] // 250 != previous.get("frames", 0) // 250
        if due and not self._live:
            self.say(f"  unit: {_counters(health)}")

    def _panel(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_row("unit", _WORDS.get(str(self._status.get("state")), "not heard of yet"))
        table.add_row("lamp", "● lit" if self._status.get("indicator_lit") else "○ dark")
        table.add_row("seen", _counters(self._health) if self._health else "nothing yet")
        table.add_row("alerts", str(self._alerts))
        return Panel(table, title="Overt", subtitle="Ctrl-C ends the deployment and erases the watchlist")


def _counters(health: Event) -> str:
    return (
        f"{health['frames']} frames at {health['frames_per_second']:.0f}/s, {health['frames_dropped']} dropped, "
        f"{health['faces_seen']} faces seen, {health['templates_made']} templates made, "
        f"{health['templates_wiped']} wiped"
    )


def _clock(time: str) -> str:
    """Return the time of day of an RFC 3339 time, to the millisecond."""
    clock = time.partition("T")[2].rstrip("Z").partition("+")[0]
    whole, _, fraction = clock.partition(".")
    return f"{whole}.{(fraction + '000')[:3]}"
