"""Read and check `manifest.json`, which lists the staged images of a bucket, their checksums and their source."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, ValidationError

from common.aws import error_code
from staging.checksum import content_md5
from staging.errors import StagingError
from staging.recordio import SUFFIX

MANIFEST = "manifest.json"
PRETRAINING = "pretrain"  # folder of the images of other classes, and name of the training channel that reads it
CHANNELS = ("train", "validation", PRETRAINING)  # folders that training jobs read
Format = Literal["images", "recordio"]
T = TypeVar("T")


class ManifestError(StagingError):
    """The manifest, or an object that it describes, does not have the expected content."""


class ManifestMissingError(StagingError):
    """The bucket holds no complete data set."""


def digest_classes(classes: Sequence[str]) -> str:
    """Return a digest of class names and their order."""
    return content_md5(",".join(classes).encode())


def is_training_shard(key: str) -> bool:
    """Return whether a key is that of a RecordIO shard that training jobs read, even if no manifest lists it."""
    return key.partition("/")[0] in CHANNELS and key.endswith(SUFFIX)


class _StrictModel(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class SplitSize(_StrictModel):
    """Number of images in a split, in total and by class name."""

    count: int
    per_class: dict[str, int]


class StoredObject(_StrictModel):
    """An object's size in bytes and its MD5 in hexadecimal."""

    size: int
    md5: str


class ReviewedImages(_StrictModel):
    """Images of live traffic, labelled by people, that were added to the images of the source.

    The reviewed images are the last images of their splits.

    Attributes
    ----------
    splits : number of reviewed images in `train` and `validation`; a split without reviewed images is missing
    fingerprint : SHA-256 of the reviewed images and their labels
    """

    splits: dict[str, SplitSize]
    fingerprint: str

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(size.count for size in self.splits.values())


class Manifest(_StrictModel):
    """The content of `manifest.json`, which is written after all objects that it lists.

    Attributes
    ----------
    source : line that names the data set in reports
    source_md5 : MD5 of the archive, or of all files in the folder, in hexadecimal
    synthetic : whether this project drew the images itself
    classes : class names; a class's number is its position
    seed : random seed with which the images were divided into splits
    format : format of the training and the validation split; the test split always consists of single images
    image_side : width and height of each image, in pixels
    splits : size of each split
    objects : all staged objects by key
    reviewed : number and digest of the reviewed images in the data set; None if there are none
    """

    source: str
    source_md5: str
    synthetic: bool
    classes: tuple[str, ...]
    seed: int
    format: Format
    image_side: int
    splits: dict[str, SplitSize]
    objects: dict[str, StoredObject]
    reviewed: ReviewedImages | None = None

    @property
    def description(self) -> str:
        """The source, with the number of reviewed images."""
        return f"{self.source} and {self.reviewed.count} reviewed images" if self.reviewed else self.source

    @property
    def classes_md5(self) -> str:
        """A digest of the class names and their order."""
        return digest_classes(self.classes)

    @property
    def has_pretraining_data(self) -> bool:
        """Whether images of other classes are staged for pretraining."""
        return any(key.startswith(f"{PRETRAINING}/") for key in self.objects)

    def shard_count(self, split: str) -> int:
        """Return the number of RecordIO shards of a split; 0 if it consists of single images."""
        return sum(key.startswith(f"{split}/") and key.endswith(".rec") for key in self.objects)

    def checksums(self, split: str) -> dict[str, str]:
        """Return the MD5 of each object of a split by key, without the split's list of labels."""
        return {key: stored.md5 for key, stored in self.objects.items() if key.startswith(f"{split}/")}

    def fingerprint(self, split: str) -> str:
        """Return a digest of a split's images and labels: equal only for the same examples."""
        list_key = _list_key(split)
        listed = {list_key: self.objects[list_key].md5} if list_key in self.objects else {}
        content = json.dumps({**listed, **self.checksums(split)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def labels(self, split: str, listing: bytes) -> dict[str, int]:
        """Return the class number of each image of a split, by key.

        Parameters
        ----------
        listing : content of `<split>.lst`: lines of `index<TAB>class number<TAB>path below the split's folder`

        Raises
        ------
        ManifestError
            `listing` is not the list that was staged, or its images or classes differ from the manifest's.
        """
        list_key = _list_key(split)
        stored = self.objects.get(list_key)
        if stored is None or content_md5(listing) != stored.md5:
            raise ManifestError(f"{list_key} is not the file that {MANIFEST} describes")
        lines = (line.split("\t") for line in listing.decode("utf-8").splitlines() if line)
        labels = {f"{split}/{path}": int(number) for _, number, path in lines}
        if labels.keys() != self.checksums(split).keys() or not set(labels.values()) <= set(range(len(self.classes))):
            raise ManifestError(f"{list_key} lists other images or classes than {MANIFEST}")
        return labels

    def to_json(self) -> dict[str, Any]:
        """Return the content of `manifest.json`."""
        return self.model_dump(mode="json")


def read_manifest(bucket: str, *, s3: Any) -> Manifest:
    """Read the manifest of the data set that is staged in `bucket`.

    Raises
    ------
    ManifestMissingError
        Nothing is staged, or staging was interrupted.
    ManifestError
        The object is not a manifest of this version of the project.
    """
    content = read_json(bucket, MANIFEST, dict, s3=s3)
    if content is None:
        raise ManifestMissingError(f"s3://{bucket} holds no complete data set: run `make stage`")
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ManifestError(f"s3://{bucket}/{MANIFEST}: {field}: {first['msg']}; run `make stage` again") from error


def read_json(bucket: str, key: str, kind: type[T], *, s3: Any) -> T | None:
    """Return the parsed content of an S3 object in JSON, or None if the object does not exist.

    Raises
    ------
    ManifestError
        The content is not JSON, or its type is not `kind`.
    """
    try:
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise
    with contextlib.suppress(ValueError):  # invalid JSON is reported below, like JSON of another type
        parsed = json.loads(content)
        if isinstance(parsed, kind):
            return parsed
    raise ManifestError(f"s3://{bucket}/{key} is damaged: delete it and run `make stage`")


def _list_key(split: str) -> str:
    return f"{split}.lst"
