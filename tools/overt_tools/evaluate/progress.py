"""How far a long measurement is: a bar on a terminal, a line every few seconds elsewhere; on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY_S = 10.0


def tell(words: str) -> None:
    """Say something in passing."""
    print(f"evaluate: {words}", file=sys.stderr, flush=True)


@contextmanager
def shown(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after each of `total` steps."""
    if not sys.stderr.isatty():
        yield _Lines(what, total).step
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield lambda: bars.advance(task)


class _Lines:
    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._told = time.monotonic()

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._told >= _EVERY_S and self._done < self._total:
            self._told = now
            left = (now - self._began) / self._done * (self._total - self._done)
            tell(f"{self._what}: {self._done} of {self._total}, {max(1, round(left / 60))} min left")
