"""All results together: what is committed beside the page of figures, and what it is made from."""

from pathlib import Path
from typing import Literal

import msgspec

from .environment import Environment
from .errors import BenchError
from .live import Live
from .networks import Networks
from .peers.outcome import Peers
from .pipeline import Pipeline
from .results import FORMAT, NAMES, Outcome, read
from .searching import Searches

DATA = Path("figures") / "benchmarks.json"
"""Below docs."""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The figures of one page.

    Attributes:
        format: Of this file.
        environments: Where each measurement was made.
        pipeline: Cost of a picture.
        embed: The networks.
        match: Searches.
        live: Latency and memory.
        peers: The comparison.
    """

    format: Literal[1]
    environments: dict[str, Environment]
    pipeline: Pipeline
    embed: Networks
    match: Searches
    live: Live
    peers: Peers


def collect(folder: Path) -> Document:
    """Put kept results together.

    Args:
        folder: Holds one results file for each measurement.

    Raises:
        BenchError: One is missing or damaged.
    """
    outcomes: dict[str, Outcome] = {}
    for name in NAMES:
        path = folder / f"{name}.json"
        if not path.exists():
            command = "latency" if name == "live" else name
            raise BenchError(
                f"expected results in {path}, found none: run 'overt-tools bench {command}', or 'overt-tools bench "
                "report --run'"
            )
        outcomes[name] = read(path)
    content = {name: msgspec.to_builtins(outcome.result) for name, outcome in outcomes.items()}
    environments = {name: msgspec.to_builtins(outcome.environment) for name, outcome in outcomes.items()}
    try:
        return msgspec.convert({"format": FORMAT, "environments": environments, **content}, Document)
    except msgspec.ValidationError as error:
        raise BenchError(f"the results in {folder} are of other measurements: {error}; measure again") from error


def encode(document: Document) -> bytes:
    """Return the file's content, indented, so that a change can be read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def load(path: Path) -> Document:
    """Read the data of a page.

    Raises:
        BenchError: It is missing, or of another format.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise BenchError(f"expected the page's data in {path}: {error.strerror}; run 'make benchmarks'") from error
    except msgspec.DecodeError as error:
        raise BenchError(f"expected the page's data in {path}: {error}; run 'make benchmarks'") from error
