"""Which labels the classes' names stand for: some of CIFAR-100's 100 fine classes, or of its 20 coarse ones."""

import difflib
from collections.abc import Sequence
from typing import get_args

from staging.archive import Kind, Meta
from staging.errors import StagingError

NEAREST = 3  # names offered in place of an unknown one


class UnknownClassError(StagingError):
    """CIFAR-100 has no class of this name, or the list of classes is not one."""


def class_numbers(classes: Sequence[str], meta: Meta) -> tuple[Kind, dict[int, int]]:
    """Which of a row's labels tells its class, and the class number of each such label.

    Parameters
    ----------
    classes
        Two or more names, all fine or all coarse; a class's number is its position here.

    Raises
    ------
    UnknownClassError
        A name is unknown or twice there, there are fewer than two, or some are fine and some coarse.
    """
    unknown = [name for name in classes if name not in (*meta.fine_names, *meta.coarse_names)]
    if unknown:
        offers = "; nor ".join(_with_nearest(name, meta) for name in unknown)
        raise UnknownClassError(f"CIFAR-100 has no class {offers}")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise UnknownClassError(f"at least two different classes are needed, not {', '.join(classes) or 'none'}")
    for kind in get_args(Kind):
        names = meta.names(kind)
        if set(classes) <= set(names):
            return kind, {names.index(name): number for number, name in enumerate(classes)}
    fine, coarse = (next(name for name in classes if name in meta.names(kind)) for kind in get_args(Kind))
    raise UnknownClassError(f"{fine} is a fine class and {coarse} a coarse one: name all fine or all coarse")


def _with_nearest(name: str, meta: Meta) -> str:
    plain = name.strip().lower().replace(" ", "_")
    nearest = difflib.get_close_matches(plain, (*meta.fine_names, *meta.coarse_names), n=NEAREST, cutoff=0)
    return f"{name!r} (nearest: {', '.join(nearest)})"
