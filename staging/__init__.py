"""Stage a data set: extract an archive of CIFAR-100, transform its images, load them to S3."""

from staging.archive import Archive, read_archive
from staging.errors import StagingError
from staging.extract import OFFICIAL_URL, extract_cifar_data
from staging.load import load
from staging.manifest import (
    Format,
    Manifest,
    ManifestError,
    ManifestMissingError,
    digest_classes,
    read_manifest,
)
from staging.source import Source, resolve
from staging.stage import stage
from staging.synthetic.sample import draw_archive
from staging.transform import SIDE, Dataset, transform

__all__ = [
    "OFFICIAL_URL",
    "SIDE",
    "Archive",
    "Dataset",
    "Format",
    "Manifest",
    "ManifestError",
    "ManifestMissingError",
    "Source",
    "StagingError",
    "digest_classes",
    "draw_archive",
    "extract_cifar_data",
    "load",
    "read_archive",
    "read_manifest",
    "resolve",
    "stage",
    "transform",
]
