"""List, read and conditionally write S3 objects, and parse S3 URLs."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code

THREADS = 8  # simultaneous requests, fewer than botocore's default pool of 10 connections
# Error codes for an object that does not exist. HeadObject responses have no body, so their error code is the HTTP
# status. KeyTooLongError is included because no object can have such a long key.
MISSING = ("NoSuchKey", "NoSuchVersion", "KeyTooLongError", "404")
MAX_ATTEMPTS = 5  # of a conditional write, while other clients write the same key


class ConditionError(Exception):
    """An object was not written, because its key exists already, or because the object was changed or deleted."""


def list_objects(bucket: str, prefix: str, *, s3: Any, after: str = "") -> Iterator[dict[str, Any]]:
    """Yield the description of each object below a prefix, as ListObjectsV2 returns it, sorted by the keys' bytes.

    Parameters
    ----------
    after : a key or any other text; only keys that sort after this text are listed. Empty to list all keys
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
    """Return an object's content, or its first `limit` bytes; None if the object or the version does not exist."""
    options = {"VersionId": version} if version else {}
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read(limit)
    except ClientError as error:
        if error_code(error) not in MISSING:
            raise
        return None
    return content


def put_if(bucket: str, key: str, body: bytes, *, etag: str | None = None, s3: Any) -> str | None:
    """Write JSON to a key that does not exist; with `etag`, replace the object at the key if it still has this ETag.

    If several clients write a key at the same time, S3 accepts one write, and rejects the other writes with
    ConditionalRequestConflict, which means that a client should try again:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

    Returns
    -------
    str or None
        The object's version ID; None if the bucket has no versioning.

    Raises
    ------
    ConditionError
        The key exists already or, with `etag`, the object was changed or deleted.
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
            if code != "ConditionalRequestConflict" or attempts == MAX_ATTEMPTS:
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
    """Return the URL of the object `name` in the same folder as the object at `url`.

    Examples
    --------
    >>> sibling_url("s3://bucket/models/job/model.tar.gz", "output.tar.gz")
    's3://bucket/models/job/output.tar.gz'
    """
    return f"{url.rpartition('/')[0]}/{name}"
