"""A field trial as evidence: orders, passages and alerts become searches, at the threshold of each order."""

import hashlib
import shlex
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from overt.protocol import envelope
from overt.protocol.authority import Checked
from overt.protocol.documents import Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Kind
from overt_tools.evaluate.equal import Measurement
from overt_tools.evaluate.errors import EvaluateError
from overt_tools.evaluate.groups import GIVEN
from overt_tools.evaluate.searches import Evidence, Searches
from overt_tools.evaluate.trials import NO_FACE

from .events import Seen, read_events
from .matching import Outcome, match
from .passages import Passage, Passages, read_passages

NOT_SHOWN = (
    (
        "The testers are the people who came. Whoever did not, or would walk differently unasked, is not seen by this "
        "measurement."
    ),
    "Light, distance, crowding and time of day were those of the trial. At another place measure again.",
    (
        "Passers-by who are no testers are in no group and not among the faces counted; alerts that they raised are "
        "among the false alerts of all."
    ),
    (
        "An alert counts at the threshold of its order alone. At a higher one there would be fewer, but nobody "
        "measured that."
    ),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial gave.

    Attributes:
        order: The threshold and the model are in it.
        passages: Under that order.
        outcome: What came of them.
        seen: What the control room wrote down.
    """

    order: Order
    passages: tuple[Passage, ...]
    outcome: Outcome
    seen: Seen


def read_order(path: Path) -> Checked[Order]:
    """Read an order.

    Raises:
        EvaluateError: It cannot be read, or is none.
    """
    try:
        data = path.read_bytes()
        parsed = envelope.parse(data, Kind.ORDER)
        return Checked(envelope.decode(parsed, Order), parsed.digest(), data)
    except OSError as error:
        raise EvaluateError(f"expected an order in {path}, could not read it: {error.strerror}") from error
    except ProtocolError as error:
        raise EvaluateError(f"expected an order in {path}, found none: {error}") from error


def read_trial(arguments: Namespace) -> tuple[list[Trial], Passages]:
    """Read orders, passages and events, and hold them against one another.

    Raises:
        EvaluateError: They do not fit together.
    """
    orders = [read_order(path) for path in arguments.order]
    passages = read_passages(arguments.passages)
    events = read_events(arguments.events)
    if len({one.document.model for one in orders}) != 1 or len({one.digest for one in orders}) != len(orders):
        raise EvaluateError("expected different orders for one model, found one order twice or several models")
    places = _by_order(passages.passages, orders)
    trials = []
    for number, order in enumerate(orders):
        seen = events.get(order.digest, Seen())
        missing = list(seen.missing())
        if missing:
            unit, sequence = missing[0]
            raise EvaluateError(
                f"expected every alert of the trial, found that {len(missing)} never came, such as alert {sequence} of "
                f"{unit}: give all of the control room's events"
            )
        mine = places[number]
        slack = timedelta(seconds=arguments.slack)
        trials.append(Trial(order.document, mine, match(mine, seen.alerts.values(), slack), seen))
    return trials, passages


def _by_order(passages: Sequence[Passage], orders: Sequence[Checked[Order]]) -> list[tuple[Passage, ...]]:
    places: list[list[Passage]] = [[] for _ in orders]
    for passage in passages:
        fit = [number for number, order in enumerate(orders) if _under(passage, order.document)]
        if not fit:
            raise EvaluateError(
                f"expected passages under the orders given, found line {passage.line}: {passage.unit} at "
                f"{passage.first.isoformat()} is in none (check unit, time and zone)"
            )
        places[fit[0]].append(passage)
    return [tuple(place) for place in places]


def _under(passage: Passage, order: Order) -> bool:
    inside = order.window.start <= passage.first and passage.last <= order.window.end
    return inside and passage.unit in {unit.unit for unit in order.units}


def evidence_of(trials: Sequence[Trial]) -> Evidence:
    """Return the searches of trials at one threshold: an alert scores 1, none `NO_FACE`.

    Raises:
        EvaluateError: Testers of one kind are missing, or false alerts are more than faces.
    """
    listed, others = _searches(trials, listed=True), _searches(trials, listed=False)
    for name, searches in (("on the list", listed), ("not on the list", others)):
        if not searches.subject:
            raise EvaluateError(f"expected passages of testers {name}, found none: a trial needs both kinds")
    stray = sum(one.outcome.stray for one in trials)
    if others.alerts(0) + stray > others.scores.size:
        raise EvaluateError(
            f"expected fewer false alerts than passages of testers not on the list, found {others.alerts(0) + stray} "
            f"and {others.scores.size}: were all passages written down?"
        )
    return Evidence(listed, others, stray)


def _searches(trials: Sequence[Trial], *, listed: bool) -> Searches:
    rows = [
        (passage, at in (trial.outcome.recognised if listed else trial.outcome.stopped))
        for trial in trials
        for at, passage in enumerate(trial.passages)
        if bool(passage.entry) is listed
    ]
    scores = np.array([1.0 if hit else NO_FACE for _, hit in rows], np.float32)
    return Searches(tuple(one.tester for one, _ in rows), tuple(one.groups for one, _ in rows), scores)


def measurement(arguments: Namespace, environment: Mapping[str, Any]) -> Measurement:
    """Return what a trial measured of groups.

    Raises:
        EvaluateError: Files do not fit together, or the orders have several thresholds.
    """
    trials, passages = read_trial(arguments)
    thresholds = sorted({trial.order.threshold for trial in trials})
    if len(thresholds) > 1:
        named = ", ".join(f"{threshold:g}" for threshold in thresholds)
        raise EvaluateError(f"expected orders at one threshold, found {named}: evaluate each by itself")
    return Measurement(
        evidence=evidence_of(trials),
        characteristics=passages.characteristics,
        thresholds=[(GIVEN, thresholds[0])],
        exactly=True,
        title=arguments.title or f"Equal treatment: field trial, {arguments.passages.stem}",
        kind="trial",
        how=_how(trials),
        not_shown=NOT_SHOWN,
        watchlist=_entries(arguments, trials),
        model_set=None,
        model_digest=trials[0].order.model,
        data_set_digest=_digest([arguments.passages, *arguments.order, *arguments.events]),
        labels=arguments.passages,
        command=_command(arguments),
        environment=environment,
    )


def _entries(arguments: Namespace, trials: Sequence[Trial]) -> int:
    """Return how many were listed: of several lists the shortest, which is what is shown for all."""
    if arguments.watchlist_size is not None:
        return int(arguments.watchlist_size)
    found = [trial.seen.entries for trial in trials]
    known = [entries for entries in found if entries is not None]
    if len(known) != len(found):
        raise EvaluateError(
            "expected the certificate of erasure among the events, which says how many were listed, found none: give "
            "--watchlist-size"
        )
    return min(known)


def _digest(paths: Sequence[Path]) -> str:
    """Return SHA-256 over the sorted lines "name sha256" of the files."""
    lines = sorted(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _how(trials: Sequence[Trial]) -> tuple[str, ...]:
    total = {name: sum(getattr(trial.outcome, name) for trial in trials) for name in ("stray", "repeated", "ambiguous")}
    alerts = sum(len(trial.seen.alerts) for trial in trials)
    faces = sum(trial.seen.faces_seen() for trial in trials)
    return (
        (
            "Testers who consented passed units in the open, some of them on the list and some not. They wrote down "
            "when they passed, and how they describe themselves. That was held against the alerts that the control "
            "room received."
        ),
        (
            f"There were {alerts:,} alerts. {total['stray']:,} of them came in nobody's passage and count as false "
            f"alerts; {total['repeated']:,} repeated a right one. In {total['ambiguous']:,} cases a false alert "
            "could be that of more than one tester; it was given to the one nearest in time."
        ),
        (
            f"The units themselves counted {faces:,} faces, testers and others, which is an estimate: a person can "
            "be seen as two."
        ),
    )


def _command(arguments: Namespace) -> str:
    parts = ["overt-tools", "evaluate", "trial", arguments.passages.name]
    parts += [part for path in arguments.order for part in ("--order", path.name)]
    parts += [part for path in arguments.events for part in ("--events", path.name)]
    parts += ["--slack", f"{arguments.slack:g}", "--ceiling", f"{arguments.ceiling:g}"]
    size = arguments.watchlist_size
    return shlex.join([*parts, *(["--watchlist-size", str(size)] if size is not None else [])])
