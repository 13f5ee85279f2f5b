"""Downloads from S3 to a container's folders, and uploads of archives."""

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sagelocal.services.sagemaker.archives import pack, unpack

CONNECTIONS = 8  # parallel downloads

T = TypeVar("T")


class MissingObjectError(Exception):
    """The object or prefix of an S3 URI does not exist."""


class DataSourceError(Exception):
    """A data source is not supported, a manifest is invalid, or an object cannot be written to a file in the folder."""


@dataclass(frozen=True)
class Shard:
    """One host's shard of data that is ShardedByS3Key: every `count`-th key, starting at `index`."""

    index: int = 0
    count: int = 1

    def select(self, names: Sequence[T]) -> Sequence[T]:
        """Return the names in this shard."""
        return names[self.index :: self.count]


def split_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def list_keys(s3: Any, uri: str) -> list[str]:
    """List the keys with the prefix `uri`, except folder markers, which end with a slash."""
    bucket, prefix = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in keys if not key.endswith("/")]


def download_source(s3: Any, source: Mapping[str, Any], folder: Path, shard: Shard) -> None:
    """Download the objects of an `S3DataSource` (a prefix or a manifest), or only the host's shard of sharded data.

    Raises
    ------
    MissingObjectError
        If the manifest or an object is missing, or no object has the prefix.
    DataSourceError
        If the S3DataType is not supported, the manifest is invalid, or a key cannot be used as a file path.
    """
    kind = source.get("S3DataType", "S3Prefix")
    selected = shard if source.get("S3DataDistributionType") == "ShardedByS3Key" else Shard()
    if kind == "S3Prefix":
        download(s3, source["S3Uri"], folder, selected)
    elif kind == "ManifestFile":
        _download_manifest(s3, source["S3Uri"], folder, selected)
    else:
        raise DataSourceError(f"the emulator does not support S3DataType {kind}: use S3Prefix or ManifestFile")


def download(s3: Any, uri: str, folder: Path, shard: Shard = Shard()) -> None:
    """Download the objects with a prefix, or only a shard of them. Name the files as SageMaker's File mode does.

    Raises
    ------
    MissingObjectError
        If no object has the prefix.
    DataSourceError
        If a key cannot be used as a file path.
    """
    bucket, prefix = split_uri(uri)
    keys = list_keys(s3, uri)
    if not keys:
        raise MissingObjectError(f'No S3 objects found under S3 URL "{uri}" given in input data source.')
    base = base_prefix(prefix, keys)
    _fetch(s3, bucket, {key: key.removeprefix(base) for key in shard.select(keys)}, folder)


def base_prefix(prefix: str, keys: list[str]) -> str:
    """Return the part that is removed from keys to obtain file names.

    This part is the prefix if the prefix is a folder, otherwise the prefix's parent folder.
    """
    if prefix.endswith("/") or not prefix:
        return prefix
    if any(key.startswith(prefix + "/") for key in keys):
        return prefix + "/"
    return prefix.rpartition("/")[0]


def _download_manifest(s3: Any, uri: str, folder: Path, shard: Shard) -> None:
    """Download the objects that a manifest lists.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html
    """
    try:
        first, *names = json.loads(_read(s3, uri, "manifest"))
        bucket, base = split_uri(first["prefix"])
        all_names = [str(name) for name in names]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataSourceError(f'{uri} is not a manifest: it must be [{{"prefix": "s3://..."}}, "name", ...]') from error
    _fetch(s3, bucket, {base + name: name for name in shard.select(all_names)}, folder)


def _fetch(s3: Any, bucket: str, names: Mapping[str, str], folder: Path) -> None:
    """Download objects in parallel; `names` maps keys to file names below the folder."""
    targets = {key: _target(folder, key, name) for key, name in names.items()}
    for parent in {target.parent for target in targets.values()}:
        parent.mkdir(parents=True, exist_ok=True)

    def fetch(key: str) -> None:
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        except s3.exceptions.NoSuchKey:
            raise MissingObjectError(f'No S3 object found at "s3://{bucket}/{key}".') from None
        try:
            file = targets[key].open("wb")
        except OSError as error:  # for example, a folder has the file's name
            raise DataSourceError(f"the key {key!r} cannot be written as a file: {error.strerror}") from error
        with file:
            shutil.copyfileobj(body, file)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(fetch, targets))


def _target(folder: Path, key: str, name: str) -> Path:
    relative = PurePosixPath(name.lstrip("/"))
    if ".." in relative.parts or "\0" in name:
        raise DataSourceError(f"the key {key!r} would be written outside its folder: rename the object")
    return folder / relative


def _read(s3: Any, uri: str, description: str) -> bytes:
    bucket, key = split_uri(uri)
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        raise MissingObjectError(f"Could not find {description} at {uri}.") from None
    return body


def upload_archive(s3: Any, folders: Sequence[Path], uri: str) -> None:
    """Upload the contents of folders as one `tar.gz`, which `pack` creates."""
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=pack(*folders))


def extract_archive(s3: Any, uri: str, folder: Path) -> None:
    """Download a model's `tar.gz` and unpack it into a folder.

    Raises
    ------
    MissingObjectError
        If the object does not exist.
    ArchiveError
        If the object is not a valid archive.
    """
    unpack(io.BytesIO(_read(s3, uri, "model data")), folder)
