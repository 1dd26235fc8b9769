"""`unit aim`: what the lens sees, on a page of this machine or in the terminal, until Ctrl-C."""

import argparse
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from overt.protocol.cable.aim import View
from overt.runtime.cli import OK, UNAVAILABLE, Failure
from overt_provisioning.unit.meters import face_advice, meters
from overt_provisioning.unit.page import Page
from overt_provisioning.unit.preview import Preview
from overt_provisioning.unit.visiting import Visiting

_BAR = 30


def aim(arguments: argparse.Namespace) -> int:
    """Show what the lens sees."""
    visiting = Visiting(arguments)
    with visiting.session() as session, contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        unit = session.greeting.unit or "the unit"
        with Preview(session) as preview:
            views = _views(preview, arguments.views)
            if arguments.json:
                for view in views:
                    print(json.dumps(facts(view)), flush=True)  # noqa: T201 - a command talks
            elif arguments.terminal:
                _in_terminal(unit, views)
            else:
                _on_page(unit, views, arguments.page_port, visiting.person.tell)
    return OK


def facts(view: View) -> dict[str, Any]:
    """Return the figures of a view; no picture."""
    return {
        "number": view.number,
        "size": [view.width, view.height],
        "faces_eyes_px": [outline.eyes_px for outline in view.outlines],
        "meters": {
            meter.name: {"level": round(meter.level, 3), "advice": meter.advice, "well": meter.well}
            for meter in meters(view)
        },
        "templates_made": view.templates_made,
    }


def table(unit: str, view: View) -> Any:  # noqa: ANN401 - of a library that help must not load
    """Return the meters for a terminal."""
    from rich.panel import Panel  # noqa: PLC0415 - heavy, and help must be quick
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    rows = Table.grid(padding=(0, 2))
    for meter in meters(view):
        filled = round(min(1.0, meter.level) * _BAR)
        colour = "green" if meter.well else "red"
        bar = Text("█" * filled, style=colour) + Text("░" * (_BAR - filled), style="dim")
        rows.add_row(Text(meter.name, style="bold"), bar, Text(meter.figure))
        rows.add_row("", Text(meter.advice, style=f"bold {colour}"), "")
    for number, outline in enumerate(view.outlines[:6], start=1):
        rows.add_row(f"face {number}", face_advice(outline)[1], "")
    text = f"Aiming {unit}: nothing is recognised, nothing is kept. Ctrl-C ends it."
    return Panel(rows, title=text, title_align="left")


def _views(preview: Preview, most: int | None) -> Iterator[View]:
    for _ in itertools.count() if most is None else range(most):
        yield preview.view()


def _in_terminal(unit: str, views: Iterator[View]) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, and help must be quick
    from rich.live import Live  # noqa: PLC0415 - as above

    with Live(console=Console(), auto_refresh=False) as live:
        for view in views:
            live.update(table(unit, view), refresh=True)


def _on_page(unit: str, views: Iterator[View], port: int, tell: Callable[[str], None]) -> None:
    try:
        page = Page(unit, port)
    except OSError as error:
        raise Failure(f"cannot serve the page at port {port}: {error.strerror or error}", UNAVAILABLE) from error
    try:
        tell(f"open {page.address} in a browser on this machine; Ctrl-C ends it")
        for view in views:
            page.show(view)
    finally:
        page.close()
