"""Stage the images of an archive or a folder in S3, or add reviewed images to the staged images."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from common.terminal import counted
from staging.archive import read_archive
from staging.errors import StagingError
from staging.folder import read_folder
from staging.load import load
from staging.manifest import Format, Manifest
from staging.reviewed import ReviewedImage, add_reviewed
from staging.select import select
from staging.source import Source
from staging.staged import read_staged
from staging.transform import write


def stage(
    source: Source,
    *,
    classes: Sequence[str],
    bucket: str,
    directory: Path,
    seed: int = 0,
    data_format: Format = "images",
    other_classes: bool = False,
    s3: Any,
) -> Manifest:
    """Upload the images of `classes` from an archive or a folder to `bucket`, and return the new manifest.

    Parameters
    ----------
    source : the archive or folder
    classes : names of the classes; a class's number is its position in this list
    bucket : name of the S3 bucket
    directory : local directory to which the images are written before the upload
    seed : random seed for dividing the images into splits
    data_format : format of the training and the validation split, `images` or `recordio`
    other_classes : whether to also stage images of other classes, for pretraining

    Raises
    ------
    StagingError
        The archive or folder is invalid, it lacks one of the classes, or the upload failed.
    """
    if source.path.is_dir():
        selection = read_folder(source.path, classes=classes, seed=seed, other_classes=other_classes)
    else:
        selection = select(read_archive(source.path), classes=classes, seed=seed, other_classes=other_classes)
    dataset = write(selection, directory=directory, data_format=data_format)
    return load(dataset, bucket=bucket, source=source, s3=s3)


def stage_reviewed(
    manifest: Manifest, reviewed: Iterable[ReviewedImage], *, bucket: str, directory: Path, s3: Any
) -> Manifest:
    """Add reviewed images of live traffic to the staged images; remove reviewed images that were added before.

    Parameters
    ----------
    manifest : manifest of the staged images
    reviewed : the images to add, with the classes that people gave them
    directory : local directory to which the images are written before the upload

    Raises
    ------
    StagingError
        There is no reviewed image to add, or a staged image is damaged.
    """
    selection, left_out = add_reviewed(read_staged(manifest, bucket, s3=s3), reviewed)
    for reason, count in left_out.items():
        print(f"{counted(count, 'reviewed image')} left out: {reason}")
    if selection.reviewed is None:
        raise StagingError("there are no reviewed images to train on: label some with `make review` first")
    sizes = ", ".join(f"{split} {size.count}" for split, size in selection.reviewed.splits.items())
    print(f"{counted(selection.reviewed.count, 'reviewed image')} added: {sizes}")
    source = Source(directory, manifest.source, manifest.source_md5, manifest.synthetic)
    dataset = write(selection, directory=directory, data_format=manifest.format)
    return load(dataset, bucket=bucket, source=source, s3=s3)
