"""Transform: write the archive's images as PNGs with a list of labels, or as RecordIO shards."""

import io
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.terminal import progress_bar
from staging.archive import Archive, Examples, LabelKind
from staging.classes import class_numbers
from staging.errors import StagingError
from staging.manifest import PRETRAINING, Format
from staging.recordio import Record, write_shards

SIDE = 32  # width and height of CIFAR's images, in pixels
SPLITS = ("train", "validation", "test")
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class LabelledImage:
    """One image of a split: its file name below the split's folder, and its class number."""

    name: str
    label: int


@dataclass(frozen=True)
class Dataset:
    """The files that `transform` wrote below `directory`.

    Attributes
    ----------
    data_format : format of the training and the validation split; the test split always consists of single images
    splits : images by split, in the archive's order
    keys : every file's path below `directory`, which is also its key in the bucket: `<split>/<name>` and `<split>.lst`
        for images, `<split>/<split>-00000.rec` and so on for shards, `pretrain/...` for images of other classes
    """

    directory: Path
    classes: tuple[str, ...]
    seed: int
    data_format: Format
    splits: Mapping[str, tuple[LabelledImage, ...]]
    keys: tuple[str, ...]

    def files(self) -> dict[str, Path]:
        """Return the path of every file by its key."""
        return {key: self.directory / key for key in self.keys}


def transform(
    archive: Archive,
    *,
    classes: Sequence[str],
    directory: Path,
    seed: int = 0,
    validation_fraction: float = 0.1,
    data_format: Format = "images",
    other_classes: bool = False,
) -> Dataset:
    """Write the images of `classes` as RGB PNGs with one list of labels per split, or as RecordIO shards.

    Parameters
    ----------
    classes : 2 to 100 names of fine classes, or 2 to 20 of coarse ones; a class's number is its position here
    directory : where to write; splits of an earlier call are replaced; the same input gives the same bytes
    seed : selects the validation images
    validation_fraction : fraction of each class's training images that becomes the validation split; the archive's test
        images become the test split
    data_format : format of the training and the validation split; both formats have the same images in the same order;
        the test split always consists of single images, because the workflow classifies one image at a time
    other_classes : whether to write the training images of all other classes too, as shards to pretrain on; their
        classes are numbered in the order of their labels

    Raises
    ------
    StagingError
        A class is unknown, has too few images, or the fraction is out of range; nothing has been written.
    """
    kind, numbers = class_numbers(classes, archive.meta)
    _require_examples(archive, kind, numbers)
    labels = archive.train.labels(kind)
    if other_classes and set(np.unique(labels)) <= set(numbers):
        raise StagingError(
            f"the archive has no training images of other classes than {', '.join(classes)} to pretrain on: "
            "run `make stage` without PRETRAIN, or name another archive as SOURCE"
        )
    training, validation = _split(labels, numbers, seed=seed, fraction=validation_fraction)
    chosen = {
        "train": training,
        "validation": validation,
        "test": _positions(archive.test.labels(kind), numbers),
    }
    names = _unique_names((*archive.train.filenames, *archive.test.filenames))
    train_names, test_names = names[: len(labels)], names[len(labels) :]
    splits: dict[str, tuple[LabelledImage, ...]] = {}
    keys: list[str] = []
    for split in SPLITS:
        is_test = split == "test"
        examples, file_names = (archive.test, test_names) if is_test else (archive.train, train_names)
        splits[split] = tuple(
            LabelledImage(file_names[position], numbers[int(examples.labels(kind)[position])])
            for position in chosen[split]
        )
        write = _write_shards if data_format == "recordio" and not is_test else _write_images
        keys += write(_emptied(directory / split), splits[split], examples, chosen[split])
    folder = _emptied(directory / PRETRAINING)
    if other_classes:
        keys += _write_other_classes(folder, archive.train, labels, numbers)
    return Dataset(directory, tuple(classes), seed, data_format, splits, tuple(keys))


def safe_name(filename: str) -> str:
    """Return a plain file name ending in `.png` for any file name of an archive.

    Examples
    --------
    >>> safe_name("../étui/bike_s_000021.png")
    'bike_s_000021.png'
    """
    last = re.split(r"[/\\]", filename)[-1]
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", last.removesuffix(".png")).lstrip(".-")
    return f"{stem[:MAX_NAME_LENGTH] or 'image'}.png"


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

    The choice for a class depends only on the seed and its label, not on the other classes.
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


def _emptied(folder: Path) -> Path:
    """Create a split's folder; delete what an earlier call wrote in either format."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.with_suffix(".lst").unlink(missing_ok=True)
    folder.mkdir(parents=True)
    return folder


def _write_images(
    folder: Path, images: Sequence[LabelledImage], examples: Examples, positions: NDArray[np.int64]
) -> Iterator[str]:
    """Write one file per image and the list of labels; yield their keys."""
    for image, content in zip(images, _encoded(folder.name, examples, positions), strict=True):
        (folder / image.name).write_bytes(content)
        yield f"{folder.name}/{image.name}"
    listing = folder.with_suffix(".lst")
    listing.write_text("".join(_list_lines(images)), encoding="ascii", newline="\n")
    yield listing.name


def _write_shards(
    folder: Path, images: Sequence[LabelledImage], examples: Examples, positions: NDArray[np.int64]
) -> Iterator[str]:
    """Write shards of images; return their keys."""
    encoded = zip(images, _encoded(folder.name, examples, positions), strict=True)
    records = (Record(index, image.label, content) for index, (image, content) in enumerate(encoded))
    return (f"{folder.name}/{path.name}" for path in write_shards(folder, records, count=len(images)))


def _write_other_classes(
    folder: Path, examples: Examples, labels: NDArray[np.int64], numbers: Mapping[int, int]
) -> Iterator[str]:
    """Write shards of the images of all classes that are not in `numbers`; return their keys."""
    positions = np.flatnonzero(~np.isin(labels, list(numbers)))
    _, renumbered = np.unique(labels[positions], return_inverse=True)
    return _write_shards(folder, [LabelledImage("", int(label)) for label in renumbered], examples, positions)


def _encoded(split: str, examples: Examples, positions: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield each image as a PNG."""
    for position in progress_bar(positions, desc=f"{split} images", unit=""):
        pixels = examples.data[position].reshape(3, SIDE, SIDE).transpose(1, 2, 0)
        with io.BytesIO() as stream:
            Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="PNG")
            yield stream.getvalue()


def _list_lines(images: Sequence[LabelledImage]) -> Iterator[str]:
    """Yield `index<TAB>class number<TAB>path below the channel's prefix`, as SageMaker's image algorithms read it."""
    return (f"{index}\t{image.label}\t{image.name}\n" for index, image in enumerate(images))
