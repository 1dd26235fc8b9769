"""The page of figures, in Markdown, from its data alone: the same data gives the same page."""

from collections.abc import Sequence

from .document import Document
from .peers.outcome import Contender
from .statistics import Spread
from .tables import short

EMPTY = "empty"
"""The scene in which nobody comes."""

FLOAT_EMBEDDER = "sface"
"""What a user would take, in the numbers that it comes in."""

_SIZES = (20, 30, 40, 60, 80, 120)


def write(document: Document) -> str:
    """Return docs/benchmarks.md."""
    parts = [
        _head(document),
        _verdict(document),
        _pipeline(document),
        _networks(document),
        _searches(document),
        _latency(document),
        _memory(document),
        _peers(document),
        _FAIR,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; numbers stand at the right."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' + '---:|' * (len(columns) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _spread(spread: Spread) -> tuple[str, ...]:
    values = (spread.least, spread.median, spread.p95, spread.p99, spread.most, spread.deviation)
    return tuple(short(value) for value in values)


_COLUMNS = ("least", "median", "p95", "p99", "most", "MAD")


def _head(document: Document) -> str:
    where = document.environments["pipeline"]
    busy = [name for name, environment in document.environments.items() if environment.busy]
    doubt = f"\n\n**Doubtful:** the machine was busy when these were measured: {', '.join(busy)}." if busy else ""
    packages = ", ".join(f"{name} {version}" for name, version in where.packages.items())
    return f"""
# Benchmarks

Written by `make benchmarks` from the results in [figures/benchmarks.json](figures/benchmarks.json), which holds every
figure of this page and more. A Raspberry Pi's figures are measured on a Raspberry Pi; these are of this machine:

{where.cpu}, {where.cores} cores, {where.memory_mb:,} MB; features used: {", ".join(where.flags)}. Linux {where.kernel},
Python {where.python}. {packages}. Measured {where.taken[:10]}, {where.load:.2f} cores busy just before.{doubt}

Each measurement runs in a process of its own, pinned to one core, with one thread. Times are CPU time of that process,
after a warm-up; MAD is the median absolute deviation from the median. Latency and memory are of the whole
demonstration and not pinned. The footage is 1920 x 1080 at 25 pictures a second, made from two consented recordings:
*street* is the demonstration's (up to two people in view), *crowd* has six people at once, *empty* is the same street
with nobody for half a minute, a camera's noise, a lamp that flickers and a sky that grows lighter; the *size chart*
shows faces of known widths in many places. Run one part alone with:

```
overt-tools bench pipeline
overt-tools bench embed
overt-tools bench match
overt-tools bench latency
overt-tools bench memory
overt-tools bench peers
```
"""


def _verdict(document: Document) -> str:
    """The targets and what was found."""
    contenders = {row.name: row for row in document.peers.contenders}
    ours, theirs = contenders["overt"], contenders.get("face_recognition")
    rows = []
    if theirs is not None:
        ratio = theirs.ms.mean / ours.ms.mean
        rows.append(
            (
                "CPU time a picture with six people, on average, against `face_recognition`",
                "100x less",
                f"{ratio:.0f}x less",
            )
        )
        found = f"{_found(ours, 40)} against {_found(theirs, 40)}"
        rows.append(("40-pixel faces found", "as many or more", found))
    nobody = f"{ours.empty_ms / ours.ms.mean:.0%} of one with six people"
    rows.append(("CPU time a picture of an empty street", "a small fraction", nobody))
    rows += _embedding(document)
    twenty = next((row.ms.median for row in document.match.searches if row.entries == 20_000), None)  # noqa: PLR2004
    rows.append(("search in 20,000 entries", "under 1 ms", f"{short(twenty)} ms"))
    latency, live = document.live.latency, document.live
    rows.append((f"captured to alert, p99 ({latency.alerts} alerts)", "under 150 ms", f"{short(latency.whole.p99)} ms"))
    rows.append(("start to ready", "under 3 s", f"{short(max(latency.ready_s))} s" if latency.ready_s else "-"))
    sums = f"{short(live.unit_pss)} MB by PSS, {short(live.unit_rss)} MB by RSS"
    rows.append(("whole unit, resident", f"under {live.limit} MB", sums))
    return "## Targets\n\n" + table(("what", "target", "found"), rows)


def _embedding(document: Document) -> list[tuple[str, str, str]]:
    """The embedder in use against SFace in floats, where both were measured."""
    networks = document.embed.networks
    ours = next((row for row in networks if row.used and row.role == "embedder"), None)
    theirs = next((row for row in networks if row.name == FLOAT_EMBEDDER), None)
    if ours is None or theirs is None:
        return []
    ratio = theirs.ms.median / ours.ms.median
    return [("one face embedded, against SFace in floats", "2.5x less", f"{ratio:.1f}x less")]


def _found(row: Contender, width: int) -> str:
    size = next((size for size in row.by_size if size.width == width), None)
    return "-" if size is None else f"{100 * size.found / size.shown:.0f}%"


def _pipeline(document: Document) -> str:
    text = ["## A picture's cost", "![stages](figures/benchmarks-stages.svg)"]
    scenes = document.pipeline.scenes
    names = [stage.name for stage in scenes[0].stages]
    streets = [scene for scene in scenes if scene.recognition.passages or scene.name == EMPTY]
    text.append("CPU milliseconds a picture, on average, by stage:")
    by_name = [{stage.name: stage.mean_ms for stage in scene.stages} for scene in streets]
    rows = [(name, *(short(stages.get(name)) for stages in by_name)) for name in names]
    rows.append(("**in all**", *(f"**{short(scene.ms.mean)}**" for scene in streets)))
    text.append(table(("stage", *(scene.name for scene in streets)), rows))
    text.append("By the number of people in view, decoding included:")
    groups = [
        (f"{scene.name}, {group.people} in view", str(group.pictures), *_spread(group.ms))
        for scene in streets
        for group in scene.in_view
    ]
    text.append(table(("", "pictures", *_COLUMNS), groups))
    text.append("![by people in view](figures/benchmarks-people.svg)")
    for scene in streets:
        if scene.name == EMPTY:
            text.append(f"*{EMPTY}*: {scene.false_detections} false detections in {scene.pictures} pictures.")
            continue
        said = scene.recognition
        text.append(
            f"*{scene.name}*: {said.recognised} of {said.passages} passages of the listed volunteer recognised, "
            f"{said.false_alerts} false alerts from {said.others} others' passages, {scene.false_detections} false "
            f"detections in {scene.pictures} pictures, {scene.embedded} faces embedded."
        )
    return "\n\n".join(text)


def _networks(document: Document) -> str:
    peak = document.embed.peak
    rows = [
        (
            f"{row.name}{' (in use)' if row.used else ''}",
            row.kind,
            f"{row.multiply_adds / 1e6:,.0f} M",
            f"{row.weight_bytes / 1e6:.2f} MB",
            f"{row.activation_bytes / 1e6:.0f} MB",
            short(row.ms.least),
            short(row.ms.median),
            short(row.ms.p95),
            short(row.gmac_s),
            "-" if row.share_of_peak is None else f"{row.share_of_peak:.0%}",
            short(row.weights_gb_s),
        )
        for row in document.embed.networks
    ]
    columns = ("file", "numbers", "multiply-adds", "weights", "between layers", "least ms", "median", "p95", "GMAC/s",
               "of peak", "weights GB/s")  # fmt: skip
    whole = "not measured" if peak.int8_gmac_s is None else f"{short(peak.int8_gmac_s)} GMAC/s"
    return (
        "## The networks\n\nMultiply-adds and bytes are counted in each model file's own graph. This core reaches "
        f"at best {short(peak.float_gmac_s)} GMAC/s in float (a large matrix product), {whole} in 8-bit integers, and "
        f"reads {short(peak.read_gb_s)} GB/s from memory.\n\n" + table(columns, rows)
    )


def _searches(document: Document) -> str:
    rows = [
        (
            f"{row.entries:,}",
            *_spread(row.ms),
            short(row.four_ms.median),
            f"{row.bytes / 1e6:,.1f} MB",
            short(row.gb_s),
            f"{row.share_of_peak:.0%}",
        )
        for row in document.match.searches
    ]
    columns = ("listed", *_COLUMNS, "four faces", "read", "GB/s", "of memory's")
    return (
        "## Searches\n\nMilliseconds a face, in lists of people who do not exist. Above 100% of what memory gives, the "
        "list lies in the core's caches.\n\n" + table(columns, rows) + "\n\n![searches](figures/benchmarks-search.svg)"
    )


def _latency(document: Document) -> str:
    latency = document.live.latency
    named = (
        ("captured to subscriber", latency.whole),
        ("captured to decided (vision)", latency.seeing),
        ("decided to sealed (warden)", latency.sealing),
        ("sealed to subscriber (uplink, broker)", latency.carrying),
    )
    rows = [(name, *_spread(spread)) for name, spread in named]
    runs = "; ".join(f"*{name}*, {seconds:.0f} s, {count} alerts" for name, seconds, count in document.live.runs)
    few = "" if latency.alerts >= 100 else " With fewer than 100 of them, p99 is the slowest."  # noqa: PLR2004 - as said
    ready = ", ".join(f"{seconds:.2f}" for seconds in latency.ready_s)
    return (
        f"## Latency\n\nMilliseconds, over all {latency.alerts} alerts of these runs: {runs}.{few} Unit, broker and "
        "control room share this machine, and the subscriber decrypts and verifies before it counts.\n\n"
        + table(("", *_COLUMNS), rows)
        + f"\n\nFrom the start of the daemons to the unit's first word at the control room: {ready} s."
    )


def _memory(document: Document) -> str:
    live = document.live
    rows = [
        (
            one.name,
            "unit" if one.unit else "elsewhere",
            short(one.pss),
            short(one.pss_peak),
            short(one.rss),
            short(one.rss_peak),
        )
        for one in live.memory
    ]
    rows.append(("**the whole unit**", "", short(live.unit_pss), short(live.unit_pss_peak), short(live.unit_rss), ""))
    return (
        "## Memory\n\nMegabytes resident, while recognising and at most. PSS counts a shared page once, RSS "
        "for each. The broker, the control room and the demonstration are Python programs too and share the "
        "interpreter's pages here, so a unit by itself lies between its two sums.\n\n"
        + table(("process", "runs on", "PSS", "PSS peak", "RSS", "RSS peak"), rows)
    )


def _peers(document: Document) -> str:
    result = document.peers
    ours = next(row for row in result.contenders if row.name == "overt")
    costs = [
        (
            f"`{row.name}`",
            *(short(value) for value in (row.ms.mean, row.ms.median, row.ms.p95)),
            short(row.find_ms),
            short(row.decoded_ms),
            f"{row.ms.mean / ours.ms.mean:.1f}",
            short(row.empty_ms),
            short(row.peak_mb),
        )
        for row in result.contenders
    ]
    columns = ("", "mean", "median", "p95", "finding", "with decoding", "times Overt's", "empty street", "MB")
    sizes = [(f"`{row.name}`", *(_found(row, width) for width in _SIZES)) for row in result.contenders]
    passages = [
        (
            f"`{row.name}`",
            str(row.threshold),
            f"{row.recognition.recognised} of {row.recognition.passages}",
            f"{row.recognition.false_alerts} ({row.recognition.others} others)",
            f"{row.false_detections} in {row.pictures:,}",
        )
        for row in result.contenders
    ]
    what = [f"- `{row.name}`: {row.title}. {row.how}." for row in result.contenders]
    left = [f"- `{name}` is left out: {why}" for name, why in result.missing.items()]
    street, crowd, chart, empty = result.sample
    looked = (
        f"Peers look at {street} pictures of the street (one in {result.every[0]}), {crowd} of the crowd (one in "
        f"{result.every[1]} of those with anybody in view), {chart} of the size chart and {empty} of the empty street, "
        "all the same; `overt` looks at every picture. CPU milliseconds a picture with six people in view, decoding "
        "excluded unless said:"
    )
    passed = (
        "Passages of the listed volunteer recognised, each contender with the same stills and the threshold that it "
        "recommends (a likeness):"
    )
    return "\n\n".join(
        [
            "## Against what anyone would pick instead",
            "\n".join(what + left),
            looked,
            table(columns, costs),
            "![cost](figures/benchmarks-cost.svg)",
            "Faces found on the size chart, by the width of the face's box in pixels:",
            table(("", *(f"{width} px" for width in _SIZES)), sizes),
            "![faces found by size](figures/benchmarks-sizes.svg)",
            passed,
            table(("", "threshold", "recognised", "false alerts", "false detections"), passages),
        ]
    )


_FAIR = """
## What is fair, and what is not

- Every peer has the same pictures, already decoded, one core, one thread, and what its own documentation recommends.
  The cost is CPU time, so nobody gains by waiting. Decoding to RGB is added to the peers in "with decoding"; Overt
  decodes but does not convert, and its figure has its own.
- `overt` follows faces and embeds each a few times a passage; peers embed each face of each picture, as their users do.
  `overt-each-face` is Overt used like that, for a comparison of parts.
- `overt` looks for followed faces in windows, and at the whole view several times a second
  ([adr/0010](adr/0010-attention.md)); peers look at the whole view each time. What it misses by that can be seen in
  its passages, and in the data's faces of people who walk; not on the size chart, whose pages hold more faces than
  windows are used for.
- Peers see a sample of the pictures, so they have fewer chances to recognise somebody, and to be wrong, than `overt`,
  which sees all. In real time, on one core, dlib and CenterFace could see no more than that of the crowd.
- The truth about faces comes from the recordings at full size, found by the detector family that Overt uses, whose
  boxes are narrower than dlib's and human's. A found box counts when the middles of both lie within one another and the
  widths differ by less than three times, so no custom of drawing boxes is punished. Heads on the chart stand without
  bodies.
- Two people are few. These figures say what finding and comparing costs, and which sizes are found; they do not say how
  well people are told apart.
- Peers run as installed from their registries; a build for this very processor might be faster.
- The memory of `overt` here is that of the bench's process; a unit's is under "Memory".
"""
