"""The plots of a report: shares of each group with what they are likely between."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from overt_tools.evaluate.findings import GroupShares

from .comparison import plot_name
from .model import Report

_WIDTH_IN = 4.6  # so that writing is still large enough on a narrow screen
_DOT, _LINE = "#0072B2", "#D55E00"  # Okabe and Ito's palette (2008): told apart by people who do not see all colours
_STYLE = {
    "svg.hashsalt": "overt",  # the same plot is the same file
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(report: Report, kind: str) -> dict[str, bytes]:
    """Return the plots of a report by name.

    Args:
        report: The report.
        kind: "svg" or "png".
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and help must be quick

    mpl.use("Agg")
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    outcome = {}
    with mpl.rc_context(_STYLE):
        for number, comparison in enumerate(report.groups.comparisons):
            groups = comparison.at[report.groups.main].groups
            drawing = Figure(figsize=(_WIDTH_IN, 2.0 + 0.62 * max(1, len(groups))), layout="constrained")
            above, below = drawing.subplots(2)
            _shares(above, groups, "tpir", 100)
            above.set_xlabel("recognised, % of looks at listed people (more is better)")
            _shares(below, groups, "fpir", 1000)
            below.axvline(report.groups.ceiling * 1000, color=_LINE, linestyle="--", label="most that an order allows")
            below.set_xlim(left=0)
            below.set_xlabel("false alerts in 1,000 faces of others (fewer is better)")
            below.legend(frameon=False, loc="lower right", fontsize=8)
            buffer = BytesIO()
            metadata = {"Date": None} if kind == "svg" else None
            drawing.savefig(buffer, format=kind, dpi=200, metadata=metadata)
            outcome[plot_name(number)] = buffer.getvalue()
    return outcome


def _shares(axes: Any, groups: Sequence[GroupShares], kind: str, scale: float) -> None:  # noqa: ANN401 - untyped library
    for row, group in enumerate(groups):
        share = getattr(group, kind)
        if share is None:
            continue
        low, high = (limit * scale for limit in share.interval)
        middle = share.rate * scale
        axes.errorbar(middle, row, xerr=[[middle - low], [high - middle]], fmt="o", color=_DOT, capsize=4, linewidth=2)
        axes.annotate(f"{middle:.1f}" if kind == "tpir" else f"{middle:.2f}", (middle, row), (0, 6),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(groups)), [group.name for group in groups])
    axes.set_ylim(len(groups) - 0.4, -0.7)
    axes.grid(axis="x", alpha=0.3)
