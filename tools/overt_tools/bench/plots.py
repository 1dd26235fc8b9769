"""The plots of the page of figures, as SVG. No picture of anybody is in them."""

import io
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from .document import Document
from .page import EMPTY
from .stages import STAGES

_SIZE = (7.2, 3.6)
_COLOURS = ("#1b6ca8", "#6ba3c9", "#c8553d", "#588157", "#8d6a9f")
_STAGE_COLOURS = "tab20"


PLOTS = tuple(f"benchmarks-{name}.svg" for name in ("stages", "people", "search", "cost", "sizes"))
"""The files, beside the page's data."""


def draw_all(document: Document) -> dict[str, bytes]:
    """Draw every plot; SVG files by name."""
    return {name: draw(name, document) for name in PLOTS}


def draw(name: str, document: Document) -> bytes:
    """Draw one plot.

    Args:
        name: One of `PLOTS`.
        document: The figures.

    Returns:
        SVG; the same bytes for the same figures and the same version of Matplotlib.
    """
    drawing = dict(zip(PLOTS, (_stages, _people, _search, _cost, _sizes), strict=True))[name]
    settings = {"svg.hashsalt": "overt", "svg.fonttype": "none", "font.size": 9.0, "axes.spines.top": False,
                "axes.spines.right": False}  # fmt: skip
    with plt.rc_context(settings):
        figure, axes = plt.subplots(figsize=_SIZE, layout="constrained")
        drawing(axes, document)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    return out.getvalue()


def _stages(axes: Any, document: Document) -> None:  # noqa: ANN401 - Matplotlib publishes no types here
    scenes = [scene for scene in document.pipeline.scenes if scene.recognition.passages or scene.name == EMPTY]
    colours = matplotlib.colormaps[_STAGE_COLOURS]
    left = [0.0] * len(scenes)
    for number, name in enumerate(STAGES):
        widths = [next((s.mean_ms for s in scene.stages if s.name == name), 0.0) for scene in scenes]
        axes.barh([scene.name for scene in scenes], widths, left=left, color=colours(number), label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_xlabel("CPU milliseconds a picture, one core")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)


def _people(axes: Any, document: Document) -> None:  # noqa: ANN401 - as above
    for scene, colour in zip(document.pipeline.scenes, _COLOURS, strict=False):
        if scene.recognition.passages:
            people = [group.people for group in scene.in_view]
            axes.plot(people, [group.ms.median for group in scene.in_view], "o-", color=colour, label=scene.name)
            axes.plot(people, [group.ms.p95 for group in scene.in_view], ":", color=colour, label=f"{scene.name}, p95")
    axes.set(xlabel="people in view", ylabel="CPU milliseconds a picture", ylim=(0, None))
    axes.legend(frameon=False)


def _search(axes: Any, document: Document) -> None:  # noqa: ANN401 - as above
    rows = document.match.searches
    axes.loglog([row.entries for row in rows], [row.ms.median for row in rows], "o-", color=_COLOURS[0])
    axes.axhline(1.0, color="grey", linewidth=0.8, linestyle="--")
    axes.axvline(20_000, color="grey", linewidth=0.8, linestyle="--")
    axes.set(xlabel="people listed", ylabel="CPU milliseconds a face")


def _cost(axes: Any, document: Document) -> None:  # noqa: ANN401 - as above
    rows = document.peers.contenders[::-1]
    bars = axes.barh([row.name for row in rows], [row.ms.mean for row in rows], color=_COLOURS[0], log=True)
    axes.bar_label(bars, [f"{row.ms.mean:,.0f} ms" for row in rows], padding=3)
    axes.set_xlabel("CPU milliseconds a picture with six people, on average, decoding excluded (logarithmic)")
    axes.set_xlim(1, 3 * max(row.ms.mean for row in rows))


def _sizes(axes: Any, document: Document) -> None:  # noqa: ANN401 - as above
    for number, (row, colour) in enumerate(zip(document.peers.contenders, _COLOURS, strict=False)):
        if row.name != "overt":  # finds what the other row of Overt finds
            widths = [size.width for size in row.by_size]
            shares = [100 * size.found / size.shown for size in row.by_size]
            axes.plot(widths, shares, "o-", color=colour, label=row.name, linewidth=6 - number, markersize=8 - number)
    axes.set(xlabel="width of the face's box, pixels of 1920 x 1080", ylabel="faces found, %", ylim=(-3, 103))
    axes.legend(frameon=False)
