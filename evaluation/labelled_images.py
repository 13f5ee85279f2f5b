"""The test images that are staged in S3, and their labels."""

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
    source : one line that names the data set
    synthetic : whether the images are from the project's synthetic sample
    classes : class names; the number of a class is its position
    labels : class number of each image, by S3 key
    md5s : MD5 of each image in hexadecimal, by S3 key
    fingerprint : digest of the images and their labels
    """

    source: str
    synthetic: bool
    classes: tuple[str, ...]
    labels: Mapping[str, int]
    md5s: Mapping[str, str]
    fingerprint: str


def read_test_images(bucket: str, *, classes: Sequence[str], environment: str, s3: Any) -> LabelledImages:
    """Read the staged test images' manifest and labels.

    The labels are read from `test.lst`. File names are not labels, because the same names occur in several classes.

    Parameters
    ----------
    classes : the stack's classes
    environment : name of the environment, for error messages

    Raises
    ------
    ManifestMissingError
        Nothing is staged.
    StagedDataError
        The staged classes differ from the stack's classes, or `test.lst` does not match the manifest.
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
