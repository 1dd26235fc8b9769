"""`bench report`: measure everything if asked to, and write the page of figures, its plots and its data."""

import argparse
import dataclasses
import sys
from pathlib import Path

from overt.runtime.cli import NEGATIVE, OK, UNAVAILABLE, Failure
from overt.runtime.files import write_atomically

from . import document as doc
from . import page, plots
from .alone import measure
from .command import kept, request_of
from .document import Document
from .results import NAMES, write

PAGE = "benchmarks.md"


def make(arguments: argparse.Namespace) -> int:
    """Write the page, or check it.

    Raises:
        BenchError: Results are missing or damaged.
        Failure: Something cannot be measured or written.
    """
    if arguments.check:
        return _check(arguments.docs)
    if arguments.run:
        _measure_all(arguments)
    document = doc.collect(kept(arguments.work, "").parent)
    try:
        put_down(document, arguments.docs)
    except OSError as error:
        raise Failure(f"the page cannot be written below {arguments.docs}: {error.strerror}", UNAVAILABLE) from error
    print(f"{arguments.docs / PAGE}: written, with its plots and data")
    return OK


def _measure_all(arguments: argparse.Namespace) -> None:
    """Measure everything anew, one after the other."""
    request = request_of(arguments, "pipeline")
    for number, name in enumerate(NAMES):
        print(f"bench: {number + 1} of {len(NAMES)}: {name}", file=sys.stderr, flush=True)
        write(kept(arguments.work, name), measure(dataclasses.replace(request, name=name, fresh=True)))


def put_down(document: Document, docs: Path) -> None:
    """Write the data, the plots and the page, the page last.

    Raises:
        OSError: The folder cannot be written.
    """
    data = docs / doc.DATA
    data.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(data, doc.encode(document), mode=0o644)
    for name, drawing in plots.draw_all(document).items():
        write_atomically(data.parent / name, drawing, mode=0o644)
    write_atomically(docs / PAGE, page.write(document).encode(), mode=0o644)


def _check(docs: Path) -> int:
    """Tell whether the page is what its data say."""
    document = doc.load(docs / doc.DATA)
    path = docs / PAGE
    same = path.exists() and path.read_text() == page.write(document)
    print(f"{path}: {'as its data say' if same else 'not as its data say: run overt-tools bench report'}")
    return OK if same else NEGATIVE
