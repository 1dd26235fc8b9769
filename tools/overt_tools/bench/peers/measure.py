"""`bench peers`: Overt and each peer, one after the other, on the same pictures."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from overt.runtime.files import write_atomically

from .. import finding, truth
from ..finding import Tally
from ..footage import Reel
from ..listed import read_still
from . import summing
from .drive import Driven, Look, PeerFailed
from .outcome import Contender, Peers
from .overt_itself import each_face, whole_unit
from .sample import CROWD_EVERY, EMPTY_EVERY, STREET_EVERY, Samples, decoding_ms, samples_of
from .setup import PEERS, WORKERS, CannotSetUp, Peer, set_up
from .summing import Seen, contender_of, count

Tell = Callable[[str], None]

_COUNTING = [Path(module.__file__ or "") for module in (finding, truth, summing)]
"""Figures that were kept are of use only as long as they are counted like this."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the comparison is made with.

    Attributes:
        reel: The footage.
        models: The folder of built models.
        stills: The volunteer's.
        sface: The SFace model as published.
        work: Where environments and results are kept.
        core: Which core peers run on.
        fresh: Measure again what was measured.
        thinner: Look at one in so many of the pictures that peers look at.
        tell: Told what goes on.
    """

    reel: Reel
    models: Path
    stills: list[Path]
    sface: Path
    work: Path
    core: int
    fresh: bool
    thinner: int
    tell: Tell


def measure_peers(bench: Bench, chosen: Sequence[str]) -> Peers:
    """Measure Overt and the chosen peers. A peer that cannot be set up or fails is named, and the others go on.

    Raises:
        BenchError: Overt itself cannot be measured.
    """
    samples = samples_of(bench.reel, bench.thinner)
    contenders = [
        whole_unit(bench.reel, bench.models, bench.stills),
        each_face(samples, bench.models, bench.stills),
    ]
    decode_ms = decoding_ms(bench.reel.crowd)
    missing: dict[str, str] = {}
    for peer in PEERS:
        if peer.name not in chosen:
            continue
        try:
            contenders.append(_kept_or_measured(bench, peer, samples, decode_ms))
        except (CannotSetUp, PeerFailed) as error:
            missing[peer.name] = str(error)
            bench.tell(f"{peer.title} is left out: {error}")
    sizes = [len(sample.numbers) for sample in samples]
    return Peers(
        (STREET_EVERY * bench.thinner, CROWD_EVERY * bench.thinner, EMPTY_EVERY * bench.thinner),
        (sizes[0], sizes[1], sizes[2], sizes[3]),
        contenders,
        missing,
    )


def _kept_or_measured(bench: Bench, peer: Peer, samples: Samples, decode_ms: float) -> Contender:
    """Return what was measured of the same peer on the same pictures, or measure it now."""
    command = set_up(peer, bench.work / "peers", bench.sface, bench.tell)
    kept = bench.work / "results" / f"peer-{peer.name}.json"
    key = _key(peer, command, samples)
    if not bench.fresh and kept.exists():
        found = json.loads(kept.read_bytes())
        if found.get("key") == key:
            bench.tell(f"{peer.title}: kept from an earlier run (--fresh measures again)")
            return msgspec.convert(found["contender"], Contender)
    contender = _measure(bench, peer, command, samples, decode_ms)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, msgspec.json.encode({"key": key, "contender": contender}), mode=0o644)
    return contender


def _measure(bench: Bench, peer: Peer, command: list[str], samples: Samples, decode_ms: float) -> Contender:
    log = bench.work / "peers" / f"{peer.name}.log"
    driven = Driven(command, bench.core, log)
    try:
        enrolled = sum(driven.enrol(read_still(still)) for still in bench.stills)
        if not enrolled:
            raise PeerFailed("it found no face in any of the volunteer's stills")
        tallies, seen, empty = [], list[Seen](), list[Look]()
        for sample in samples:
            tally = Tally(sample.footage)
            for done, (number, picture) in enumerate(sample.pictures()):
                if done % 10 == 0:
                    bench.tell(f"{peer.title}: {sample.footage.name}, picture {done + 1} of {len(sample.numbers)}")
                look = driven.look(picture)
                count(tally, number, look, peer.threshold)
                if sample is samples.empty:
                    empty.append(look)
                elif sample is not samples.chart:
                    seen.append(Seen(sample.footage.people(number), look))
            tallies.append(tally)
        peak = driven.end()
    finally:
        driven.stop()
    versions = ", ".join(f"{name} {version}" for name, version in driven.versions.items())
    return contender_of(
        peer.name,
        f"{peer.title}: {versions}",
        peer.how,
        peer.threshold,
        enrolled,
        tallies,
        seen,
        empty,
        decode_ms,
        peak,
    )


def _key(peer: Peer, command: list[str], samples: Samples) -> str:
    """Digest of what a peer's figures follow from: its program, its packages, the pictures."""
    parts = [peer.name, str(peer.threshold), peer.how, *command]
    parts += [hashlib.sha256((WORKERS / name).read_bytes()).hexdigest() for name in (peer.program, "wire.py")]
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in _COUNTING]
    parts += [f"{sample.footage.sha256} {sorted(sample.numbers)}" for sample in samples]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
