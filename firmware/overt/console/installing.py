"""What root does of an update: installs the bundle that came over the cable, and judges the release that it holds.

`install` writes it into the slot that does not run and has the unit start with it, on trial. `confirm`, at each start,
is the health gate: a release on trial is good when the unit is as well with it as it was before; otherwise its slot
never starts again. A release that does not even get so far is given up by the loader, after three attempts.

A power cut at any instant leaves the release before, or the new one on trial: the trial is written down before the slot
is written to, and the bundle is kept until it is all there.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from overt import __version__
from overt.console.slots import Slots, SlotsProblem, Verdict, other
from overt.console.update import BUNDLE, STATE
from overt.protocol.cable.updates import Progress, Stage
from overt.protocol.reports import Status
from overt.protocol.vocabulary import Cause
from overt.runtime import log
from overt.runtime.files import sync_folder, write_atomically

TRIAL: Final = "trial.json"
GATE_S: Final = 300.0
"""So long a release may take to find itself well; then it is given up."""
STEADY_S: Final = 30.0
"""So long it has to be well without a break."""
LOOK_EVERY_S: Final = 5.0
_GATED: Final = frozenset(
    {
        *(Cause.VISION_ABSENT, Cause.VISION_REFUSED, Cause.MODEL_OTHER, Cause.MODEL_FAILED, Cause.UPLINK_ABSENT),
        *(Cause.CAMERA_ABSENT, Cause.CAMERA_SILENT, Cause.CAMERA_FROZEN, Cause.CAMERA_BLACK, Cause.CAMERA_UNFIT),
        *(Cause.LAMP_ABSENT, Cause.LAMP_UNREADABLE, Cause.LAMP_DARK, Cause.ENCLOSURE_UNREADABLE),
        *(Cause.STORAGE_FULL, Cause.STORAGE_READ_ONLY, Cause.STORAGE_FAILING),
        *(Cause.RECEIVER_SILENT, Cause.TEMPERATURE_UNKNOWN, Cause.ACCELERATOR_LOST),
    }
)
"""What a release may bring. The rest is about the world: the sky, the heat, the hour, the network."""
_LINE_MAX: Final = 200

Look = Callable[[], Status | None]
"""Returns the unit's status; None: nobody answers."""


class Trial(msgspec.Struct, frozen=True):
    """A release that has to show itself good.

    Attributes:
        slot: Where it lies.
        version: Which it is.
        causes: What was to be seen to before it.
        bundle: When its bundle was written, Unix nanoseconds: another one that came meanwhile is left alone.
        reason: Why it was given up, if it was.
    """

    slot: str
    version: str
    causes: tuple[Cause, ...] = ()
    bundle: int = 0
    reason: str | None = None


class _Refused(Exception):
    pass


def install(spool: Path, kept: Path, slots: Slots, look: Look) -> Stage:
    """Install the bundle that waits in the console's folder, and have the unit start with it. It is gone afterwards.

    Args:
        spool: The console's folder.
        kept: Root's own.
        slots: The unit's.
        look: Asks the warden.

    Returns:
        How far it is: `REBOOTING`, `REFUSED`, or `NOTHING` without a bundle.

    Raises:
        OSError: A folder cannot be read or written.
    """
    bundle = spool / BUNDLE
    if not bundle.is_file():
        return Stage.NOTHING
    _tell(spool, Stage.INSTALLING)
    try:
        trial = _require_fit(bundle, slots, look())
        write_atomically(kept / TRIAL, msgspec.json.encode(trial))
        log.event("update.installing", release=trial.version)
        slots.install(bundle)
        stage, detail = Stage.REBOOTING, f"with release {trial.version}"
        _tell(spool, stage, detail)
    except (_Refused, SlotsProblem) as error:
        (kept / TRIAL).unlink(missing_ok=True)
        stage, detail = Stage.REFUSED, str(error)
        _tell(spool, stage, detail)
    _remove(bundle)
    log.event(f"update.{stage.value}", "info" if stage is Stage.REBOOTING else "warning", detail=detail)
    if stage is Stage.REBOOTING:
        slots.restart()
    return stage


def confirm(
    spool: Path,
    kept: Path,
    slots: Slots,
    look: Look,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Stage:
    """Judge the release that has started.

    Args:
        spool: The console's folder.
        kept: Root's own.
        slots: The unit's.
        look: Asks the warden.
        pause: Waits so many seconds.
        clock: Seconds that only go forward.

    Returns:
        `GOOD`, `ROLLED_BACK` (this is the release before, or will be after the next start), `INSTALLING` (an
        interrupted installation goes on), or `NOTHING`: no release is on trial.

    Raises:
        SlotsProblem: The slot cannot be marked.
        OSError: A folder cannot be read or written.
    """
    booted = slots.booted()
    if booted is None:
        return Stage.NOTHING
    trial = _read(kept / TRIAL)
    if trial is None:  # it has shown itself good before
        slots.mark(Verdict.GOOD)
        return Stage.NOTHING
    if trial.slot != booted:
        slots.mark(Verdict.GOOD)
        if (spool / BUNDLE).exists():
            return Stage.INSTALLING
        return _back(spool, kept, trial)
    if _written(spool / BUNDLE) == trial.bundle:  # the power was cut before it was removed
        _remove(spool / BUNDLE)
    why = _why_not_well(trial, look, pause, clock)
    if why is None:
        return _good(spool, kept, slots, trial)
    log.event("update.not_well", "error", release=trial.version, detail=why)
    write_atomically(kept / TRIAL, msgspec.json.encode(msgspec.structs.replace(trial, reason=why)))
    slots.mark(Verdict.BAD)
    slots.restart()
    return Stage.ROLLED_BACK


def _require_fit(bundle: Path, slots: Slots, status: Status | None) -> Trial:
    """Return the trial of the release that a bundle holds; refuse what does not belong here, or not now."""
    compatible, booted = slots.compatible(), slots.booted()
    if compatible is None or booted is None:
        raise _Refused("this unit's system has no second slot: install the package of the new release instead")
    release = slots.inspect(bundle)
    if release.compatible != compatible:
        raise _Refused(f"expected an update for {compatible}, found one for {release.compatible}")
    if _order(release.version) < _order(__version__):
        raise _Refused(f"expected release {__version__} or a later one, found {release.version}")
    if status is not None and status.order is not None:
        raise _Refused("a deployment is in hand: bring the update when it has ended, or end it first")
    return Trial(
        slot=other(booted),
        version=release.version,
        causes=() if status is None else status.causes,
        bundle=_written(bundle),
    )


def _order(version: str) -> tuple[int, ...]:
    """Return what releases are compared by."""
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        raise _Refused(f"expected a release such as {__version__}, found {version}") from None


def _why_not_well(trial: Trial, look: Look, pause: Callable[[float], None], clock: Callable[[], float]) -> str | None:
    """Return None once the unit has been well for a while; what was the matter when it has not in time."""
    until, well_since, why = clock() + GATE_S, None, "nobody looked"
    while clock() < until:
        found = _matter(trial, look())
        if found is not None:
            well_since, why = None, found
        elif well_since is None:
            well_since = clock()
        elif clock() - well_since >= STEADY_S:
            return None
        pause(LOOK_EVERY_S)
    return why


def _matter(trial: Trial, status: Status | None) -> str | None:
    if status is None:
        return "its warden does not answer"
    new = sorted(cause.value for cause in _GATED & set(status.causes) - set(trial.causes))
    return f"with it: {', '.join(new)}" if new else None


def _good(spool: Path, kept: Path, slots: Slots, trial: Trial) -> Stage:
    slots.mark(Verdict.GOOD)
    _tell(spool, Stage.GOOD)
    _remove(kept / TRIAL)
    log.event("update.good", release=trial.version)
    return Stage.GOOD


def _back(spool: Path, kept: Path, trial: Trial) -> Stage:
    detail = f"release {trial.version}: {trial.reason or 'it did not start'}"
    _tell(spool, Stage.ROLLED_BACK, detail)
    _remove(kept / TRIAL)
    log.event("update.rolled_back", "warning", detail=detail)
    return Stage.ROLLED_BACK


def _tell(spool: Path, stage: Stage, detail: str | None = None) -> None:
    """Write down how far it is; the console reads it."""
    line = detail if detail is None else " ".join(detail.split())[:_LINE_MAX]
    write_atomically(
        spool / STATE, msgspec.json.encode(Progress(stage=stage, version=__version__, detail=line or None)), 0o644
    )


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _read(path: Path) -> Trial | None:
    """Return the release on trial. A note that cannot be read is none: power cuts leave none such."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Trial)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.event("update.trial_unreadable", "error", detail=str(error))
        return None
