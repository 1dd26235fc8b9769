"""Results as tables on a terminal."""

from rich.console import Console
from rich.table import Table

from .environment import Environment
from .live import Live
from .networks import Networks
from .peers.outcome import Peers
from .pipeline import Pipeline
from .results import Outcome
from .searching import Searches
from .statistics import Spread

_SPREAD = ("least", "median", "p95", "p99", "most", "deviation")


def show(outcome: Outcome, console: Console, part: str = "") -> None:
    """Print an outcome.

    Args:
        outcome: What was measured.
        console: Where to.
        part: Of a deployment: "latency" or "memory"; both when empty.
    """
    console.print(_where(outcome.environment), highlight=False, soft_wrap=True)
    match outcome.result:
        case Pipeline() as result:
            _pipeline(result, console)
        case Networks() as result:
            _networks(result, console)
        case Searches() as result:
            _searches(result, console)
        case Live() as result:
            if part != "memory":
                _latency(result, console)
            if part != "latency":
                _memory(result, console)
        case Peers() as result:
            _peers(result, console)


def table_of(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> Table:
    """Make a table: the first column reads from the left, numbers from the right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def numbers(spread: Spread) -> list[str]:
    """The figures of a spread, in the order of its columns."""
    return [short(getattr(spread, name)) for name in _SPREAD]


def short(value: float | None) -> str:
    """A number with three significant digits; a dash for none."""
    if value is None:
        return "-"
    if abs(value) >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004 - likewise


def _where(environment: Environment) -> str:
    pinned = "all cores" if environment.pinned is None else f"core {environment.pinned}, one thread"
    return f"{environment.cpu}, {pinned}, Linux {environment.kernel}, Python {environment.python}, {environment.taken}"


def _pipeline(result: Pipeline, console: Console) -> None:
    for scene in result.scenes:
        rows = [["all", str(scene.pictures), *numbers(scene.ms)]]
        rows.append(["without decoding", str(scene.pictures), *numbers(scene.without_decoding_ms)])
        rows += [[f"{group.people} in view", str(group.pictures), *numbers(group.ms)] for group in scene.in_view]
        columns = ("CPU ms a picture", "pictures", *_SPREAD)
        console.print(table_of(f"{scene.name}: cost of a picture", columns, rows))
        stages = [[stage.name, short(stage.mean_ms), f"{stage.share:.1%}"] for stage in scene.stages]
        console.print(table_of(f"{scene.name}: where it goes", ("stage", "mean ms", "share"), stages))
        sizes = [[f"{row.width} px", str(row.shown), f"{row.found / row.shown:.1%}"] for row in scene.by_size]
        console.print(table_of(f"{scene.name}: faces found in single pictures", ("width", "shown", "found"), sizes))
        said = scene.recognition
        console.print(
            f"{scene.false_detections} false detections, {scene.embedded} faces embedded; {said.recognised} of "
            f"{said.passages} passages recognised, {said.false_alerts} false alerts from {said.others} others\n",
            highlight=False,
        )


def _networks(result: Networks, console: Console) -> None:
    peak = result.peak
    console.print(
        f"this core at best: {short(peak.float_gmac_s)} GMAC/s float, {short(peak.int8_gmac_s)} GMAC/s int8, "
        f"{short(peak.read_gb_s)} GB/s read from memory",
        highlight=False,
    )
    rows = [
        [
            f"{network.name}{' *' if network.used else ''}",
            network.kind,
            f"{network.multiply_adds / 1e6:,.0f} M",
            f"{network.weight_bytes / 1e6:.2f} MB",
            *numbers(network.ms),
            short(network.gmac_s),
            "-" if network.share_of_peak is None else f"{network.share_of_peak:.0%}",
            short(network.weights_gb_s),
        ]
        for network in result.networks
    ]
    columns = ("file (* in use)", "kind", "multiply-adds", "weights", *_SPREAD, "GMAC/s", "of peak", "weights GB/s")
    console.print(table_of("networks: CPU ms a picture or a face", columns, rows))
    for name, why in result.refused.items():
        console.print(f"{name}: not measured: {why}", highlight=False, soft_wrap=True)


def _searches(result: Searches, console: Console) -> None:
    rows = [
        [
            f"{row.entries:,}",
            *numbers(row.ms),
            short(row.four_ms.median),
            f"{row.bytes / 1e6:,.1f} MB",
            short(row.gb_s),
            f"{row.share_of_peak:.0%}",
        ]
        for row in result.searches
    ]
    columns = ("listed", *_SPREAD, "four faces", "read", "GB/s", "of memory's")
    console.print(table_of("searches: CPU ms a face", columns, rows))
    console.print(f"this core reads {short(result.peak.read_gb_s)} GB/s from memory", highlight=False)


def _latency(result: Live, console: Console) -> None:
    latency = result.latency
    named = (
        ("captured to subscriber", latency.whole),
        ("  captured to decided", latency.seeing),
        ("  decided to sealed", latency.sealing),
        ("  sealed to subscriber", latency.carrying),
    )
    rows = [[name, *numbers(spread)] for name, spread in named]
    console.print(table_of(f"latency of {latency.alerts} alerts, ms", ("", *_SPREAD), rows))
    if latency.alerts < 100:  # noqa: PLR2004 - as a percentile needs
        console.print("fewer than 100 alerts: p99 is the slowest of them", highlight=False)
    said = ", ".join(f"{name} {seconds:.0f} s with {count} alerts" for name, seconds, count in result.runs)
    ready = ", ".join(f"{seconds:.2f} s" for seconds in latency.ready_s)
    console.print(f"runs: {said}\nfrom start to the unit's first word: {ready}", highlight=False)


def _memory(result: Live, console: Console) -> None:
    rows = [
        [
            one.name,
            "unit" if one.unit else "elsewhere",
            *(short(v) for v in (one.pss, one.pss_peak, one.rss, one.rss_peak)),
        ]
        for one in result.memory
    ]
    rows.append(["the whole unit", "", short(result.unit_pss), short(result.unit_pss_peak), short(result.unit_rss), ""])
    columns = ("process", "runs on", "PSS", "PSS peak", "RSS", "RSS peak")
    console.print(table_of(f"resident memory, MB (limit for a unit: {result.limit})", columns, rows))


def _peers(result: Peers, console: Console) -> None:
    ours = next((one for one in result.contenders if one.name == "overt"), None)
    rows = []
    for one in result.contenders:
        found = {row.width: f"{row.found / row.shown:.0%}" for row in one.by_size}
        said = one.recognition
        rows.append(
            [
                one.name,
                short(one.ms.median),
                short(one.ms.p95),
                short(one.decoded_ms),
                "-" if ours is None else f"{one.ms.median / ours.ms.median:.1f}x",
                short(one.empty_ms),
                *(found.get(width, "-") for width in (20, 30, 40, 60, 80, 120)),
                str(one.false_detections),
                f"{said.recognised}/{said.passages}",
                str(said.false_alerts),
                short(one.peak_mb),
            ]
        )
    columns = ("", "ms", "p95", "+decode", "of Overt's", "empty", "20 px", "30", "40", "60", "80", "120", "false",
               "passages", "false alerts", "MB")  # fmt: skip
    console.print(table_of("peers: CPU ms a picture with six people; faces found by width", columns, rows))
    for name, why in result.missing.items():
        console.print(f"{name}: left out: {why}", highlight=False, soft_wrap=True)
