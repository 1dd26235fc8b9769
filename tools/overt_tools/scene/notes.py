"""From what the renderer saw, frame by frame, to the ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .errors import SceneError
from .faces import Track
from .plan import OPPORTUNITY_VISIBLE, Passage, Plan, longest_run
from .render import Rendered, Source
from .truth import VERSION, Crossing, PassageTruth, Sighting, Span, Truth

# A face counts as partly hidden by something that takes more than this share of its box.
HIDDEN = 0.05


@dataclass(slots=True)
class Notes:
    """What the renderer saw, for the ground truth."""

    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    hidden: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)

    def add(self, frame: Rendered) -> None:
        """Take down one frame."""
        for id_, sighting in frame.sightings.items():
            self.sightings.setdefault(id_, []).append(sighting)
        for id_, shares in frame.hidden_by.items():
            for by, share in shares.items():
                if share > HIDDEN:
                    self.hidden.setdefault(id_, {}).setdefault(by, {})[frame.number] = share


def truth_of(
    plan: Plan, sources: Mapping[str, Source], notes: Notes, *, key: str, name: str, sha256: str, frames: int
) -> Truth:
    """The ground truth of a rendered plan."""
    options = plan.options
    passages = [_passage_truth(plan, passage, sources[passage.id].track, notes) for passage in plan.passages]
    return Truth(
        version=VERSION,
        key=key,
        footage=name,
        sha256=sha256,
        frames=frames,
        fps=options.fps,
        size=(options.width, options.height),
        least_eyes=plan.least_eyes,
        pillar=plan.pillar,
        plan=plan,
        passages=passages,
    )


def _passage_truth(plan: Plan, passage: Passage, track: Track, notes: Notes) -> PassageTruth:
    """What is true of one passage."""
    sightings = notes.sightings.get(passage.id, [])
    if not sightings:
        raise SceneError(f"passage {passage.id} never comes into view; this is a fault of the plan, try another --seed")
    good = np.array([s.confident and s.eyes >= plan.least_eyes and s.visible >= OPPORTUNITY_VISIBLE for s in sightings])
    run = longest_run(good)
    return PassageTruth(
        id=passage.id,
        person=passage.person,
        clip=passage.clip,
        listed=passage.listed,
        clip_span=Span(track.first, track.first + len(track.rows) - 1),
        in_view=Span(sightings[0].frame, sightings[-1].frame),
        opportunity=Span(sightings[run[0]].frame, sightings[run[1]].frame) if run else None,
        crossings=_crossings(notes.hidden.get(passage.id, {}), {s.frame: s.visible for s in sightings}),
        sightings=sightings,
    )


def _crossings(hidden: Mapping[str, Mapping[int, float]], visible: Mapping[int, float]) -> list[Crossing]:
    """Stretches of frames in which one thing hides part of a face."""
    crossings = []
    for by, shares in hidden.items():
        frames = np.array(sorted(shares))
        for part in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
            span = Span(int(part[0]), int(part[-1]))
            crossings.append(Crossing(by, span, min(visible[int(number)] for number in part)))
    return sorted(crossings, key=lambda crossing: (crossing.span.first, crossing.behind))
