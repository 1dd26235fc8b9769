"""How far long work is: one line that changes on a terminal, plain lines elsewhere. On standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

T = TypeVar("T")

EVERY = 100
"""Elsewhere than on a terminal, a line is written each time so many are done."""


def shown(items: Iterable[T], total: int, what: str, stream: TextIO | None = None) -> Iterator[T]:
    """Yield the items, and show how far it is, how fast, and how long it will take."""
    stream = stream or sys.stderr
    with _terminal(total, what) if stream.isatty() else _plain(total, what, stream) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def _terminal(total: int, what: str) -> Iterator[Callable[[], None]]:
    from rich.console import Console  # noqa: PLC0415 - heavy, and help must be quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, start, done = bar.add_task(what, total=total, rate=""), time.monotonic(), 0

        def advance() -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, rate=_rate(done, start))

        yield advance


@contextmanager
def _plain(total: int, what: str, stream: TextIO) -> Iterator[Callable[[], None]]:
    start, done = time.monotonic(), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done % EVERY == 0 and done < total:
            left = (time.monotonic() - start) / done * (total - done)
            stream.write(f"{what}: {done} of {total} ({_rate(done, start)}, {_duration(left)} left)\n")
            stream.flush()

    yield advance


def _rate(done: int, start: float) -> str:
    return f"{done / max(time.monotonic() - start, 1e-3):.1f} a second"


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else "less than a minute"
