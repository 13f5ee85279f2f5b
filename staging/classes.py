"""Map class names to CIFAR-100's labels, either of its 100 fine classes or of its 20 coarse classes."""

import difflib
from collections.abc import Sequence
from typing import get_args

from staging.archive import LabelKind, Meta
from staging.errors import StagingError

SUGGESTIONS = 3  # similar names that the error message for an unknown name suggests


def class_numbers(classes: Sequence[str], meta: Meta) -> tuple[LabelKind, dict[int, int]]:
    """Return whether the classes are fine or coarse, and the class number for each of their CIFAR-100 labels.

    Parameters
    ----------
    classes : two or more names, all fine or all coarse; a class's number is its position in this list
    meta : names of all classes in the archive

    Raises
    ------
    StagingError
        A name is unknown or occurs twice, there are fewer than two names, or fine and coarse names are mixed.
    """
    unknown = [name for name in classes if name not in (*meta.fine_names, *meta.coarse_names)]
    if unknown:
        raise StagingError(f"CIFAR-100 has no class {'; nor '.join(_with_similar(name, meta) for name in unknown)}")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise StagingError(f"at least two different classes are needed (got {', '.join(classes) or 'none'})")
    for kind in get_args(LabelKind):
        names = meta.names(kind)
        if set(classes) <= set(names):
            return kind, {names.index(name): number for number, name in enumerate(classes)}
    fine, coarse = (next(name for name in classes if name in meta.names(kind)) for kind in get_args(LabelKind))
    raise StagingError(f"{fine} is a fine class and {coarse} a coarse one: use only fine or only coarse classes")


def _with_similar(name: str, meta: Meta) -> str:
    normalised = name.strip().lower().replace(" ", "_")
    similar = difflib.get_close_matches(normalised, (*meta.fine_names, *meta.coarse_names), n=SUGGESTIONS, cutoff=0)
    return f"{name!r} (most similar: {', '.join(similar)})"
