"""Transform: rows of the archive to PNGs and `.lst` manifests, or to shards of them, in a local folder."""

import io
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from staging.archive import Archive, Kind, Rows
from staging.classes import class_numbers
from staging.errors import StagingError
from staging.recordio import Record, write_shards

Format = Literal["images", "recordio"]
SIDE = 32  # pixels, of an image of CIFAR's
SPLITS = ("train", "validation", "test")
OTHERS = "pretrain"  # the folder of other classes' rows
LONGEST_NAME = 100


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
    """What `transform` wrote.

    Attributes
    ----------
    data_format
        Of the training and the validation split; the test split always is images.
    splits
        Images by split, in the order of their rows.
    keys
        Every file below `directory`, by its key in the bucket: `<split>/<name>` and `<split>.lst`, or
        `<split>/<split>-00000.rec` and so on; with other classes' rows `pretrain/pretrain-00000.rec` and so on.
    """

    directory: Path
    classes: tuple[str, ...]
    seed: int
    data_format: Format
    splits: Mapping[str, tuple[Picture, ...]]
    keys: tuple[str, ...]

    def files(self) -> dict[str, Path]:
        """Every file by its key in the bucket."""
        return {key: self.directory / key for key in self.keys}


def transform(
    archive: Archive,
    *,
    classes: Sequence[str],
    directory: Path,
    seed: int = 0,
    validation_fraction: float = 0.1,
    data_format: Format = "images",
    others: bool = False,
) -> Dataset:
    """Write the images of some classes as RGB PNGs with one manifest a split, or as shards of them.

    Parameters
    ----------
    classes
        2 to 100 names of fine classes, or 2 to 20 of coarse ones; a class's number is its position here.
    directory
        Where to; splits of an earlier call are replaced, the same input gives the same bytes.
    seed
        Chooses the validation rows.
    validation_fraction
        Share of each class's training rows that becomes the validation split. Test rows stay test rows.
    data_format
        Of the training and the validation split. Both have the same rows in the same order; the test split's are
        images in any case, since the workflow is asked about one at a time.
    others
        Whether the training rows of all other classes are written too, as shards: a network can learn from them
        what images look like. Their classes are numbered in the order of their labels.

    Raises
    ------
    UnknownClassError, TooFewRowsError, InvalidFractionError
        See each; nothing has been written then.
    """
    kind, numbers = class_numbers(classes, archive.meta)
    _require_rows(archive, kind, numbers)
    labels = archive.train.labels(kind)
    if others and set(np.unique(labels)) <= set(numbers):
        raise TooFewRowsError("the archive has no training rows of other classes to learn from")
    training, validation = _split_rows(labels, numbers, seed=seed, fraction=validation_fraction)
    chosen = {
        "train": training,
        "validation": validation,
        "test": _rows_of(archive.test.labels(kind), numbers),
    }
    names = _unique_names((*archive.train.filenames, *archive.test.filenames))
    train_names, test_names = names[: len(labels)], names[len(labels) :]
    splits: dict[str, tuple[Picture, ...]] = {}
    keys: list[str] = []
    for split in SPLITS:
        is_test = split == "test"
        rows, file_names = (archive.test, test_names) if is_test else (archive.train, train_names)
        splits[split] = tuple(
            Picture(file_names[position], numbers[int(rows.labels(kind)[position])]) for position in chosen[split]
        )
        write = _write_shards if data_format == "recordio" and not is_test else _write_images
        keys += write(_emptied(directory / split), splits[split], rows, chosen[split])
    folder = _emptied(directory / OTHERS)
    if others:
        keys += _write_others(folder, archive.train, labels, numbers)
    return Dataset(directory, tuple(classes), seed, data_format, splits, tuple(keys))


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


def _rows_of(labels: NDArray[np.int64], numbers: Mapping[int, int]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(labels, list(numbers)))


def _require_rows(archive: Archive, kind: Kind, numbers: Mapping[int, int]) -> None:
    names = archive.meta.names(kind)
    for split, rows, least in (("training", archive.train, 2), ("test", archive.test, 1)):
        counts = np.bincount(rows.labels(kind), minlength=len(names))
        short = [names[label] for label in numbers if counts[label] < least]
        if short:
            raise TooFewRowsError(f"the archive lacks {split} rows of {', '.join(short)}: {least} of each are needed")


def _split_rows(
    labels: NDArray[np.int64], numbers: Mapping[int, int], *, seed: int, fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training and the validation rows, stratified by class.

    A class's draw depends on the seed and its label alone, not on the other classes.
    """
    if not 0 < fraction < 1:
        raise InvalidFractionError(f"the validation fraction is {fraction:g}: it must lie between 0 and 1")
    drawn = []
    for label in numbers:
        positions = np.flatnonzero(labels == label)
        count = min(max(round(len(positions) * fraction), 1), len(positions) - 1)
        drawn.append(np.random.default_rng((seed, label)).permutation(positions)[:count])
    validation = np.sort(np.concatenate(drawn))
    return np.setdiff1d(_rows_of(labels, numbers), validation), validation


def _emptied(folder: Path) -> Path:
    """The folder of a split, without what an earlier call wrote in either form."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.with_suffix(".lst").unlink(missing_ok=True)
    folder.mkdir(parents=True)
    return folder


def _write_images(folder: Path, pictures: Sequence[Picture], rows: Rows, positions: NDArray[np.int64]) -> Iterator[str]:
    """Write one file an image, and the list of them; their keys."""
    for picture, image in zip(pictures, _encoded(folder.name, rows, positions), strict=True):
        (folder / picture.name).write_bytes(image)
        yield f"{folder.name}/{picture.name}"
    listing = folder.with_suffix(".lst")
    listing.write_text("".join(_list_lines(pictures)), encoding="ascii", newline="\n")
    yield listing.name


def _write_shards(folder: Path, pictures: Sequence[Picture], rows: Rows, positions: NDArray[np.int64]) -> Iterator[str]:
    """Write shards of images; their keys."""
    images = zip(pictures, _encoded(folder.name, rows, positions), strict=True)
    records = (Record(row, picture.number, image) for row, (picture, image) in enumerate(images))
    return (f"{folder.name}/{path.name}" for path in write_shards(folder, records, count=len(pictures)))


def _write_others(folder: Path, rows: Rows, labels: NDArray[np.int64], numbers: Mapping[int, int]) -> Iterator[str]:
    """Write shards of the rows whose classes are not asked for; their keys."""
    positions = np.flatnonzero(~np.isin(labels, list(numbers)))
    _, classes = np.unique(labels[positions], return_inverse=True)
    return _write_shards(folder, [Picture("", int(number)) for number in classes], rows, positions)


def _encoded(split: str, rows: Rows, positions: NDArray[np.int64]) -> Iterator[bytes]:
    """Each row as a PNG."""
    for position in tqdm(positions, desc=f"{split} images", unit="", disable=None):
        pixels = rows.data[position].reshape(3, SIDE, SIDE).transpose(1, 2, 0)
        with io.BytesIO() as stream:
            Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="PNG")
            yield stream.getvalue()


def _list_lines(pictures: Sequence[Picture]) -> Iterator[str]:
    """`row<TAB>class<TAB>path below the channel's prefix`, as SageMaker's image algorithms read it."""
    return (f"{row}\t{picture.number}\t{picture.name}\n" for row, picture in enumerate(pictures))
