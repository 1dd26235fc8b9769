"""Plots of evaluations, drawn without a display: SVG to print, PNG to look at. Scores only; no face is in them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from overt.recognition.arrays import Floats
from overt.runtime.cli import Failure
from overt.runtime.files import write_atomically

from . import rates
from .trials import NO_FACE, Trials, Truths

_SIZE_IN, _CELL_IN = (6.4, 4.2), (3.4, 2.3)
_COLUMNS = 3
_BINS = np.linspace(-0.4, 1.0, 71)
_LOWEST_RATE = 1e-4
# Okabe and Ito's palette (2008): told apart by people who do not see all colours.
GENUINE, IMPOSTOR, MARK = "#0072B2", "#D55E00", "#009E73"

_STYLE = {
    "svg.hashsalt": "overt",  # the same plot is the same file
    "svg.fonttype": "none",  # a tenth of the size; whatever shows it has a plain font
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def figure(
    folder: Path, name: str, formats: tuple[str, ...] = ("svg", "png"), grid: tuple[int, int] = (1, 1)
) -> Iterator[Any]:
    """Give axes to draw on, and write what was drawn as name.svg and name.png.

    Args:
        folder: Where to; made if need be.
        name: Of the files.
        formats: Which of them to write.
        grid: Rows and columns; with more than one of either, an array of axes is given.

    Raises:
        Failure: The folder cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy

    mpl.use("Agg")
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    with mpl.rc_context(_STYLE):
        size = _SIZE_IN if grid == (1, 1) else (_CELL_IN[0] * grid[1], _CELL_IN[1] * grid[0])
        drawing = Figure(figsize=size, layout="constrained")
        yield drawing.subplots(*grid)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for kind in formats:
                buffer = BytesIO()
                drawing.savefig(buffer, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
                write_atomically(folder / f"{name}.{kind}", buffer.getvalue(), mode=0o644)
        except OSError as error:
            raise Failure(f"cannot write plots into {folder}: {error.strerror}; choose another --plots") from error


def verification(folder: Path, scores: Floats, same: Truths, result: Mapping[str, Any]) -> None:
    """Draw the trade-off of false rejects and false accepts, and the scores of both kinds of pairs.

    Args:
        folder: Where to.
        scores: (n,) float32, of pairs.
        same: (n,) bool: of one person.
        result: The figures.
    """
    genuine, other = scores[same], scores[~same]
    with figure(folder, "verification-det") as axes:
        _trade_off(axes, other, lambda at: 1 - rates.shares_above(genuine, at))
        for point in rates.POINTS:
            axes.plot(float(point), max(1 - result["tar"][point], _LOWEST_RATE), "o", color=MARK)
        axes.set(xlabel="falsely accepted pairs of two people (FAR)", ylabel="falsely rejected pairs of one person")
        axes.set_yscale("log")
    _distributions(folder, "verification-scores", {"one person": genuine, "two people": other}, result["threshold"])


def identification(folder: Path, trials: Trials, result: Mapping[str, Any]) -> None:
    """Draw TPIR against FPIR with the reported points marked, and the scores of both kinds of searches.

    Args:
        folder: Where to.
        trials: The scores.
        result: The figures.
    """
    own = np.where(trials.correct, trials.genuine, np.float32(NO_FACE))
    with figure(folder, "identification-tpir") as axes:
        _trade_off(axes, trials.impostor, lambda at: rates.shares_above(own, at))
        for point in rates.POINTS:
            share = result["tpir"][point]
            low, high = result["tpir_interval"][point]
            axes.errorbar(float(point), share, [[share - low], [high - share]], fmt="o", color=MARK, capsize=3)
            axes.annotate(f"{share:.3f}", (float(point), share), (6, -12), textcoords="offset points")
        axes.set(
            xlabel="false alerts per search for someone not listed (FPIR)", ylabel="recognised of the listed (TPIR)"
        )
    searches = {"listed, own entry": trials.genuine, "not listed, best entry": trials.impostor}
    _distributions(folder, "identification-scores", searches, result["threshold"])


def conditions(folder: Path, result: Mapping[str, Any]) -> None:
    """Draw, for each condition, what is found, what passes the gates and what is recognised at each level.

    Args:
        folder: Where to.
        result: The figures, see `conditions.evaluate`.
    """
    names = list(result["conditions"])
    rows = -(-len(names) // _COLUMNS)
    with figure(folder, "conditions", grid=(rows, _COLUMNS)) as grid:
        for name, axes in zip(names, grid.flat, strict=False):
            _condition(axes, name, result["conditions"][name])
        for axes in grid.flat[len(names) :]:
            axes.axis("off")
        grid.flat[0].legend(frameon=False, fontsize=7, loc="lower right")


def _condition(axes: Any, name: str, condition: Mapping[str, Any]) -> None:  # noqa: ANN401 - matplotlib is untyped
    steps = [step for step in condition["steps"] if step["probes"]]
    places = np.arange(len(steps))
    for key, colour, label in (
        ("detection", "#999999", "found"),
        ("passing_gates", MARK, "pass the gates"),
        ("tpir", GENUINE, "recognised"),
    ):
        axes.plot(places, [step[key] for step in steps], ".-", color=colour, label=label)
    low, high = zip(*(step["tpir_interval"] for step in steps), strict=True)
    axes.fill_between(places, low, high, color=GENUINE, alpha=0.15, linewidth=0)
    levels = [step["level"] for step in steps]
    axes.set_xticks(places, levels, fontsize=7, rotation=45 if "to" in " ".join(levels).split() else 0)
    axes.set_ylim(0, 1.03)
    axes.set_title(name, fontsize=9)
    axes.set_xlabel(condition["unit"], fontsize=7)


def _trade_off(axes: Any, other: Floats, share: Callable[[Floats], Any]) -> None:  # noqa: ANN401 - matplotlib is untyped
    """Draw a share of genuine trials at every threshold against the share of false ones, on a logarithmic axis."""
    thresholds = np.unique(np.append(other, np.float32(1)))
    false = rates.shares_above(other, thresholds)
    shown = false >= _LOWEST_RATE
    axes.plot(false[shown], share(thresholds[shown]), color=GENUINE, drawstyle="steps-post")
    axes.set_xscale("log")
    axes.set_xlim(max(_LOWEST_RATE, 0.5 / other.size), 1)


def _distributions(folder: Path, name: str, scores: Mapping[str, Floats], threshold: Mapping[str, float]) -> None:
    with figure(folder, name) as axes:
        for (label, values), colour in zip(scores.items(), (GENUINE, IMPOSTOR), strict=True):
            seen = values[values > NO_FACE]
            weights = np.full(seen.size, 1 / max(values.size, 1))
            axes.hist(seen, _BINS, weights=weights, alpha=0.6, color=colour, label=label)
        for line, (point, at) in enumerate(threshold.items()):
            axes.axvline(at, color=MARK, linewidth=1)
            height = (0.98 - 0.05 * line) * axes.get_ylim()[1]
            axes.annotate(point, (at, height), (3, 0), textcoords="offset points", va="top", fontsize=7)
        axes.set(xlabel="score (cosine)", ylabel="share")
        axes.legend(frameon=False)
