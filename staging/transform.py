"""Transform: rows of the archive to PNGs and `.lst` manifests in a local folder."""

import difflib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from staging.archive import Archive, Rows
from staging.errors import StagingError

SPLITS = ("train", "validation", "test")
LONGEST_NAME = 100


class UnknownClassError(StagingError):
    """CIFAR-100 has no class of this name, or the list of classes is not one."""


class TooFewRowsError(StagingError):
    """A split would have no image of some class."""


class InvalidFractionError(StagingError):
    """The validation fraction is no share."""


@dataclass(frozen=True)
class Picture:
    """One image of a split: its file's name below the split's folder, and its class number."""

    name: str
    number: int


@dataclass(frozen=True)
class Dataset:
    """What `transform` wrote: `<directory>/<split>/<name>` and `<directory>/<split>.lst`."""

    directory: Path
    classes: tuple[str, ...]
    seed: int
    splits: Mapping[str, tuple[Picture, ...]]

    def files(self) -> dict[str, Path]:
        """Every file by its key in the bucket."""
        images = (f"{split}/{picture.name}" for split, pictures in self.splits.items() for picture in pictures)
        lists = (f"{split}.lst" for split in self.splits)
        return {key: self.directory / key for key in (*images, *lists)}


def transform(
    archive: Archive,
    *,
    classes: Sequence[str],
    directory: Path,
    seed: int = 0,
    validation_fraction: float = 0.1,
) -> Dataset:
    """Write the images of some classes as RGB PNGs, with one manifest a split.

    Parameters
    ----------
    classes
        2 to 100 fine class names; a class's number is its position here.
    directory
        Where to; splits of an earlier call are replaced, the same input gives the same bytes.
    seed
        Chooses the validation rows.
    validation_fraction
        Share of each class's training rows that becomes the validation split. Test rows stay test rows.

    Raises
    ------
    UnknownClassError, TooFewRowsError, InvalidFractionError
        See each; nothing has been written then.
    """
    numbers = class_numbers(classes, archive.meta.fine_names)
    _require_rows(archive, numbers)
    training, validation = _split_rows(archive.train, numbers, seed=seed, fraction=validation_fraction)
    chosen = {"train": training, "validation": validation, "test": _rows_of(archive.test, numbers)}
    names = _unique_names((*archive.train.filenames, *archive.test.filenames))
    train_names, test_names = names[: len(archive.train.data)], names[len(archive.train.data) :]
    splits = {
        split: _write_split(
            directory / split,
            archive.test if split == "test" else archive.train,
            test_names if split == "test" else train_names,
            chosen[split],
            numbers,
        )
        for split in SPLITS
    }
    return Dataset(directory, tuple(classes), seed, splits)


def class_numbers(classes: Sequence[str], known: Sequence[str]) -> dict[int, int]:
    """The class number of each fine label, in the order of `classes`.

    Raises
    ------
    UnknownClassError
        A name is unknown or twice there, or there are fewer than two.
    """
    for name in classes:
        if name not in known:
            close = difflib.get_close_matches(name, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(known)}"
            raise UnknownClassError(f"CIFAR-100 has no class {name!r}: {hint}")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise UnknownClassError(f"at least two different classes are needed, not {', '.join(classes) or 'none'}")
    return {known.index(name): number for number, name in enumerate(classes)}


def safe_name(filename: str) -> str:
    """A plain file name ending in `.png`, whatever the archive says.

    Examples
    --------
    >>> safe_name("../étui/bike_s_000021.png")
    'bike_s_000021.png'
    """
    last = re.split(r"[/\\]", filename)[-1]
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", last.removesuffix(".png")).lstrip(".-")
    return f"{stem[:LONGEST_NAME] or 'image'}.png"


def _unique_names(filenames: Sequence[str]) -> list[str]:
    """Safe names, no two alike: a second `a.png` becomes `a-2.png`."""
    taken: set[str] = set()
    names = []
    for filename in filenames:
        name = first = safe_name(filename)
        again = 1
        while name.lower() in taken:  # some file systems take A.png and a.png for the same
            again += 1
            name = f"{first.removesuffix('.png')}-{again}.png"
        taken.add(name.lower())
        names.append(name)
    return names


def _rows_of(rows: Rows, numbers: Mapping[int, int]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(rows.fine_labels, list(numbers)))


def _require_rows(archive: Archive, numbers: Mapping[int, int]) -> None:
    for split, rows, least in (("training", archive.train, 2), ("test", archive.test, 1)):
        for label in numbers:
            count = int(np.count_nonzero(rows.fine_labels == label))
            if count < least:
                name = archive.meta.fine_names[label]
                raise TooFewRowsError(f"the archive has {count} {split} rows of {name}: {least} are needed")


def _split_rows(
    rows: Rows, numbers: Mapping[int, int], *, seed: int, fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training and the validation rows, stratified by class.

    A class's draw depends on the seed and its label alone, not on the other classes.
    """
    if not 0 < fraction < 1:
        raise InvalidFractionError(f"the validation fraction is {fraction:g}: it must lie between 0 and 1")
    drawn = []
    for label in numbers:
        positions = np.flatnonzero(rows.fine_labels == label)
        count = min(max(round(len(positions) * fraction), 1), len(positions) - 1)
        drawn.append(np.random.default_rng((seed, label)).permutation(positions)[:count])
    validation = np.sort(np.concatenate(drawn))
    return np.setdiff1d(_rows_of(rows, numbers), validation), validation


def _write_split(
    folder: Path,
    rows: Rows,
    names: Sequence[str],
    positions: NDArray[np.int64],
    numbers: Mapping[int, int],
) -> tuple[Picture, ...]:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    pictures = tuple(Picture(names[position], numbers[int(rows.fine_labels[position])]) for position in positions)
    bar = tqdm(positions, desc=f"{folder.name} images", unit="", disable=None)
    for picture, position in zip(pictures, bar, strict=True):
        _image(rows.data[position]).save(folder / picture.name)
    lines = _list_lines(pictures)
    folder.with_suffix(".lst").write_text("".join(lines), encoding="ascii", newline="\n")
    return pictures


def _image(row: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(row.reshape(3, 32, 32).transpose(1, 2, 0)))


def _list_lines(pictures: Sequence[Picture]) -> Iterator[str]:
    """`row<TAB>class<TAB>path below the channel's prefix`, as SageMaker's image algorithms read it."""
    return (f"{row}\t{picture.number}\t{picture.name}\n" for row, picture in enumerate(pictures))
