"""Stage: read an archive, transform its images, load them to a bucket."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from staging.archive import read_archive
from staging.load import load
from staging.manifest import Format, Manifest
from staging.source import Source
from staging.transform import transform


def stage(
    source: Source,
    *,
    classes: Sequence[str],
    bucket: str,
    directory: Path,
    seed: int = 0,
    validation_fraction: float = 0.1,
    data_format: Format = "images",
    other_classes: bool = False,
    s3: Any,
) -> Manifest:
    """Load the images of `classes` from an archive to `bucket`, and return the manifest of the bucket's content.

    Parameters
    ----------
    directory : where the images are written before the upload
    seed, validation_fraction, data_format, other_classes : see `transform`

    Raises
    ------
    StagingError
        The archive is invalid or does not have the classes, or the upload failed.
    """
    dataset = transform(
        read_archive(source.path),
        classes=classes,
        directory=directory,
        seed=seed,
        validation_fraction=validation_fraction,
        data_format=data_format,
        other_classes=other_classes,
    )
    return load(dataset, bucket=bucket, source=source, s3=s3)
