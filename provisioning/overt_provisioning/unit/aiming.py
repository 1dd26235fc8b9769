"""`unit aim`: what the lens sees, on a page of this machine or in the terminal, until Ctrl-C."""

import argparse
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from overt.protocol.cable.aim import View
from overt.protocol.sentences import SENTENCES
from overt.recognition.advice import FaceSize
from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Failure
from overt_provisioning.unit.meters import face_advice, meters
from overt_provisioning.unit.page import Page
from overt_provisioning.unit.preview import Preview
from overt_provisioning.unit.session import Session, UnitSaysNo
from overt_provisioning.unit.visiting import Visiting
from overt_provisioning.unit.watching import read_status
from overt_provisioning.unit.words import SIGHT

_WIDTH, _NAMES, _BAR, _FACES = 76, 10, 24, 6
_COLOURS: Final = {FaceSize.GOOD: "green", FaceSize.ENOUGH: "yellow", FaceSize.TOO_SMALL: "red"}


def aim(arguments: argparse.Namespace) -> int:
    """Show what the lens sees."""
    visiting = Visiting(arguments)
    with visiting.session() as session, contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        unit = session.greeting.unit or "the unit"
        try:
            with Preview(session) as preview:
                _show(visiting, unit, _views(preview, arguments.views))
        except UnitSaysNo as error:
            raise _plainer(session, error) from error
    return OK


def _show(visiting: Visiting, unit: str, views: Iterator[View]) -> None:
    arguments = visiting.arguments
    if arguments.json:
        for view in views:
            print(json.dumps(facts(view)), flush=True)  # noqa: T201 - a command talks
    elif arguments.terminal:
        _in_terminal(unit, views)
    else:
        _on_page(unit, views, arguments.page_port, visiting.person.tell)


def _plainer(session: Session, error: UnitSaysNo) -> Failure:
    """Return why there is no picture in the unit's own sentence, where it knows more than that there is none."""
    status = read_status(session)
    known = [cause for cause in SIGHT if status is not None and cause in status.causes]
    return Failure(f"nothing is to be seen: {SENTENCES[known[0]]}", NEGATIVE) if known else error


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
    """Return the meters for a terminal of 80 columns or more."""
    from rich.console import Group  # noqa: PLC0415 - heavy, and help must be quick
    from rich.panel import Panel  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    lines = []
    for meter in meters(view):
        filled = round(min(1.0, meter.level) * _BAR)
        colour = "green" if meter.well else "red"
        line = Text(f"{meter.name:<{_NAMES}}", style="bold")
        line.append("█" * filled, style=colour).append("░" * (_BAR - filled), style="dim")
        lines += [line.append(f"  {meter.figure}", style="default")]
        lines += [Text(" " * _NAMES + meter.advice, style=f"bold {colour}")]
    for number, outline in enumerate(view.outlines[:_FACES], start=1):
        size, text = face_advice(outline)
        lines.append(Text(f"{f'face {number}':<{_NAMES}}{text}", style=_COLOURS[size]))
    title = f"Aiming {unit}: nothing is recognised, nothing is kept"
    return Panel(Group(*lines), title=title, title_align="left", subtitle="Ctrl-C ends it", width=_WIDTH)


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
