"""Questions to a person: few, with big choices, one digit each, so that they can be answered in gloves."""

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from overt.runtime.cli import Failure
from overt_provisioning.keys import ask_unseen


class Person:
    """Whoever is at the keyboard. Questions go to standard error, so that results can be kept."""

    def __init__(self, keyboard: TextIO | None = None, screen: TextIO | None = None) -> None:
        self._keyboard, self._own_screen = keyboard or sys.stdin, screen

    @property
    def _screen(self) -> TextIO:
        """Standard error as it is now: a display that goes on puts itself below what is said."""
        return self._own_screen or sys.stderr

    @property
    def is_there(self) -> bool:
        """Whether there is a terminal to ask at."""
        return self._keyboard.isatty() and self._screen.isatty()

    def tell(self, text: str) -> None:
        """Say something."""
        self._screen.write(f"{text}\n")
        self._screen.flush()

    def choose(self, question: str, options: Sequence[str]) -> int:
        """Show a question with numbered answers; return which was chosen, from 0.

        Raises:
            Failure: Nobody answers.
        """
        self._show(question, options)
        while True:
            typed = self._line(f"  1-{len(options)}: ")
            if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(options):
                return int(typed) - 1

    def ask(self, question: str, suggestion: str = "", fits: Callable[[str], object] | None = None) -> str:
        """Ask for a line of text, again until there is one that fits; an empty one is the suggestion.

        Args:
            question: What is asked.
            suggestion: What an empty answer means.
            fits: Raises a `Failure`, which is shown, for what will not do.

        Raises:
            Failure: Nobody answers.
        """
        while True:
            typed = self._line(f"{question}{f' [{suggestion}]' if suggestion else ''}: ") or suggestion
            if not typed:
                continue
            try:
                if fits is not None:
                    fits(typed)
            except Failure as error:
                self.tell(f"  {error}")
            else:
                return typed

    def ask_unseen(self, question: str) -> str:
        """Ask for something that nobody is to see; it may be nothing.

        Raises:
            Failure: Nobody answers.
        """
        try:
            return ask_unseen(f"{question}: ")
        except EOFError as error:
            raise Failure("there is no terminal that can hide what is typed: use a form") from error

    def _show(self, question: str, options: Sequence[str]) -> None:
        from rich.console import Console  # noqa: PLC0415 - heavy, and help must be quick
        from rich.panel import Panel  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        text = Text()
        for number, option in enumerate(options, start=1):
            text.append(f"\n  {number}  ", style="bold reverse")
            text.append(f"  {option}\n")
        Console(file=self._screen).print(Panel(text, title=question, title_align="left", width=76))

    def _line(self, prompt: str) -> str:
        self._screen.write(prompt)
        self._screen.flush()
        line = self._keyboard.readline()
        if not line:
            raise Failure("nobody answers at the keyboard: nothing was changed")
        return line.strip()
