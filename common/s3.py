"""S3 objects: list them, and parse their URLs."""

from collections.abc import Iterator
from typing import Any

THREADS = 8  # requests at the same time, below botocore's default pool of 10 connections


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
