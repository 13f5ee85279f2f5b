"""The staged test images and their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import OperatorError
from staging.manifest import ManifestError, read_manifest

SPLIT = "test"


class StagedDataError(OperatorError):
    """The staged test images do not match the stack's classes or their own manifest."""


@dataclass(frozen=True)
class LabelledImages:
    """The test images.

    Attributes
    ----------
    source : the line that names the data set
    synthetic : whether the project drew the images itself
    classes : class names; a class's number is its position
    labels : class number of each image, by key in the bucket
    md5s : MD5 of each image in hexadecimal, by key
    fingerprint : a digest of the images and their labels
    """

    source: str
    synthetic: bool
    classes: tuple[str, ...]
    labels: Mapping[str, int]
    md5s: Mapping[str, str]
    fingerprint: str


def read_test_images(bucket: str, *, classes: Sequence[str], environment: str, s3: Any) -> LabelledImages:
    """Read the staged test images' manifest and labels.

    Labels come from the list of labels, never from file names.

    Parameters
    ----------
    classes : the stack's classes
    environment : name of the environment, for error messages

    Raises
    ------
    ManifestMissingError
        Nothing is staged.
    StagedDataError
        Other classes are staged, or the list of labels does not match the manifest.
    """
    manifest = read_manifest(bucket, s3=s3)
    if manifest.classes != tuple(classes):
        staged, expected = ", ".join(manifest.classes), ", ".join(classes)
        raise StagedDataError(
            f"the staged classes are {staged}, but the deployed stack has {expected}: "
            f"run `make stage train deploy ENV={environment}`"
        )
    listing = s3.get_object(Bucket=bucket, Key=f"{SPLIT}.lst")["Body"].read()
    try:
        labels = manifest.labels(SPLIT, listing)
    except ManifestError as error:
        raise StagedDataError(f"s3://{bucket}: {error}: run `make stage ENV={environment}`") from error
    return LabelledImages(
        source=manifest.source,
        synthetic=manifest.synthetic,
        classes=manifest.classes,
        labels=labels,
        md5s=manifest.checksums(SPLIT),
        fingerprint=manifest.fingerprint(SPLIT),
    )
