"""What the command lines of Overt share: one parser shape, one place where errors become words and exit codes."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

OK = 0
NEGATIVE = 1
BAD_INPUT = 2
UNAVAILABLE = 3
RESTART = 75
INTERRUPTED = 130

EXIT_CODES = """exit codes:
  0    done
  1    done, and the answer is no (refused, not verified, something missed)
  2    bad usage or bad input
  3    something it needs cannot be had (file, device, broker, network)
  75   a daemon asks its supervisor to start it again
  130  interrupted"""

AddParser = Callable[["argparse._SubParsersAction[Parser]"], None]


class Failure(Exception):
    """A command cannot go on. The message is one sentence or two: expected, found, what to do.

    Attributes:
        exit_code: What the process ends with.
    """

    def __init__(self, message: str, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps examples as they are written and ends its help with the exit codes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - argparse's own signature
        example = kwargs.pop("epilog", None)
        kwargs["epilog"] = f"{example}\n\n{EXIT_CODES}" if example else EXIT_CODES
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)  # --pin is no --pin-file, and what follows it no path to repeat
        super().__init__(*args, **kwargs)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - argparse's own signature
        """Parse; what is not known is named without its value, which may be a secret in the wrong place."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = [text.partition("=")[0] for text in unknown if text.startswith("--")]
            self.error(f"unknown: {', '.join(options)}" if options else "more arguments than expected")
        return found

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and where help is."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n{self.prog}: see '{self.prog} --help'\n")


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Parse, run the chosen command's `handler`, and turn what goes wrong into one line and an exit code."""
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.handler(chosen))
    except Failure as failure:
        print(f"{parser.prog}: {failure}", file=sys.stderr)
        return failure.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; say nothing more
        return OK
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
