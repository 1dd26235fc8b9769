"""A report as one HTML file: nothing is fetched, it prints, and it can be listened to."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from .blocks import Block, Figure, Heading, Paragraph, Plot, Points, Table, Words
from .content import content
from .model import Report
from .plots import draw

_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 56rem;
  padding: 0 1.5rem 3rem; overflow-wrap: break-word; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 1.5rem 0 .3rem; }}
h2 {{ font-size: 1.3rem; margin: 2.4rem 0 .7rem; border-bottom: 2px solid #1a1a1a; }}
h3 {{ font-size: 1.05rem; margin: 1.6rem 0 .5rem; }}
p {{ max-width: 44rem; }}
ul {{ max-width: 44rem; padding-left: 1.2rem; }}
.verdict {{ font-size: 1.2rem; font-weight: bold; border-left: .5rem solid; padding: .8rem 1rem; }}
.verdict.equal {{ border-color: #00664b; background: #e6f3ee; }}
.verdict.unequal {{ border-color: #8c0000; background: #fbeaea; }}
.verdict.not_enough_evidence {{ border-color: #7a4b00; background: #fdf3e1; }}
figure {{ margin: 1rem 0; max-width: 34rem; }}
figure img {{ width: 100%; height: auto; }}
figcaption {{ color: #4d4d4d; font-size: .9rem; }}
.table {{ overflow-x: auto; }}
.table:focus-visible {{ outline: 3px solid #b30059; }}
table {{ border-collapse: collapse; margin: 0 0 1.2rem; }}
caption {{ text-align: left; font-weight: bold; padding: .4rem 0; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0;
  min-width: 3.5rem; border-bottom: 1px solid #8a8a8a;
  font-variant-numeric: tabular-nums; }}
tbody th {{ font-weight: 600; }}
.Circumstances td {{ overflow-wrap: anywhere; }}
footer {{ margin-top: 2.5rem; color: #4d4d4d; font-size: .9rem; }}
@media (max-width: 44rem) {{
  body {{ padding: 0 1rem 2rem; }}
  thead {{ position: absolute; clip-path: inset(50%); }}
  table, caption, tbody, tr, th, td {{ display: block; }}
  tr {{ padding: .5rem 0; border-bottom: 1px solid #8a8a8a; }}
  th, td {{ border: 0; padding: 0; overflow-wrap: anywhere; }}
  td::before {{ content: attr(data-name) ": "; color: #4d4d4d; }}
}}
@page {{ margin: 16mm; }}
@media print {{
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  h2, h3, caption {{ break-after: avoid; }}
  tr, figure, .verdict {{ break-inside: avoid; }}
  .verdict {{ print-color-adjust: exact; }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""

_FOOT = """\
</main>
<footer><p>Made by Overt's laboratory. There is no picture and no template of anyone in this file.</p></footer>
</body>
</html>
"""


def render(report: Report) -> bytes:
    """Return the HTML of a report."""
    plots = draw(report, "svg")
    parts = [_HEAD.format(title=escape(report.title))]
    parts += [piece for block in content(report) for piece in _block(block, plots)]
    return "".join([*parts, _FOOT]).encode()


def _block(block: Block, plots: Mapping[str, bytes]) -> Iterator[str]:
    match block:
        case Heading(text=text, level=level):
            yield f"<h{level}>{escape(text)}</h{level}>\n"
        case Paragraph(words=words, tone=""):
            yield f"<p>{_inline(words)}</p>\n"
        case Paragraph(words=words, tone=tone):
            yield f'<p class="verdict {tone}">{_inline(words)}</p>\n'
        case Points(items=items) if items:
            yield "<ul>\n"
            yield from (f"<li>{_inline(item)}</li>\n" for item in items)
            yield "</ul>\n"
        case Plot():
            source = base64.b64encode(plots[block.name]).decode()
            yield f'<figure><img src="data:image/svg+xml;base64,{source}" alt="{escape(block.alternative)}">\n'
            yield f"<figcaption>{escape(block.caption)}</figcaption></figure>\n"
        case Table():
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    yield f'<div class="table" role="region" tabindex="0" aria-label="{escape(table.caption)}">\n'
    kind = escape(table.caption.split()[0])
    yield f'<table class="{kind}"><caption>{escape(table.caption)}</caption>\n<thead><tr>'
    yield "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    yield "</tr></thead>\n<tbody>\n"
    for row in table.rows:
        yield f"<tr>{_row(table.header, row)}</tr>\n"
    yield "</tbody></table></div>\n"


def _row(header: Sequence[str], row: Sequence[Words]) -> str:
    cells = [f'<th scope="row">{_inline(row[0])}</th>']
    for name, words in zip(header[1:], row[1:], strict=True):
        cells.append(f'<td data-name="{escape(name)}">{_inline(words)}</td>')
    return "".join(cells)


def _inline(words: Words) -> str:
    return "".join(
        f'<span data-figure="{escape(run.path)}">{escape(run.text)}</span>' if isinstance(run, Figure) else escape(run)
        for run in words
    )
