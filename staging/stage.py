"""The whole way of the data: archive, images, bucket."""

from collections.abc import Sequence
from pathlib import Path

from botocore.client import BaseClient

from staging.archive import read_archive
from staging.load import load
from staging.manifest import Manifest
from staging.source import Source
from staging.transform import Format, transform


def stage(
    source: Source,
    *,
    classes: Sequence[str],
    bucket: str,
    client: BaseClient,
    directory: Path,
    seed: int = 0,
    validation_fraction: float = 0.1,
    data_format: Format = "images",
    others: bool = False,
) -> Manifest:
    """Bring the images of `classes` from an archive to `bucket`.

    Parameters
    ----------
    source
        What `resolve` found.
    directory
        Where the images lie on their way.
    seed, validation_fraction, data_format, others
        See `transform`.

    Returns
    -------
    Manifest
        What the bucket now holds.

    Raises
    ------
    StagingError
        The archive, the classes or the bucket do not allow it.
    """
    dataset = transform(
        read_archive(source.path),
        classes=classes,
        directory=directory,
        seed=seed,
        validation_fraction=validation_fraction,
        data_format=data_format,
        others=others,
    )
    return load(dataset, client=client, bucket=bucket, source=source.description, source_md5=source.md5)
