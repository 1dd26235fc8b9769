"""The figures of an evaluation in a few lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any


def of_verification(result: Mapping[str, Any]) -> str:
    """Say what a verification gave."""
    accuracy, error = result["accuracy"], result["accuracy_standard_error"]
    lines = [
        f"pairs       {result['same']} of one person, {result['different']} of two, in {len(result['folds'])} folds",
        f"accuracy    {accuracy:.4f} with a standard error of {error:.4f}",
    ]
    for point, share in result["tar"].items():
        accepted = f"{result['false_accepts'][point]} of {result['different']} pairs falsely accepted"
        lines.append(_point("FAR", point, "TAR", share, result["tar_interval"], result["threshold"]) + accepted)
    without = result["images_without_face"]
    lines.append(f"no face     in {len(without)} of {result['images']} images{_first(without)}")
    return "\n".join([*lines, *_common(result)])


def of_identification(result: Mapping[str, Any]) -> str:
    """Say what an identification gave."""
    low, high = result["rank1_interval"]
    failed, refused = result["failed_to_enrol"], result["would_be_refused"]
    lines = [
        f"listed      {result['watchlist']}: {failed} failed to enrol, an office would refuse {refused} others",
        f"probes      {result['probes']}, of them {result['probes_without_face']} without a face",
        f"impostors   {result['impostors']}, of them {result['impostors_without_face']} without a face",
        f"rank 1      {result['rank1']:.4f} ({low:.4f} to {high:.4f})",
    ]
    for point, share in result["tpir"].items():
        alerts = f"{result['false_alerts'][point]} false alerts, {result['false_alerts_allowed'][point]} allowed"
        lines.append(_point("FPIR", point, "TPIR", share, result["tpir_interval"], result["threshold"]) + alerts)
    for point, missed in result["misses"].items():
        kinds = "".join(f", {count} {kind}" for kind, count in missed["kinds"].items())
        lines.append(f"misses      {missed['count']} at FPIR {point}{kinds}")
    groups = result.get("groups", {}).get("images", {})
    for name, counts in groups.items():
        lines.append(f"{name:<11} {', '.join(f'{group} {count}' for group, count in counts.items())}")
    return "\n".join([*lines, *_common(result)])


def of_conditions(result: Mapping[str, Any]) -> str:
    """Say what was found out about conditions, as a table for each."""
    at = f"threshold {result['threshold']:.4f} for FPIR {result['fpir']}"
    lines = [
        f"{result['watchlist']} listed, {at}; all probes as they are: TPIR {result['tpir_of_the_stills']:.3f}",
        f"{'':<14}{'probes':>8}{'found':>9}{'gates':>9}{'TPIR':>9}{'score':>9}{'sharp':>9}",
        _step("nothing done", result["reference"]),
    ]
    for name, condition in result["conditions"].items():
        lines += ["", f"{name}: {condition['unit']}"]
        lines += [_step(f"  {step['level']}", step) for step in condition["steps"] if step["probes"]]
    return "\n".join([*lines, "", f"model set   {result['model_set']}, digest {result['model_digest']}"])


def _step(label: str, step: Mapping[str, Any]) -> str:
    values = [step[key] for key in ("detection", "passing_gates", "tpir", "mean_score", "median_sharpness")]
    return f"{label:<14}{step['probes']:>8}" + "".join(
        f"{'-':>9}" if value is None else f"{value:>9.3f}" for value in values
    )


def _point(
    at: str, point: str, what: str, share: float, intervals: Mapping[str, Any], threshold: Mapping[str, float]
) -> str:
    low, high = intervals[point]
    return f"{at} {point:<{10 - len(at)}} {what} {share:.4f} ({low:.4f} to {high:.4f})  at {threshold[point]:.4f}  "


def _common(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if result["unreadable"]:
        lines.append(f"no picture  {len(result['unreadable'])} files{_first(result['unreadable'])}")
    if result["ms_per_face"] is not None:
        lines.append(f"time        {result['ms_per_face']:.1f} ms a face (align and embed, median)")
    lines.append(f"model set   {result['model_set']}, digest {result['model_digest']}")
    return lines


def _first(names: Sequence[str], most: int = 3) -> str:
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f": {', '.join(names[:most])}{more}"
