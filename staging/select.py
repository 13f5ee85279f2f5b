"""Select the images of the requested classes from an archive, and divide them into splits."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from staging.archive import Archive, Examples, LabelKind
from staging.classes import class_numbers
from staging.errors import StagingError
from staging.images import SIDE, SPLITS, Images, Selection, safe_name


def select(
    archive: Archive,
    *,
    classes: Sequence[str],
    seed: int = 0,
    validation_fraction: float = 0.1,
    other_classes: bool = False,
) -> Selection:
    """Return the images of `classes`, divided into splits; the archive's test images are the test split.

    Parameters
    ----------
    classes : names of 2 to 100 fine classes, or 2 to 20 coarse classes; a class's number is its position in this list
    seed : random seed that selects the validation images
    validation_fraction : fraction of each class's training images that becomes the validation split
    other_classes : whether to also select the training images of all other classes, for pretraining; these classes are
        numbered in the order of their CIFAR-100 labels

    Raises
    ------
    StagingError
        A class is unknown, has too few images, or the fraction is out of range.
    """
    kind, numbers = class_numbers(classes, archive.meta)
    _require_examples(archive, kind, numbers)
    labels = archive.train.labels(kind)
    others = np.flatnonzero(~np.isin(labels, list(numbers)))
    if other_classes and not len(others):
        raise StagingError(
            f"the archive has no training images of other classes than {', '.join(classes)} to pretrain on: "
            "run `make stage` without PRETRAIN, or name another archive as SOURCE"
        )
    training, validation = _split(labels, numbers, seed=seed, fraction=validation_fraction)
    positions = (training, validation, _positions(archive.test.labels(kind), numbers))
    names = _unique_names((*archive.train.filenames, *archive.test.filenames))
    train_names, test_names = names[: len(labels)], names[len(labels) :]
    splits = {}
    for split, chosen in zip(SPLITS, positions, strict=True):
        examples, file_names = (archive.test, test_names) if split == "test" else (archive.train, train_names)
        found = examples.labels(kind)[chosen]
        splits[split] = Images(
            tuple(file_names[position] for position in chosen),
            np.array([numbers[int(label)] for label in found], dtype=np.int64),
            _pixels(examples, chosen),
        )
    pretraining = _other_classes(archive.train, labels, others) if other_classes else None
    return Selection(tuple(classes), seed, splits, pretraining)


def _other_classes(examples: Examples, labels: NDArray[np.int64], positions: NDArray[np.int64]) -> Images:
    _, renumbered = np.unique(labels[positions], return_inverse=True)
    return Images(("",) * len(positions), renumbered.astype(np.int64), _pixels(examples, positions))


def _pixels(examples: Examples, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
    return examples.data[positions].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _unique_names(filenames: Sequence[str]) -> list[str]:
    """Return a safe name for each file name, without duplicates: a second `a.png` becomes `a-2.png`."""
    taken: set[str] = set()
    names = []
    for filename in filenames:
        name = first = safe_name(filename)
        occurrence = 1
        while name.lower() in taken:  # some file systems ignore case
            occurrence += 1
            name = f"{first.removesuffix('.png')}-{occurrence}.png"
        taken.add(name.lower())
        names.append(name)
    return names


def _positions(labels: NDArray[np.int64], numbers: Mapping[int, int]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(labels, list(numbers)))


def _require_examples(archive: Archive, kind: LabelKind, numbers: Mapping[int, int]) -> None:
    names = archive.meta.names(kind)
    for split, examples, minimum in (("training", archive.train, 2), ("test", archive.test, 1)):
        counts = np.bincount(examples.labels(kind), minlength=len(names))
        short = [names[label] for label in numbers if counts[label] < minimum]
        if short:
            raise StagingError(
                f"the archive needs at least {minimum} {split} images of each class; too few of {', '.join(short)}"
            )


def _split(
    labels: NDArray[np.int64], numbers: Mapping[int, int], *, seed: int, fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the training and the validation images, stratified by class.

    The choice for a class depends only on the seed and the class's label, so other classes do not change it.
    """
    if not 0 < fraction < 1:
        raise StagingError(f"the validation fraction must be between 0 and 1 (got {fraction:g})")
    selected = []
    for label in numbers:
        positions = np.flatnonzero(labels == label)
        count = min(max(round(len(positions) * fraction), 1), len(positions) - 1)
        selected.append(np.random.default_rng((seed, label)).permutation(positions)[:count])
    validation = np.sort(np.concatenate(selected))
    return np.setdiff1d(_positions(labels, numbers), validation), validation
