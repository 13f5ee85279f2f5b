"""Downloads of input data from S3: prefixes, manifests, shards, and error messages for invalid sources."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sagelocal.services.sagemaker.s3_transfer import (
    DataSourceError,
    MissingObjectError,
    Shard,
    download,
    download_source,
    split_uri,
)


class FakeS3:
    """An S3 client with one bucket and only the operations that downloads need."""

    class exceptions:  # noqa: N801 (boto3's name)
        NoSuchKey = type("NoSuchKey", (Exception,), {})
        NoSuchBucket = type("NoSuchBucket", (Exception,), {})

    def __init__(self, objects: dict[str, str]) -> None:
        self._objects = objects

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803 (boto3's names)
        return [{"Contents": [{"Key": key}]} for key in self._objects if key.startswith(Prefix)] or [{}]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        if Key not in self._objects:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self._objects[Key].encode())}


def read_files(folder: Path) -> dict[str, str]:
    """Return the text of each file in a folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://b/train/", {"a.png": "A", "deep/b.png": "B"}),
        ("s3://b/train", {"a.png": "A", "deep/b.png": "B", "train.lst": "L"}),
        ("s3://b/train.lst", {"train.lst": "L"}),
        ("s3://b/train/a", {"a.png": "A"}),
        ("s3://b", {"train/a.png": "A", "train/deep/b.png": "B", "train.lst": "L"}),
    ],
    ids=["folder", "prefix", "object", "part of a name", "bucket"],
)
def test_objects_below_a_prefix_are_downloaded_with_relative_paths(
    tmp_path: Path, uri: str, expected: dict[str, str]
) -> None:
    # GIVEN
    s3 = FakeS3({"train/": "", "train/a.png": "A", "train/deep/b.png": "B", "train.lst": "L"})
    # WHEN
    download(s3, uri, tmp_path)
    # THEN
    assert read_files(tmp_path) == expected


def test_objects_in_a_manifest_are_downloaded(tmp_path: Path) -> None:
    # GIVEN
    manifest = json.dumps([{"prefix": "s3://b/data/"}, "a", "deep/b"])
    s3 = FakeS3({"manifest": manifest, "data/a": "A", "data/deep/b": "B", "data/c": "C"})
    # WHEN
    download_source(s3, {"S3DataType": "ManifestFile", "S3Uri": "s3://b/manifest"}, tmp_path, Shard())
    # THEN
    assert read_files(tmp_path) == {"a": "A", "deep/b": "B"}


@pytest.mark.parametrize(
    ("objects", "source", "error", "reason"),
    [
        ({}, {"S3Uri": "s3://b/x"}, MissingObjectError, "No S3 objects found"),
        ({"x/../../y": ""}, {"S3Uri": "s3://b/x/"}, DataSourceError, "would be written outside its folder"),
        (
            {},
            {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"},
            MissingObjectError,
            "Could not find manifest at s3://b/m",
        ),
        (
            {"m": '[{"prefix": 5}, "y"]'},
            {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"},
            DataSourceError,
            "is not a manifest",
        ),
        ({"m": "{}"}, {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"}, DataSourceError, "is not a manifest"),
        (
            {"m": '[{"prefix": "s3://b/"}, "y"]'},
            {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"},
            MissingObjectError,
            "No S3 object found",
        ),
        (
            {"m": ""},
            {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/m"},
            DataSourceError,
            "does not support S3DataType AugmentedManifestFile",
        ),
    ],
    ids=[
        "missing object",
        "unsafe key",
        "missing manifest",
        "prefix that is not text",
        "invalid manifest",
        "missing object in a manifest",
        "unsupported type",
    ],
)
def test_invalid_source_is_refused(
    tmp_path: Path, objects: dict[str, str], source: dict[str, str], error: type[Exception], reason: str
) -> None:
    # WHEN / THEN
    with pytest.raises(error, match=reason):
        download_source(FakeS3(objects), source, tmp_path / "channel", Shard())
    assert read_files(tmp_path) == {}


@pytest.mark.parametrize("source", [{"S3Uri": "s3://b/x/"}, {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"}])
def test_error_names_a_key_that_is_also_a_folder(tmp_path: Path, source: dict[str, str]) -> None:
    # GIVEN
    s3 = FakeS3({"x/y": "", "x/y/z": "", "m": '[{"prefix": "s3://b/x/"}, "y", "y/z"]'})

    # WHEN / THEN
    with pytest.raises(DataSourceError, match="the key 'x/y' cannot be written as a file: Is a directory"):
        download_source(s3, source, tmp_path, Shard())


@pytest.mark.parametrize(
    ("uri", "parts"),
    [("s3://b/a/b?c#d", ("b", "a/b?c#d")), ("s3://b", ("b", "")), ("s3://b/", ("b", ""))],
    ids=["special characters", "bucket", "bucket and slash"],
)
def test_uri_is_split_into_bucket_and_key(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


@pytest.mark.parametrize("kind", ["S3Prefix", "ManifestFile"])
def test_each_host_downloads_its_shard_of_sharded_data(tmp_path: Path, kind: str) -> None:
    # GIVEN five objects and their manifest
    names = ["a", "b", "c", "d", "e"]
    manifest = json.dumps([{"prefix": "s3://b/data/"}, *names])
    s3 = FakeS3({"manifest": manifest, **{f"data/{name}": name for name in names}})
    uri = "s3://b/manifest" if kind == "ManifestFile" else "s3://b/data/"
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "ShardedByS3Key"}

    # WHEN
    for index in (0, 1):
        download_source(s3, source, tmp_path / str(index), Shard(index, 2))

    # THEN
    assert list(read_files(tmp_path / "0")) == ["a", "c", "e"]
    assert list(read_files(tmp_path / "1")) == ["b", "d"]


def test_each_host_downloads_all_replicated_data(tmp_path: Path) -> None:
    download_source(FakeS3({"data/a": "A", "data/b": "B"}), {"S3Uri": "s3://b/data/"}, tmp_path, Shard(1, 2))

    assert read_files(tmp_path) == {"a": "A", "b": "B"}
