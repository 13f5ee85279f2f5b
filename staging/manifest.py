"""`manifest.json`: what a bucket holds of the staged images, and on which data it stands."""

import contextlib
import json
from typing import TypedDict, TypeVar, cast

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from staging.errors import StagingError

MANIFEST = "manifest.json"
T = TypeVar("T")


class ManifestMissingError(StagingError):
    """The bucket holds no complete set of images."""


class ManifestDamagedError(StagingError):
    """An object that staging wrote is not what it wrote."""


class Split(TypedDict):
    """How many images, in all and by class."""

    count: int
    per_class: dict[str, int]


class Stored(TypedDict):
    """One object: bytes, and MD5 in hexadecimal."""

    size: int
    md5: str


class Manifest(TypedDict):
    """The content of `manifest.json`; it is written after everything that it names.

    `format` is that of the training and the validation split, "images" or "recordio"; the test split always is images.
    """

    source: str
    source_md5: str
    classes: list[str]
    seed: int
    format: str
    splits: dict[str, Split]
    objects: dict[str, Stored]


def read_manifest(client: BaseClient, bucket: str) -> Manifest:
    """The manifest of what is staged in `bucket`.

    Raises
    ------
    ManifestMissingError
        Nothing is staged there, or staging was interrupted.
    ManifestDamagedError
        It is no manifest.
    """
    content = read_json(client, bucket, MANIFEST, dict)
    if content is None:
        raise ManifestMissingError(f"s3://{bucket} holds no complete set of images: run `make stage`")
    return cast(Manifest, content)


def read_json(client: BaseClient, bucket: str, key: str, kind: type[T]) -> T | None:
    """The parsed object, or None where there is none.

    Raises
    ------
    ManifestDamagedError
        It is there, and is no JSON of that kind.
    """
    try:
        content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    with contextlib.suppress(ValueError):  # no JSON at all: refused below, as JSON of another kind is
        parsed = json.loads(content)
        if isinstance(parsed, kind):
            return parsed
    raise ManifestDamagedError(f"s3://{bucket}/{key} is damaged: delete it and run `make stage`")
