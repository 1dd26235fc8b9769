"""Open-set identification: a watchlist of stills, searched for people who are on it and for people who are not."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from overt.recognition.arrays import Floats
from overt.recognition.match import Gallery, Match, search_all

from . import rates
from .draw import Draw, draw
from .labels import Labels, counted
from .laboratory import LISTED, PROBE, Laboratory, unreadable
from .measured import Measured
from .misses import misses
from .stills import StillSet, subject_of
from .trials import NO_FACE, Trials

MISSES_AT = ("0.003",)
"""FPIRs at which each miss is described."""


def identify(laboratory: Laboratory, stills: StillSet, chosen: Draw) -> Trials:
    """Search a watchlist for every probe and every impostor.

    Raises:
        CannotMeasureError: Models, cache or workers fail.
    """
    listed = laboratory.measure(stills, list(chosen.listed.values()), LISTED)
    searched = laboratory.measure(stills, [*chosen.probes, *chosen.impostors], PROBE)
    return score(chosen, listed, searched, laboratory.models.digest, stills.digest)


def score(
    chosen: Draw,
    listed: Mapping[str, Measured],
    searched: Mapping[str, Measured],
    model_digest: str,
    data_set_digest: str,
) -> Trials:
    """Turn templates into trials, with the unit's own search.

    Args:
        chosen: Who is listed and looked for.
        listed: What was measured of the listed stills, by image.
        searched: What was measured of probes and impostors, by image.
        model_digest: Of the model set.
        data_set_digest: Of the set.
    """
    subjects = tuple(chosen.listed)
    rows = {number: listed[chosen.listed[subject]].vector() for number, subject in enumerate(subjects)}
    templates = {number: template for number, template in rows.items() if template is not None}
    gallery = gallery_of(templates)
    own = {subject: gallery_of({0: templates[n]}) for n, subject in enumerate(subjects) if n in templates}
    best = {image: _search(gallery, searched[image]) for image in (*chosen.probes, *chosen.impostors)}
    entry = {subject: number for number, subject in enumerate(subjects)}
    probe_subject = tuple(subject_of(image) for image in chosen.probes)
    genuine = [_search(own.get(subject_of(image)), searched[image]).score for image in chosen.probes]
    correct = [best[image].entry == entry[subject_of(image)] for image in chosen.probes]
    return Trials(
        listed=subjects,
        probe_subject=probe_subject,
        probe_image=chosen.probes,
        genuine=np.array(genuine, np.float32),
        correct=np.array(correct, np.bool_),
        best=np.array([best[image].score for image in chosen.probes], np.float32),
        impostor_subject=tuple(subject_of(image) for image in chosen.impostors),
        impostor_image=chosen.impostors,
        impostor=np.array([best[image].score for image in chosen.impostors], np.float32),
        model_digest=model_digest,
        data_set_digest=data_set_digest,
        listed_image=tuple(chosen.listed.values()),
    )


_NOBODY = Match(-1, NO_FACE, -1, None)


def _search(gallery: Gallery | None, measured: Measured) -> Match:
    template = measured.vector()
    if gallery is None or template is None:
        return _NOBODY
    return search_all(gallery, template[None])[0]


def gallery_of(templates: Mapping[int, Floats]) -> Gallery | None:
    """Return a gallery of templates by entry; None when there is no template."""
    if not templates:
        return None
    return Gallery(np.ascontiguousarray(np.stack(list(templates.values()))), np.array(list(templates), np.int32))


def figures(trials: Trials) -> dict[str, Any]:
    """Return the rates of an identification, as the JSON has them."""
    probes, impostors = trials.genuine.size, trials.impostor.size
    threshold = {point: rates.threshold_at(trials.impostor, point) for point in rates.POINTS}
    hits = {point: rates.identified(trials, threshold[point]) for point in rates.POINTS}
    ranked = int((trials.correct & (trials.best > NO_FACE)).sum())
    return {
        "watchlist": len(trials.listed),
        "probes": probes,
        "impostors": impostors,
        "rank1": ranked / probes,
        "rank1_interval": rates.interval(ranked, probes),
        "tpir": {point: hits[point] / probes for point in rates.POINTS},
        "tpir_interval": {point: rates.interval(hits[point], probes) for point in rates.POINTS},
        "fnir": {point: 1 - hits[point] / probes for point in rates.POINTS},
        "identified": hits,
        "threshold": threshold,
        "false_alerts": {
            point: int(rates.at_or_above(trials.impostor, threshold[point]).sum()) for point in rates.POINTS
        },
        "false_alerts_allowed": {point: rates.allowed(point, impostors) for point in rates.POINTS},
        "wrong_entry": {
            point: int((~trials.correct & rates.at_or_above(trials.best, threshold[point])).sum())
            for point in rates.POINTS
        },
        "model_digest": trials.model_digest,
        "data_set_digest": trials.data_set_digest,
    }


def evaluate(
    laboratory: Laboratory, stills: StillSet, size: int, seed: int, labels: Labels | None = None
) -> tuple[Trials, dict[str, Any]]:
    """Measure an identification.

    Args:
        laboratory: What measures.
        stills: The set.
        size: Of the watchlist.
        seed: Of the draw.
        labels: To compare groups by; None: not wanted.

    Returns:
        The trials, and what the JSON says of them.

    Raises:
        EvaluateError: The set is too small, or models, cache or workers fail.
    """
    chosen = draw(stills.by_subject(), size, seed)
    trials = identify(laboratory, stills, chosen)
    images = [*chosen.listed.values(), *chosen.probes, *chosen.impostors]
    found = laboratory.found(stills, images)
    listed = laboratory.measure(stills, list(chosen.listed.values()), LISTED)
    refused = Counter(one.refused for one in listed.values() if one.refused and one.template)
    result = {
        **figures(trials),
        "failed_to_enrol": sum(not one.template for one in listed.values()),
        "would_be_refused": sum(refused.values()),
        "would_be_refused_for": dict(refused.most_common()),
        "probes_without_face": sum(not found[image].faces for image in chosen.probes),
        "impostors_without_face": sum(not found[image].faces for image in chosen.impostors),
        "unreadable": unreadable(found, images),
        "misses": {point: misses(trials, found, rates.threshold_at(trials.impostor, point)) for point in MISSES_AT},
        "seed": seed,
        "ms_per_face": laboratory.ms_per_face(stills, chosen.probes),
    }
    if labels is not None:
        result["groups"] = counted(labels, [*trials.probe_image, *trials.impostor_image])
    return trials, result
