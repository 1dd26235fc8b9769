"""Whether a simulator asks for no more and no less than what it simulates: names, signatures, words of its errors.

Imports nothing of ours, so that it runs wherever the real thing is installed.
"""

import ast
import inspect
from collections.abc import Callable
from typing import Any

_ABOUT_ITSELF = {"self", "cls"}


def differences(simulated: type, real: type, *, made_by_users: bool = True) -> list[str]:
    """Return in what a simulated class differs from the real one: nothing, when whoever uses it can use that too.

    Every public method and property of the simulated one has to be there, and every parameter, in its place and with
    its default, if it has one. The real one may have more.

    Args:
        simulated: The simulator's.
        real: What it simulates.
        made_by_users: Whether how it is made counts.
    """
    found = []
    for name, member in vars(simulated).items():
        if name.startswith("_") and not (name == "__init__" and made_by_users):
            continue
        if isinstance(member, property):
            if not isinstance(getattr(real, name, None), property):
                found.append(f"{name}: no property of the real one")
        elif callable(member) or isinstance(member, staticmethod):
            found += _different_signature(name, getattr(simulated, name), getattr(real, name, None))
    return found


def _different_signature(name: str, simulated: Callable[..., Any], real: object) -> list[str]:
    if not callable(real):
        return [f"{name}: no method of the real one"]
    ours, theirs = _parameters(simulated), _parameters(real)
    found = [f"{name}: the real one has no parameter {one}" for one in ours if one not in theirs]
    order = [one for one in theirs if one in ours]
    if not found and order != list(ours):
        found.append(f"{name}: the real one's parameters come as {', '.join(order)}")
    for one, parameter in ours.items():
        if one in theirs and not _same_default(parameter.default, theirs[one].default):
            found.append(f"{name}: the real one's default of {one} is {theirs[one].default!r}")
    left_out = [one for one, parameter in theirs.items() if parameter.default is parameter.empty and one not in ours]
    return found + [f"{name}: the real one needs {one}" for one in left_out]


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(function).parameters.items() if name not in _ABOUT_ITSELF}


def _same_default(ours: object, theirs: object) -> bool:
    empty = inspect.Parameter.empty
    if ours is empty or theirs is empty:
        return ours is empty
    return ours == theirs or (not ours and not theirs and not isinstance(ours, bool))  # None for an empty dictionary


def errors_told(module: Any) -> set[str]:
    """Return what the errors say that a module raises: the words before any value in them."""
    told = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            words = node.exc.args[0]
            first = words.values[0] if isinstance(words, ast.JoinedStr) else words
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                told.add(first.value)
    return told
