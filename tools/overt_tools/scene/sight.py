"""What of each face can be seen, estimated from a plan alone with simple outlines, before anything is drawn."""

import numpy as np
from numpy.typing import NDArray

from .plan import OPPORTUNITY_VISIBLE, Passage, Plan, Stroller, heads_of, longest_run

# A face's box around the point between the eyes, in inter-eye distances: left, top, width, height (as the detector
# draws it, with some room for the head's own movement).
BOX = (-1.3, -1.25, 2.6, 3.5)
# A walker's outline: head (half width, top, bottom) and coat (half width, top).
HEAD, COAT = (1.5, -2.1, 2.3), (4.0, 2.1)

Floats = NDArray[np.float64]


def visible_shares(plan: Plan) -> dict[str, Floats]:
    """For each passage the share of the face's box that can be seen in each of its frames, (frames,) 0 to 1."""
    walkers: list[Passage | Stroller] = [*plan.passages, *plan.strollers]
    heads = {walker.id: heads_of(walker, plan.options) for walker in walkers}
    return {
        passage.id: _seen(plan, heads[passage.id], passage, [(w, heads[w.id]) for w in walkers if w.id != passage.id])
        for passage in plan.passages
    }


def opportunity(plan: Plan, passage: Passage, visible: Floats) -> tuple[int, int] | None:
    """The longest stretch of a passage in which its face is near and unobstructed: first and last frame of the scene.

    Args:
        plan: the scene.
        passage: the passage.
        visible: the visible share of its face in each of its frames.

    Returns:
        The first and the last frame, or None.
    """
    near = heads_of(passage, plan.options)[:, 2] >= plan.least_eyes
    run = longest_run(near & (visible >= OPPORTUNITY_VISIBLE))
    return (passage.first + run[0], passage.first + run[1]) if run else None


def _seen(plan: Plan, head: Floats, passage: Passage, others: list[tuple[Passage | Stroller, Floats]]) -> Floats:
    """The visible share of one face in each frame, judged at a grid of points."""
    grid = np.stack(np.meshgrid(np.linspace(0.03, 0.97, 7), np.linspace(0.03, 0.97, 8)), -1).reshape(-1, 2)
    x = head[:, :1] + head[:, 2:3] * (BOX[0] + BOX[2] * grid[:, 0])
    y = head[:, 1:2] + head[:, 2:3] * (BOX[1] + BOX[3] * grid[:, 1])
    clear = (x >= 0) & (x < plan.options.width) & (y >= 0) & (y < plan.options.height)
    clear &= (x < plan.pillar[0]) | (x >= plan.pillar[1])
    for other, other_head in others:
        first = max(passage.first, other.first)
        last = min(passage.first + passage.frames, other.first + other.frames)
        if first >= last:
            continue
        mine = slice(first - passage.first, last - passage.first)
        theirs = other_head[first - other.first : last - other.first]
        across = np.abs(x[mine] - theirs[:, :1]) / theirs[:, 2:3]
        down = (y[mine] - theirs[:, 1:2]) / theirs[:, 2:3]
        hidden = (across < HEAD[0]) & (down > HEAD[1]) & (down < HEAD[2]) | (across < COAT[0]) & (down > COAT[1])
        clear[mine] &= ~(hidden & (theirs[:, 3:4] < head[mine, 3:4]))
    return np.asarray(clear.mean(axis=1), np.float64)
