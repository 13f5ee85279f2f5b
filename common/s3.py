"""S3 objects: list and read them, write them on a condition, and parse their URLs."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code

THREADS = 8  # requests at the same time, below botocore's default pool of 10 connections
# HeadObject has no body, so its error code is the status; no object has a key of more than 1024 bytes
MISSING = ("NoSuchKey", "NoSuchVersion", "KeyTooLongError", "404")
CONFLICTS = 5  # attempts of a conditional write, while others write the same key


class ConditionError(Exception):
    """An object was not written, because one with its key exists, or was changed since it was read."""


def list_objects(bucket: str, prefix: str, *, s3: Any, after: str = "") -> Iterator[dict[str, Any]]:
    """Yield the description of each object below a prefix, as ListObjectsV2 returns it, in order of the keys' bytes.

    Parameters
    ----------
    after : only keys after this text, which need not be a key; empty for all
    """
    start = {"StartAfter": after} if after else {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
        yield from page.get("Contents", ())


def list_folders(bucket: str, prefix: str, *, s3: Any) -> list[str]:
    """Return the names of the folders directly below a prefix that ends in a slash."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    found = (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ()))
    return sorted({folder.removeprefix(prefix).rstrip("/") for folder in found})


def read_if_exists(
    bucket: str, key: str, *, limit: int | None = None, version: str | None = None, s3: Any
) -> bytes | None:
    """Return an object, or its first `limit` bytes; None if the object, or its version, does not exist."""
    options = {"VersionId": version} if version else {}
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read(limit)
    except ClientError as error:
        if error_code(error) not in MISSING:
            raise
        return None
    return content


def put_if(bucket: str, key: str, body: bytes, *, etag: str | None = None, s3: Any) -> str | None:
    """Write a JSON object unless its key exists; with `etag`, replace exactly the object that has this ETag.

    Of several simultaneous writes S3 accepts one; it asks the others to try again (ConditionalRequestConflict):
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

    Returns
    -------
    str or None
        The object's version; None in a bucket without versioning.

    Raises
    ------
    ConditionError
        Another object has the key.
    """
    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    attempts = 0
    while True:
        attempts += 1
        try:
            stored = s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition)
            return str(stored["VersionId"]) if "VersionId" in stored else None
        except ClientError as error:
            code = error_code(error)
            if code == "PreconditionFailed" or (code in MISSING and etag is not None):
                raise ConditionError(key) from error
            if code != "ConditionalRequestConflict" or attempts == CONFLICTS:
                raise


def split_url(url: str) -> tuple[str, str]:
    """Return the bucket and the key of an S3 URL, whose key may contain any character.

    Examples
    --------
    >>> split_url("s3://bucket/models/job/model.tar.gz")
    ('bucket', 'models/job/model.tar.gz')
    """
    bucket, _, key = url.partition("://")[2].partition("/")
    return bucket, key


def sibling_url(url: str, name: str) -> str:
    """Return the URL of another object in the same folder.

    Examples
    --------
    >>> sibling_url("s3://bucket/models/job/model.tar.gz", "output.tar.gz")
    's3://bucket/models/job/output.tar.gz'
    """
    return f"{url.rpartition('/')[0]}/{name}"
