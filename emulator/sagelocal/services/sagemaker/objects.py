"""Between S3 and a container's folders."""

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sagelocal.services.sagemaker.archives import pack, unpack

CONNECTIONS = 8

T = TypeVar("T")


class MissingObjectError(Exception):
    """There is nothing at an S3 address."""


class UnsafeKeyError(Exception):
    """A key would lie outside the folder into which it is brought."""


class DataSourceError(Exception):
    """A channel's data source is of a kind that is not emulated, or its manifest is none."""


@dataclass(frozen=True)
class Share:
    """Which of a sharded channel's objects one host is given: every `count`-th, from `place` on."""

    place: int = 0
    count: int = 1

    def of(self, names: Sequence[T]) -> Sequence[T]:
        """The host's own."""
        return names[self.place :: self.count]


def split(uri: str) -> tuple[str, str]:
    """The bucket and the key of `s3://bucket/key`."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def list_keys(s3: Any, uri: str) -> list[str]:
    """Keys that begin as `uri` says, folders' own markers left out."""
    bucket, prefix = split(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in found if not key.endswith("/")]


def download_source(s3: Any, source: Mapping[str, Any], folder: Path, share: Share) -> None:
    """Bring what an `S3DataSource` names, a prefix or a manifest; of sharded data a host's share alone.

    Raises
    ------
    MissingObjectError
        There is nothing there.
    UnsafeKeyError
        A key has `..` in it.
    DataSourceError
        It is of another kind, or the manifest is not of the documented form.
    """
    kind = source.get("S3DataType", "S3Prefix")
    mine = share if source.get("S3DataDistributionType") == "ShardedByS3Key" else Share()
    if kind == "S3Prefix":
        download(s3, source["S3Uri"], folder, mine)
    elif kind == "ManifestFile":
        _download_manifest(s3, source["S3Uri"], folder, mine)
    else:
        raise DataSourceError(f"the emulator brings no data of S3DataType {kind}: use S3Prefix or ManifestFile")


def download(s3: Any, uri: str, folder: Path, share: Share = Share()) -> None:
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
        raise MissingObjectError(f'No S3 objects found under S3 URL "{uri}" given in input data source.')
    base = base_of(prefix, keys)
    _fetch(s3, bucket, {key: key.removeprefix(base) for key in share.of(keys)}, folder)


def base_of(prefix: str, keys: list[str]) -> str:
    """What to leave out of keys to have their names: the prefix where it is a folder, else what its last part is in."""
    if prefix.endswith("/") or not prefix:
        return prefix
    if any(key.startswith(prefix + "/") for key in keys):
        return prefix + "/"
    return prefix.rpartition("/")[0]


def _download_manifest(s3: Any, uri: str, folder: Path, share: Share) -> None:
    """Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html."""
    try:
        first, *names = json.loads(_read(s3, uri))
        prefix = first["prefix"]
        wanted = [str(name) for name in names]
    except (ValueError, TypeError, KeyError) as error:
        raise DataSourceError(f'{uri} is no manifest: it must be [{{"prefix": "s3://..."}}, "name", ...]') from error
    bucket, base = split(prefix)
    _fetch(s3, bucket, {base + name: name for name in share.of(wanted)}, folder)


def _fetch(s3: Any, bucket: str, names: Mapping[str, str], folder: Path) -> None:
    """Bring objects by key to their names below a folder, several at a time."""
    targets = {key: _target(folder, key, name) for key, name in names.items()}
    for parent in {target.parent for target in targets.values()}:
        parent.mkdir(parents=True, exist_ok=True)

    def bring(key: str) -> None:
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        except s3.exceptions.NoSuchKey:
            raise MissingObjectError(f'No S3 object found at "s3://{bucket}/{key}".') from None
        with targets[key].open("wb") as file:
            shutil.copyfileobj(body, file)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(bring, targets))


def _target(folder: Path, key: str, name: str) -> Path:
    relative = PurePosixPath(name.lstrip("/"))
    if ".." in relative.parts or "\0" in name:
        raise UnsafeKeyError(f"the key {key!r} would lie outside its channel")
    return folder / relative


def _read(s3: Any, uri: str) -> bytes:
    bucket, key = split(uri)
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        raise MissingObjectError(f"Could not find model data at {uri}.") from None
    return body


def upload_archive(s3: Any, folders: Sequence[Path], uri: str) -> None:
    """Put the contents of folders as one `tar.gz` to `uri`; of files that several have, the first's."""
    bucket, key = split(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=pack(*folders))


def extract_archive(s3: Any, uri: str, folder: Path) -> None:
    """Unpack the `tar.gz` at `uri`.

    Raises
    ------
    MissingObjectError
        There is none.
    ArchiveError
        It is none, or a member leads outside.
    """
    unpack(io.BytesIO(_read(s3, uri)), folder)
