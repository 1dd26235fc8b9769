"""Each measurement in a process of its own: one core, one thread, nothing loaded that it does not need."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overt.runtime.cli import BAD_INPUT, INTERRUPTED, UNAVAILABLE, Failure
from overt_tools.children import tie_to_parent

from .errors import BenchError

if TYPE_CHECKING:
    from .results import Outcome, Result

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure, and with what. Paths as text, so that it can be handed to another process.

    Attributes:
        name: Of the measurement; see `results.NAMES`.
        models: The folder of built models.
        scene: The demonstration's footage.
        cache: Downloads.
        work: Where footage, environments and results are kept.
        core: Which core to measure on.
        seconds: How long to repeat what is short; None for the measurement's own choice.
        minutes: How long the busy scene is played to the daemons.
        peers: Which peers.
        fresh: Measure peers again that were measured.
        thinner: Give peers one in so many of the pictures.
    """

    name: str
    models: str
    scene: str
    cache: str
    work: str
    core: int
    seconds: float | None = None
    minutes: int = 2
    peers: tuple[str, ...] = ()
    fresh: bool = False
    thinner: int = 1


def measure(request: Request) -> "Outcome":
    """Measure in a process of its own.

    Raises:
        Failure: It cannot be measured; the message says why.
    """
    from .results import read  # noqa: PLC0415 - heavy, and help must be quick

    with tempfile.TemporaryDirectory(prefix="overt-bench-") as folder:
        out = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "overt_tools.bench.alone", json.dumps(asdict(request)), str(out)]
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "TF_CPP_MIN_LOG_LEVEL": "2"}
        process = subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,  # Ctrl-C at a terminal reaches it once, from here
            preexec_fn=tie_to_parent(os.getpid()),  # noqa: PLW1509 - no threads exist here, and PDEATHSIG needs it
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code != 0:
            raise Failure(_why(out) or f"the measurement ended with {code}, see above", code if code > 0 else BAD_INPUT)
        return read(out)


def _why(out: Path) -> str | None:
    path = out.with_suffix(".error")
    return path.read_text() if path.exists() else None


def _tell(words: str) -> None:
    print(f"bench: {words}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Measure here and write the outcome. Called in the process that `measure` starts."""
    request, out = Request(**json.loads(arguments[0])), Path(arguments[1])
    try:
        outcome = _take(request)
    except BenchError as error:
        out.with_suffix(".error").write_text(str(error))
        return UNAVAILABLE
    except Failure as error:
        out.with_suffix(".error").write_text(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    from .results import write  # noqa: PLC0415 - heavy

    write(out, outcome)
    return 0


def _take(request: Request) -> "Outcome":
    """Measure, with the environment as it was at the start."""
    work = _MEASUREMENTS[request.name]
    pinned = None if request.name == "live" else request.core
    if pinned is not None:
        os.sched_setaffinity(0, {pinned})
    from . import environment, networks  # noqa: PLC0415 - heavy, and after the core was chosen
    from .results import FORMAT, Outcome  # noqa: PLC0415 - heavy, and after the core was chosen

    taken = environment.record(pinned, networks.digests(Path(request.models)))
    warning = environment.warning(taken)
    if warning:
        _tell(f"warning: {warning}")
    began = time.monotonic()
    result = work(request)
    return Outcome(FORMAT, taken, round(time.monotonic() - began, 1), result)


def _embed(request: Request) -> "Result":
    from .networks import measure_networks  # noqa: PLC0415 - heavy

    models = Path(request.models)
    return measure_networks(models) if request.seconds is None else measure_networks(models, request.seconds)


def _match(request: Request) -> "Result":
    from .listed import load_models  # noqa: PLC0415 - heavy
    from .searching import DEFAULT_SECONDS, measure_searches  # noqa: PLC0415 - heavy

    dimension = load_models(Path(request.models)).embedder.dimension
    return measure_searches(dimension, seconds=request.seconds or DEFAULT_SECONDS)


def _pipeline(request: Request) -> "Result":
    from .footage import prepare  # noqa: PLC0415 - heavy
    from .listed import stills_of_volunteer  # noqa: PLC0415 - heavy
    from .pipeline import measure_pipeline  # noqa: PLC0415 - heavy

    models, cache = Path(request.models), Path(request.cache)
    reel = prepare(Path(request.scene), models, cache, Path(request.work) / "footage", _tell)
    return measure_pipeline(reel, models, stills_of_volunteer(models, cache))


def _live(request: Request) -> "Result":
    from .runs import play_all  # noqa: PLC0415 - heavy

    return play_all(request, _tell)


def _peers(request: Request) -> "Result":
    from .footage import prepare  # noqa: PLC0415 - heavy
    from .listed import published_embedder, stills_of_volunteer  # noqa: PLC0415 - heavy
    from .peers.measure import Bench, measure_peers  # noqa: PLC0415 - heavy

    models, cache, work = Path(request.models), Path(request.cache), Path(request.work)
    bench = Bench(
        reel=prepare(Path(request.scene), models, cache, work / "footage", _tell),
        models=models,
        stills=stills_of_volunteer(models, cache),
        sface=published_embedder(models, cache),
        work=work,
        core=request.core,
        fresh=request.fresh,
        thinner=request.thinner,
        tell=_tell,
    )
    return measure_peers(bench, request.peers)


_MEASUREMENTS: "dict[str, Callable[[Request], Result]]" = {
    "pipeline": _pipeline,
    "embed": _embed,
    "match": _match,
    "live": _live,
    "peers": _peers,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
