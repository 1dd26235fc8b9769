"""Which deployments are played for latency and memory: the street once, then six people over and over."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

from overt_tools.demo.deployment import Plan

from .alone import Request
from .footage import prepare
from .listed import THRESHOLD, stills_of_volunteer
from .live import Live, play, sum_up

_STREET_MINUTES = 20
"""The order's window: longer than the street, which is played once."""


def play_all(request: Request, tell: Callable[[str], None]) -> Live:
    """Play both deployments.

    Raises:
        BenchError: The footage is missing, or nobody was recognised.
        Failure: The demonstration cannot be played.
    """
    models, cache, work = Path(request.models), Path(request.cache), Path(request.work)
    reel = prepare(Path(request.scene), models, cache, work / "footage", tell)
    stills = stills_of_volunteer(models, cache)
    heard = []
    for footage, minutes, once in ((reel.street, _STREET_MINUTES, True), (reel.crowd, request.minutes, False)):
        tell(f"playing the {footage.name} to a whole unit")
        plan = Plan(
            models=models.resolve(),
            scene=footage.path.resolve(),
            stills=stills[0].parent.resolve(),
            work=(work / "deployment").resolve(),
            broker="auto",
            port=0,
            minutes=minutes,
            threshold=THRESHOLD,
            once=once,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            heard.append((footage.name, play(plan)))
    return sum_up(heard)
