"""The results file: what was measured, on what machine. One for each measurement, kept below build/bench."""

from pathlib import Path
from typing import Literal

import msgspec

from overt.runtime.files import write_atomically

from .environment import Environment
from .errors import BenchError
from .live import Live
from .networks import Networks
from .peers.outcome import Peers
from .pipeline import Pipeline
from .searching import Searches

FORMAT: Literal[1] = 1
NAMES = ("pipeline", "embed", "match", "live", "peers")
"""Measurements, in the order of the report; `live` is latency and memory, which one run gives."""

Result = Pipeline | Networks | Searches | Live | Peers


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measurement.

    Attributes:
        format: Of this file.
        environment: Where it was made.
        seconds: How long it took.
        result: What was found.
    """

    format: Literal[1]
    environment: Environment
    seconds: float
    result: Result


def write(path: Path, outcome: Outcome) -> None:
    """Write a results file.

    Raises:
        BenchError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encode(outcome), mode=0o644)
    except OSError as error:
        raise BenchError(f"the results cannot be written to {path}: {error.strerror}") from error


def encode(outcome: Outcome) -> bytes:
    """Return the file's content, indented, so that a change can be read."""
    return msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n"


def read(path: Path) -> Outcome:
    """Read a results file.

    Raises:
        BenchError: It is missing, or not one of this format.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outcome)
    except OSError as error:
        raise BenchError(f"expected results in {path}, found none: measure first (overt-tools bench --help)") from error
    except msgspec.DecodeError as error:
        raise BenchError(f"expected results of format {FORMAT} in {path}: {error}; measure again") from error
