"""Patches to moto's classes and modules.

moto offers no interface for such changes, and a new release may move or rename a patched function. Each patch
therefore declares the parameters that it expects, and raises an error if moto's function has other parameters.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Any

from sagelocal.core.errors import SagelocalError

Owner = type[Any] | ModuleType


class MotoChangedError(SagelocalError):
    """The installed release of moto differs from the release that a patch was written for."""

    def __init__(self, owner: Owner, name: str, reason: str) -> None:
        super().__init__(
            f"cannot patch {_path(owner)}.{name}: moto {version('moto')} {reason}; "
            "install the release of moto that sagelocal requires, or update the patch"
        )


@dataclass(frozen=True)
class Patch:
    """One applied patch; `original` is None if the patch adds an attribute."""

    owner: Owner
    name: str
    original: Any
    function: Any

    @property
    def target(self) -> str:
        """The patched object, as `module.Class.name`."""
        return f"{_path(self.owner)}.{self.name}"


PATCHES: list[Patch] = []


def replace(owner: Owner, name: str, function: Any, *, parameters: tuple[str, ...] = ()) -> Any:
    """Replace a method, property or function of moto.

    Parameters
    ----------
    owner
        The class or module that contains the original.
    name
        The original's name in `owner`.
    function
        The replacement. For a property this is the getter; an existing setter is kept.
    parameters
        Names of all parameters of the original, in order, without `self`.

    Returns
    -------
    Any
        The original function; for a property, its getter.

    Raises
    ------
    MotoChangedError
        The original is missing or has other parameters.
    """
    try:
        found = inspect.getattr_static(owner, name)
    except AttributeError:
        raise MotoChangedError(owner, name, "does not have it") from None
    original = _callable(found)
    actual = _parameters(original, bound=inspect.isclass(owner) and not isinstance(found, staticmethod))
    if actual != parameters:
        expected = ", ".join(parameters)
        raise MotoChangedError(owner, name, f"has the parameters ({', '.join(actual)}), not ({expected})")
    if inspect.isfunction(function):
        # a second patch of the same function then compares its parameters with those of moto's function
        function.__wrapped__ = original  # type: ignore[attr-defined]
    setattr(owner, name, _wrap_like(found, function))
    PATCHES.append(Patch(owner, name, original, function))
    return original


def add(owner: Owner, name: str, function: Callable[..., Any] | property) -> None:
    """Add a method or a property that moto does not have.

    Raises
    ------
    MotoChangedError
        moto already has an attribute with this name.
    """
    if hasattr(owner, name):
        raise MotoChangedError(owner, name, "already has it")
    setattr(owner, name, function)
    PATCHES.append(Patch(owner, name, None, function))


def _callable(found: Any) -> Any:
    if isinstance(found, property):
        return found.fget
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    return found


def _wrap_like(found: Any, function: Any) -> Any:
    """Return `function` as a property, static method or class method if `found` is one, otherwise unchanged."""
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
