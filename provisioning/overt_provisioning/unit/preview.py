"""A preview at a unit: opened with the technician's signature, read view by view, closed in any case."""

import contextlib
import time
from types import TracebackType
from typing import Final, Protocol, TypeVar

from overt.protocol import fields as f
from overt.protocol.cable.aim import View
from overt.protocol.vocabulary import Act
from overt.runtime.cli import Failure
from overt_provisioning.unit.session import UnitSaysNo

R = TypeVar("R", bound=f.Value)
_STARTING_S: Final = 20.0
_AGAIN_S: Final = 0.5


class Connection(Protocol):
    """A way to a unit: its cable, or whatever stands for it."""

    def ask(self, name: str, arguments: f.Value | bytes = b"", act: Act | None = None) -> bytes:
        """Ask; return what comes back."""

    def begin_anew(self) -> None:
        """Hang up; the next question begins a new connection."""

    def ask_for(self, type_: type[R], name: str, arguments: f.Value | bytes = b"", act: Act | None = None) -> R:
        """Ask, for an answer of a type."""


class Preview:
    """To be used as a context."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def view(self) -> View:
        """Return what the lens sees now. After a cable that was pulled the preview is opened again.

        Raises:
            UnitSaysNo: The unit shows nothing, and why.
            Failure: It could not be asked.
        """
        try:
            return self._connection.ask_for(View, "aim.view")
        except UnitSaysNo as error:
            if "no preview is open" not in str(error):
                raise
        self._open()
        return self._connection.ask_for(View, "aim.view")

    def __enter__(self) -> "Preview":
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._connection.begin_anew()  # it came in the middle of a question
        with contextlib.suppress(Failure):  # a unit that is not there any more ends the preview by itself
            self._connection.ask("aim.end")

    def _open(self) -> None:
        """Open it. The camera's process needs seconds to come back after the preview before."""
        deadline = time.monotonic() + _STARTING_S
        while True:
            try:
                self._connection.ask("aim", act=Act.AIM)
                return
            except UnitSaysNo as error:
                if "starting" not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(_AGAIN_S)
