"""The one door through which moto's live classes are changed.

moto is not made to be changed from outside: a new release may move or rename what is replaced here.
Each change therefore first checks that moto still is what it was written for, and says so where it is not.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any

Owner = type[Any] | ModuleType


class MotoChangedError(Exception):
    """This release of moto no longer has, or by now has, what the emulator changes in it."""

    def __init__(self, owner: Owner, name: str, reason: str) -> None:
        place = f"{_path(owner)}.{name}"
        super().__init__(f"moto {version('moto')} {reason}: {place}; the emulator's change of it must be revised")


@dataclass(frozen=True)
class Change:
    """One change made: `original` is None for an addition."""

    owner: Owner
    name: str
    original: Any
    function: Any

    @property
    def place(self) -> str:
        """Where in moto, as `module.Class.name`."""
        return f"{_path(self.owner)}.{self.name}"


CHANGES: list[Change] = []


def replace(owner: Owner, name: str, function: Any, *, parameters: tuple[str, ...] = ()) -> Any:
    """Put `function` in the place of a method, property or function of moto.

    Parameters
    ----------
    owner
        Class or module that has it.
    name
        Its name there.
    function
        What takes its place; for a property the getter alone (a setter stays).
    parameters
        Names of all parameters that the original must have, in order, `self` left out.

    Returns
    -------
    Any
        The original, callable the same way (a property's getter for a property).

    Raises
    ------
    MotoChangedError
        If the original is missing or takes other parameters.
    """
    try:
        found = inspect.getattr_static(owner, name)
    except AttributeError:
        raise MotoChangedError(owner, name, "has moved or renamed a method") from None
    original = _callable(found)
    actual = _parameters(original, bound=inspect.isclass(owner) and not isinstance(found, staticmethod))
    if actual != parameters:
        raise MotoChangedError(owner, name, f"now takes ({', '.join(actual)}), not ({', '.join(parameters)})")
    if inspect.isfunction(function):
        function.__wrapped__ = original  # type: ignore[attr-defined]  # a further change sees moto's parameters
    setattr(owner, name, _dressed(found, function))
    CHANGES.append(Change(owner, name, original, function))
    return original


def add(owner: Owner, name: str, function: Callable[..., Any]) -> None:
    """Give moto a method that it lacks.

    Raises
    ------
    MotoChangedError
        If moto has it by now.
    """
    if hasattr(owner, name):
        raise MotoChangedError(owner, name, "by now has a method of its own")
    setattr(owner, name, function)
    CHANGES.append(Change(owner, name, None, function))


def _callable(found: Any) -> Any:
    if isinstance(found, property):
        return found.fget
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    return found


def _dressed(found: Any, function: Any) -> Any:
    if isinstance(found, property):
        return property(function, found.fset, found.fdel)
    if isinstance(found, staticmethod | classmethod):
        return type(found)(function)
    return function


def _parameters(function: Any, *, bound: bool) -> tuple[str, ...]:
    names = tuple(inspect.signature(function).parameters)
    return names[1:] if bound else names


def _path(owner: Owner) -> str:
    return owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
