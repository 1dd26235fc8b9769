"""A unit's acceptance report, as a page and on paper, and the label for its enclosure. Pure: facts in, bytes out."""

import html
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from overt.protocol.code import unit_code
from overt.protocol.reports import Check, Inspection
from overt.protocol.sentences import SENTENCES
from overt.protocol.vocabulary import Part
from overt_provisioning.unit.words import CLOCKS

ADVICE: Final = {
    Part.CAMERA: "look at the camera's cable and source, and at what 'unit status' says",
    Part.LIGHT: "see the meter of 'unit aim': turn the camera, or give the place light; test at the hour of use",
    Part.INDICATOR: "look at the lamp, the line that reads it back, and their wiring",
    Part.PLACE: "give the receiver a free sky and look at its cable; or attest the site with 'unit enrol'",
    Part.CLOCK: "connect a network or a receiver and wait a minute, or sign the time with 'unit time'",
    Part.STORAGE: "replace the card, or make room on it",
    Part.ENCLOSURE: "close the lid; look at its switch and the switch's line",
    Part.NETWORK: "look at the cable or the antenna, and at the settings ('unit network')",
    Part.BROKER: "look at the broker's address, the unit's certificate and the firewall",
    Part.TEMPERATURE: "test again once the camera works; give the unit shade and air",
    Part.SUPPLY: "use the supply that the board's maker names, and a short cable",
}
_STYLE: Final = """body{font:16px/1.45 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;
color:#1b1f24}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid #d5dae0;
vertical-align:top}.ok{color:#136c3a;font-weight:700}.look{color:#a3241c;font-weight:700}
.verdict{padding:.7rem 1rem;border-radius:6px;background:#e6f3ee}.verdict.not{background:#fbeaea}
.small{font-size:.85rem;color:#4a545e;overflow-wrap:anywhere}"""
_LABEL_MM: Final = (90.0, 40.0)


class Acceptance(msgspec.Struct, frozen=True):
    """What a report says.

    Attributes:
        found: What the unit signed.
        key: The unit's public key.
        technician: The id of the key that countersigned it.
        digest: Of what both signed.
        seen: What was seen on the laptop meanwhile, in words: not signed by the unit.
    """

    found: Inspection
    key: str
    technician: str
    digest: str
    seen: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether there is nothing to do."""
        return all(check.well for check in self.found.checks)

    @property
    def title(self) -> str:
        """The title."""
        return f"Acceptance of {self.found.unit}"

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        wrong = [check.part.value for check in self.found.checks if not check.well]
        return f"Not accepted yet: see to {', '.join(wrong)}." if wrong else "Accepted: every check is well."

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What was tested, when, by whom."""
        found = self.found
        return [
            ("unit", f"{found.unit} of {found.force}, code {unit_code(self.key)}"),
            ("tested", f"{_brief(found.sent)}, the unit's time is {CLOCKS[found.clock]}"),
            ("release", found.version),
            ("signed by the unit", self.key),
            ("countersigned by", self.technician),
            ("what both signed", self.digest),
        ]


def advice(check: Check) -> str:
    """Return what to do about a check: the unit's own sentence where it knows why."""
    if check.well:
        return ""
    return SENTENCES[check.cause] if check.cause else ADVICE[check.part]


def in_words(check: Check) -> str:
    """Return what was found, in a line, and what to do if there is something. The unit's own sentence says both."""
    todo = advice(check)
    if not todo:
        return check.found
    return f"{todo} ({check.found})" if check.cause else f"{check.found}: {todo}"


def page(report: Acceptance) -> str:
    """Return the report as HTML, which needs nothing from elsewhere."""
    rows = "".join(
        f"<tr><td>{check.part.value}<td>{_safe(check.found)}<td>{_safe(check.limit)}"
        f"<td class={'ok' if check.well else 'look'}>{'ok' if check.well else 'LOOK'}<td>{_safe(advice(check))}</tr>"
        for check in report.found.checks
    )
    facts = "".join(f"<tr><th scope=row>{name}<td>{_safe(text)}</tr>" for name, text in report.facts)
    seen = "".join(f"<li>{_safe(text)}</li>" for text in report.seen)
    return (
        f"<!doctype html><html lang=en-GB><meta charset=utf-8><title>{_safe(report.title)}</title>"
        f"<style>{_STYLE}</style><h1>{_safe(report.title)}</h1>"
        f"<p class='verdict{'' if report.well else ' not'}'>{_safe(report.verdict)}</p>"
        "<h2>What the unit found</h2><table><thead><tr><th>part<th>found<th>has to be<th>verdict<th>what to do</thead>"
        f"<tbody>{rows}</tbody></table><h2>What the technician saw</h2><ul>{seen}</ul>"
        f"<h2>Who says so</h2><table class=small>{facts}</table>"
        "<p class=small>The unit's findings are in acceptance.json, signed by unit and technician.</html>\n"
    )


def paper(report: Acceptance) -> bytes:
    """Return the report as PDF."""
    sheet, font = _sheet("A4", report.title, report.found.sent)
    sheet.set_auto_page_break(auto=True, margin=16)
    _line(sheet, font, report.title, 17, "B")
    _line(sheet, font, report.verdict, 12, "B")
    _line(sheet, font, "What the unit found", 13, "B")
    sheet.set_font(font, "", 8.5)
    with sheet.table(col_widths=(13, 27, 24, 9, 27), text_align="LEFT", line_height=4.6, padding=0.8) as table:
        table.row(("part", "found", "has to be", "verdict", "what to do"))
        for check in report.found.checks:
            verdict = "ok" if check.well else "LOOK"
            table.row((check.part.value, check.found, check.limit, verdict, advice(check)))
    sheet.ln(3)
    _line(sheet, font, "What the technician saw", 13, "B")
    for text in report.seen:
        _line(sheet, font, f"\N{BULLET} {text}", 9.5)
    _line(sheet, font, "Who says so", 13, "B")
    for name, text in report.facts:
        _line(sheet, font, f"{name}: {text}", 8.5)
    _line(sheet, font, "The unit's findings are in acceptance.json, signed by unit and technician.", 8.5)
    return bytes(sheet.output())


def label(unit: str, force: str, key: str, made: datetime) -> bytes:
    """Return the label for the enclosure as PDF, 90 by 40 mm: the unit's code to read and as Code 39."""
    code = unit_code(key)
    sheet, font = _sheet(_LABEL_MM, f"Label of {unit}", made)
    sheet.set_auto_page_break(auto=False)
    sheet.set_xy(5, 3)
    sheet.set_font(font, "B", 11)
    sheet.cell(80, 5, f"{unit} of {force}", align="C")
    sheet.set_xy(5, 9)
    sheet.set_font(font, "B", 20)
    sheet.cell(80, 9, code, align="C")
    sheet.code39(f"*{code}*", x=10, y=20, w=0.84, h=10)
    sheet.set_xy(5, 32)
    sheet.set_font(font, "", 7)
    sheet.cell(80, 4, "Overt camera. Compare this code before you trust what answers.", align="C")
    return bytes(sheet.output())


def _sheet(size: str | tuple[float, float], title: str, made: datetime) -> tuple[Any, str]:
    """Return an empty sheet and the name of its font: one with every letter where Matplotlib is there."""
    from fpdf import FPDF  # noqa: PLC0415 - heavy, and help must be quick

    wide = not isinstance(size, str) and size[0] > size[1]
    upright = size if isinstance(size, str) else (min(size), max(size))  # it turns a wide sheet itself
    sheet = FPDF(format=upright, orientation="L" if wide else "P")
    sheet.set_margins(16, 16)
    fonts = _fonts()
    if fonts is not None:
        sheet.add_font("DejaVu", "", fonts / "DejaVuSans.ttf")
        sheet.add_font("DejaVu", "B", fonts / "DejaVuSans-Bold.ttf")
    sheet.set_title(title)
    sheet.set_lang("en-GB")
    sheet.set_creation_date(made)
    sheet.add_page()
    return sheet, "DejaVu" if fonts is not None else "Helvetica"


def _fonts() -> Path | None:
    found = find_spec("matplotlib")
    return Path(str(found.origin)).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else None


def _line(sheet: Any, font: str, text: str, size: float, style: str = "") -> None:  # noqa: ANN401 - untyped library
    sheet.set_font(font, style, size)
    sheet.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT", align="L")
    sheet.ln(1.2)


def _brief(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _safe(text: str) -> str:
    return html.escape(text)
