"""Between S3 and a container's folders."""

import io
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit


class MissingObjectError(Exception):
    """There is nothing at an S3 address."""


class UnsafeKeyError(Exception):
    """A key would lie outside the folder into which it is brought."""


def split(uri: str) -> tuple[str, str]:
    """The bucket and the key of `s3://bucket/key`."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def list_keys(s3: Any, uri: str) -> list[str]:
    """Keys that begin as `uri` says, folders' own markers left out."""
    bucket, prefix = split(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in found if not key.endswith("/")]


def download(s3: Any, uri: str, folder: Path) -> None:
    """Bring every object that begins as `uri` says, as SageMaker's File mode does: below the last slash of it.

    Raises
    ------
    MissingObjectError
        There is none.
    UnsafeKeyError
        A key has `..` in it.
    """
    bucket, prefix = split(uri)
    keys = list_keys(s3, uri)
    if not keys:
        raise MissingObjectError(f"No S3 objects found under S3 URL {uri!r} given in input data source")
    base = prefix if prefix.endswith("/") or not prefix else _parent(prefix, keys)
    for key in keys:
        relative = PurePosixPath(key.removeprefix(base).lstrip("/"))
        if ".." in relative.parts:
            raise UnsafeKeyError(f"the key {key!r} would lie outside its channel")
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(target))


def _parent(prefix: str, keys: list[str]) -> str:
    """The prefix itself where it is a folder, else what lies before its last part."""
    if any(key.startswith(prefix + "/") for key in keys):
        return prefix + "/"
    return prefix.rpartition("/")[0]


def upload_archive(s3: Any, folder: Path, uri: str) -> None:
    """Put a folder's contents as a `tar.gz` to `uri`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    bucket, key = split(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=stream.getvalue())


def upload_folder(s3: Any, folder: Path, uri: str) -> None:
    """Put each file of a folder below `uri`."""
    bucket, prefix = split(uri)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), bucket, f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}")


def extract_archive(s3: Any, uri: str, folder: Path) -> None:
    """Unpack the `tar.gz` at `uri`; members that lead outside are refused.

    Raises
    ------
    MissingObjectError
        There is none.
    tarfile.TarError
        It is none, or a member leads outside.
    """
    bucket, key = split(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        raise MissingObjectError(f"Could not find model data at {uri}.") from None
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extractall(folder, filter="data")
