"""Stage: read an archive or a folder, transform its images, load them to a bucket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from staging.archive import read_archive
from staging.folder import read_folder
from staging.load import load
from staging.manifest import Format, Manifest
from staging.select import select
from staging.source import Source
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
    """Load the images of `classes` from an archive or a folder to `bucket`, and return the manifest of its content.

    Parameters
    ----------
    directory : where the images are written before the upload
    seed, other_classes : see `select` and `read_folder`
    data_format : see `write`

    Raises
    ------
    StagingError
        The archive is invalid, the source does not have the classes, or the upload failed.
    """
    if source.path.is_dir():
        selection = read_folder(source.path, classes=classes, seed=seed, other_classes=other_classes)
    else:
        selection = select(read_archive(source.path), classes=classes, seed=seed, other_classes=other_classes)
    dataset = write(selection, directory=directory, data_format=data_format)
    return load(dataset, bucket=bucket, source=source, s3=s3)
