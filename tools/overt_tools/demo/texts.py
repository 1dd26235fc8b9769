"""The words of the demonstration's order: an exercise with volunteers, filled into the office's own form."""

import json
from pathlib import Path

PAPERS = {
    "impact_assessment": "Data protection impact assessment of the demonstration",
    "equality_assessment": "Equality impact assessment of the demonstration",
    "policy": "Policy of the demonstration",
}
_PAPER = """{title}

This demonstration runs on one machine. It plays recordings in which everyone is a volunteer or the recordings' author.
One volunteer is listed. Templates of everyone else exist for milliseconds, in memory. Nothing leaves the machine.
"""
_FORM = """\
operation = "DEMONSTRATION-1"
use_case = "blue_watchlist"
purpose = "Show a deployment from beginning to end, with a volunteer on the watchlist."
legal_basis = "Consent of the volunteer; the recordings are published under the MIT licence."
necessity = "How a deployment works is best seen at work."
proportionality = "One volunteer is listed, for the minutes of the demonstration."
expectation = "The volunteer walks through the view several times in the recording."
operators = ["Demonstrator"]

[place]
name = {site}
latitude = {latitude}
longitude = {longitude}

[window]
minutes = {minutes}

[recognition]
catalogue = {catalogue}
threshold = {threshold}
false_alert_ceiling = 0.001

[watchlist]
categories = ["volunteer"]
maximum_entries = 20

[[unit]]
identity = {identity}

[[control_room]]
name = {room}
recipient = {recipient}

[notice]
text = "Live facial recognition is in use here, in a demonstration with volunteers."
address = "https://localhost/notice"

[retention]
alerts_hours = 1
adjudication_minutes = 5
"""


def write_papers(folder: Path) -> None:
    """Write the papers that the order stands on."""
    for name, title in PAPERS.items():
        (folder / f"{name}.txt").write_text(_PAPER.format(title=title))


def order_form(
    *,
    identity: Path,
    catalogue: Path,
    room: str,
    recipient: str,
    site: tuple[str, float, float],
    minutes: int,
    threshold: float,
) -> str:
    """Return the filled-in order form, TOML.

    JSON strings are TOML strings, so paths are written as JSON.
    """
    name, latitude, longitude = site
    form = _FORM.format(
        site=json.dumps(name),
        latitude=latitude,
        longitude=longitude,
        minutes=minutes,
        catalogue=json.dumps(str(catalogue)),
        threshold=threshold,
        identity=json.dumps(str(identity)),
        room=json.dumps(room),
        recipient=json.dumps(recipient),
    )
    papers = "".join(
        f"\n[papers.{name}]\ntitle = {json.dumps(title)}\nfile = {json.dumps(name + '.txt')}\n"
        for name, title in PAPERS.items()
    )
    return form + papers
