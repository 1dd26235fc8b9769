"""The same report on paper: A4, with the font that comes with Matplotlib, so that every letter is there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from .blocks import Block, Heading, Paragraph, Plot, Points, Table, plain
from .content import content
from .model import Report
from .plots import draw

_FONT = "DejaVu"
_MARGIN_MM = 16
_COLOURS = {"equal": (230, 243, 238), "unequal": (251, 234, 234), "not_enough_evidence": (253, 243, 225)}
_SIZES = {2: 13.0, 3: 10.5}
_TEXT, _SMALL = 9.5, 8.0
_PLOT_MM = 112
_ROW_MM, _WHOLE_MM = 10, 60  # a row of two lines; a table so high is kept on one page
_LONG = 30  # letters: a word so long is a digest and may be broken


def render(report: Report) -> bytes:
    """Return the PDF of a report."""
    paper = _paper(report)
    plots = draw(report, "png")
    paper.set_font(_FONT, "B", 17)
    paper.multi_cell(0, 8, report.title, new_x="LMARGIN", new_y="NEXT", align="L")
    blocks = content(report)
    for at, block in enumerate(blocks):
        _block(paper, block, plots, blocks[at + 1 : at + 2])
    return bytes(paper.output())


def _paper(report: Report) -> Any:  # noqa: ANN401 - untyped library
    from fpdf import FPDF  # noqa: PLC0415 - heavy, and help must be quick
    from matplotlib import get_data_path  # noqa: PLC0415 - as above

    class Paper(FPDF):  # type: ignore[misc]  # no types are published
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FONT, "", 7.5)
            self.cell(0, 5, f"{report.title}, page {self.page_no()} of {{nb}}", align="C")

    paper = Paper(format="A4")
    paper.set_margins(_MARGIN_MM, _MARGIN_MM)
    paper.set_auto_page_break(auto=True, margin=18)
    fonts = Path(get_data_path()) / "fonts" / "ttf"
    paper.add_font(_FONT, "", fonts / "DejaVuSans.ttf")
    paper.add_font(_FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    paper.set_title(report.title)
    paper.set_lang("en-GB")
    paper.set_creation_date(datetime.fromisoformat(report.made))
    paper.add_page()
    return paper


def _block(paper: Any, block: Block, plots: Mapping[str, bytes], following: Sequence[Block]) -> None:  # noqa: ANN401
    match block:
        case Heading(text=text, level=level):
            _keep_together(paper, 16 + sum(_height(one) for one in following))
            paper.ln(5 if level == 2 else 3)  # noqa: PLR2004 - a section
            paper.start_section(text, level=level - 2)
            _write(paper, text, _SIZES[level], "B")
        case Paragraph(words=words, tone=""):
            _write(paper, plain(words), _TEXT)
        case Paragraph(words=words, tone=tone):
            paper.set_fill_color(*_COLOURS[tone])
            paper.set_font(_FONT, "B", 12)
            paper.multi_cell(0, 6.5, plain(words), fill=True, padding=2, new_x="LMARGIN", new_y="NEXT", align="L")
            paper.set_fill_color(255, 255, 255)
            paper.ln(1)
        case Points(items=items):
            for item in items:
                _point(paper, plain(item))
        case Plot():
            _plot(paper, block, plots[block.name])
        case Table():
            _table(paper, block)


def _write(paper: Any, text: str, size: float, style: str = "") -> None:  # noqa: ANN401 - untyped library
    paper.set_font(_FONT, style, size)
    paper.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT", align="L")
    paper.ln(1.5)


def _point(paper: Any, text: str) -> None:  # noqa: ANN401 - untyped library
    paper.set_font(_FONT, "", _TEXT)
    paper.cell(5, _TEXT * 0.5, "\N{BULLET}")
    paper.multi_cell(0, _TEXT * 0.5, text, new_x="LMARGIN", new_y="NEXT", align="L")
    paper.ln(1)


def _plot(paper: Any, plot: Plot, picture: bytes) -> None:  # noqa: ANN401 - untyped library
    _keep_together(paper, _PLOT_MM * 0.8)
    paper.image(BytesIO(picture), w=_PLOT_MM, alt_text=plot.alternative)
    _write(paper, plot.caption, _SMALL)


def _table(paper: Any, table: Table) -> None:  # noqa: ANN401 - untyped library
    _keep_together(paper, _height(table))
    paper.ln(1)
    paper.set_font(_FONT, "B", _TEXT)
    paper.multi_cell(0, 5.5, table.caption, new_x="LMARGIN", new_y="NEXT", align="L")
    paper.set_font(_FONT, "", _SMALL)
    from fpdf.fonts import FontFace  # noqa: PLC0415 - heavy, and help must be quick

    heading = FontFace(emphasis="BOLD", fill_color=(238, 238, 238))
    paper.set_fill_color(255, 255, 255)
    with paper.table(
        headings_style=heading,
        borders_layout="HORIZONTAL_LINES",
        text_align="LEFT",
        line_height=4.2,
        padding=0.8,
        col_widths=_widths(table),
    ) as drawn:
        drawn.row(table.header)
        for row in table.rows:
            drawn.row([plain(cell) for cell in row])
    paper.ln(2)


def _widths(table: Table) -> Sequence[float]:
    """Give columns widths by the text that they hold, within bounds."""
    columns = zip(table.header, *([plain(cell) for cell in row] for row in table.rows), strict=True)
    outcome = []
    for column in columns:
        word = max(len(word) for text in column for word in text.split())
        outcome.append(min(60.0, max(9.0, word + 4.5, *(len(text) for text in column))) if word < _LONG else 60.0)
    return outcome


def _height(block: Block) -> float:
    """Return about how much room a block needs to begin on a page, in millimetres."""
    match block:
        case Plot():
            return _PLOT_MM
        case Table():
            return min(_WHOLE_MM, 16 + _ROW_MM * len(block.rows))
        case _:
            return 20


def _keep_together(paper: Any, height_mm: float) -> None:  # noqa: ANN401 - untyped library
    if paper.will_page_break(height_mm):
        paper.add_page()
