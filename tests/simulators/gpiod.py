"""The part of libgpiod's Python package 2.5 that a unit uses, over chips that are only here.

Where libgpiod and the kernel are strict, this is: a line has one holder, an input cannot be driven, a line that nobody
holds falls back to what pulls it, and a chip that is gone fails whoever holds its lines. Settings are libgpiod's own.
"""

import errno
import os
from pathlib import Path
from types import TracebackType

from gpiod import LineSettings, line

__all__ = ["Board", "Chip", "LineRequest", "LineSettings", "line", "request_lines"]

_BOARDS: dict[str, "Board"] = {}


class Board:
    """A chip, what drives its lines, what pulls them, and which wire leads from one to another."""

    def __init__(self, device: Path, label: str, lines: int) -> None:
        """Plug it in: its device appears."""
        self.device, self.label, self.lines = device, label, lines
        self.driven: dict[int, bool] = {}
        self.pulled: dict[int, bool] = {}
        self.wires: dict[int, int] = {}
        self.held: set[int] = set()
        device.touch()
        _BOARDS[str(device)] = self

    def level(self, offset: int) -> bool:
        """What a line is at."""
        if offset in self.driven:
            return self.driven[offset]
        if offset in self.wires:
            return self.level(self.wires[offset])
        return self.pulled.get(offset, False)

    def unplug(self) -> None:
        """Let it go, whoever holds its lines."""
        self.device.unlink(missing_ok=True)
        _BOARDS.pop(str(self.device), None)

    @property
    def there(self) -> bool:
        """Whether it is plugged in."""
        return _BOARDS.get(str(self.device)) is self


class ChipInfo:
    """What a chip says of itself."""

    def __init__(self, label: str) -> None:
        self.label = label


class Chip:
    """A chip that is open."""

    def __init__(self, path: str) -> None:
        if path not in _BOARDS:
            raise _failed(errno.ENOENT)
        self._board = _BOARDS[path]

    def __enter__(self) -> "Chip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left to do."""

    def get_info(self) -> ChipInfo:
        return ChipInfo(self._board.label)


class LineRequest:
    """Lines that are held."""

    def __init__(self, board: Board, config: dict[int, LineSettings]) -> None:
        self._board, self._config = board, config
        board.held |= config.keys()
        for offset, settings in config.items():
            if settings.direction is line.Direction.OUTPUT:
                board.driven[offset] = settings.output_value is line.Value.ACTIVE
            elif settings.bias is line.Bias.PULL_UP:
                board.pulled[offset] = True

    # `line` is libgpiod's name of the parameter.
    def get_value(self, line: int) -> line.Value:
        return _value(self._there().level(line))

    def set_value(self, line: int, value: line.Value) -> None:
        if line not in self._there().driven:
            raise _failed(errno.EPERM)
        self._board.driven[line] = value is _value(True)

    def release(self) -> None:
        self._board.held -= self._config.keys()
        for offset in self._config:
            self._board.driven.pop(offset, None)

    def _there(self) -> Board:
        if not self._board.there:
            raise _failed(errno.ENODEV)
        return self._board


def request_lines(path: str, config: dict[int, LineSettings], consumer: str | None = None) -> LineRequest:
    assert consumer, "gpioinfo tells who holds a line"
    if path not in _BOARDS:
        raise _failed(errno.ENOENT)
    board = _BOARDS[path]
    if any(not 0 <= offset < board.lines for offset in config):
        raise _failed(errno.EINVAL)
    if board.held & config.keys():
        raise _failed(errno.EBUSY)
    return LineRequest(board, config)


def _value(high: bool) -> line.Value:
    return line.Value.ACTIVE if high else line.Value.INACTIVE


def _failed(number: int) -> OSError:
    return OSError(number, os.strerror(number))
