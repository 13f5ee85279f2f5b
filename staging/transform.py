"""Transform: write images as PNGs with a list of labels, or as RecordIO shards."""

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.terminal import progress_bar
from staging.archive import Archive
from staging.images import SPLITS, Images, Selection
from staging.manifest import PRETRAINING, Format, ReviewedImages
from staging.recordio import Record, write_shards
from staging.select import select


@dataclass(frozen=True)
class LabelledImage:
    """One image of a split: its file name below the split's folder, and its class number."""

    name: str
    label: int


@dataclass(frozen=True)
class Dataset:
    """The files that `write` wrote below `directory`.

    Attributes
    ----------
    data_format : format of the training and the validation split; the test split always consists of single images
    splits : images of each split, in order, by the split's name
    keys : path of each file below `directory`, which is also its key in the bucket: `<split>/<name>` and `<split>.lst`
        for images, `<split>/<split>-00000.rec` and so on for shards, `pretrain/...` for images of other classes
    reviewed : number and digest of the reviewed images of live traffic in the data set; None if there are none
    """

    directory: Path
    classes: tuple[str, ...]
    seed: int
    data_format: Format
    splits: Mapping[str, tuple[LabelledImage, ...]]
    keys: tuple[str, ...]
    reviewed: ReviewedImages | None = None

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
    """Select images of an archive and write them; `select` and `write` describe the parameters.

    Raises
    ------
    StagingError
        A class is unknown, has too few images, or the fraction is out of range; nothing has been written.
    """
    selection = select(
        archive,
        classes=classes,
        seed=seed,
        validation_fraction=validation_fraction,
        other_classes=other_classes,
    )
    return write(selection, directory=directory, data_format=data_format)


def write(selection: Selection, *, directory: Path, data_format: Format = "images") -> Dataset:
    """Write images as RGB PNGs with one list of labels per split, or as RecordIO shards.

    Parameters
    ----------
    directory : directory to write to; splits of an earlier call are replaced; the same input gives the same bytes
    data_format : format of the training and the validation split; both formats have the same images in the same order;
        the test split always consists of single images, because the workflow classifies one image at a time. Images of
        other classes are always shards.
    """
    splits = {
        split: tuple(LabelledImage(name, int(label)) for name, label in zip(images.names, images.labels, strict=True))
        for split, images in selection.splits.items()
    }
    keys: list[str] = []
    for split in SPLITS:
        write_split = _write_shards if data_format == "recordio" and split != "test" else _write_images
        keys += write_split(_emptied(directory / split), selection.splits[split])
    folder = _emptied(directory / PRETRAINING)
    if selection.others is not None:
        keys += _write_shards(folder, selection.others)
    return Dataset(directory, selection.classes, selection.seed, data_format, splits, tuple(keys), selection.reviewed)


def _emptied(folder: Path) -> Path:
    """Create an empty folder for a split; delete the files that an earlier call wrote in either format."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.with_suffix(".lst").unlink(missing_ok=True)
    folder.mkdir(parents=True)
    return folder


def _write_images(folder: Path, images: Images) -> Iterator[str]:
    """Write one file per image and the list of labels; yield the keys of these files."""
    for name, content in zip(images.names, _encoded(folder.name, images), strict=True):
        (folder / name).write_bytes(content)
        yield f"{folder.name}/{name}"
    listing = folder.with_suffix(".lst")
    listing.write_text("".join(_list_lines(images)), encoding="ascii", newline="\n")
    yield listing.name


def _write_shards(folder: Path, images: Images) -> Iterator[str]:
    """Write images as RecordIO shards; return the keys of the shards."""
    encoded = zip(images.labels, _encoded(folder.name, images), strict=True)
    records = (Record(index, int(label), content) for index, (label, content) in enumerate(encoded))
    return (f"{folder.name}/{path.name}" for path in write_shards(folder, records, count=len(images)))


def _encoded(split: str, images: Images) -> Iterator[bytes]:
    """Yield each image as a PNG."""
    for pixels in progress_bar(images.pixels, desc=f"{split} images", unit=""):
        with io.BytesIO() as stream:
            Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="PNG")
            yield stream.getvalue()


def _list_lines(images: Images) -> Iterator[str]:
    """Yield `index<TAB>class number<TAB>path below the channel's prefix`, as SageMaker's image algorithms read it."""
    named = enumerate(zip(images.labels, images.names, strict=True))
    return (f"{index}\t{label}\t{name}\n" for index, (label, name) in named)
