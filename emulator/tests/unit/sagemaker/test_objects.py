"""Objects become files of a channel as SageMaker lays them out."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sagelocal.services.sagemaker.objects import (
    DataSourceError,
    MissingObjectError,
    Share,
    UnsafeKeyError,
    download,
    download_source,
    split,
)


class FakeS3:
    """A bucket of objects, with as much of S3's client as is asked."""

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


def files(folder: Path) -> dict[str, str]:
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
def test_a_prefix_is_laid_out_below_its_folder(tmp_path: Path, uri: str, expected: dict[str, str]) -> None:
    # GIVEN
    s3 = FakeS3({"train/": "", "train/a.png": "A", "train/deep/b.png": "B", "train.lst": "L"})
    # WHEN
    download(s3, uri, tmp_path)
    # THEN
    assert files(tmp_path) == expected


def test_a_manifest_names_objects_of_one_prefix(tmp_path: Path) -> None:
    # GIVEN
    manifest = json.dumps([{"prefix": "s3://b/data/"}, "a", "deep/b"])
    s3 = FakeS3({"manifest": manifest, "data/a": "A", "data/deep/b": "B", "data/c": "C"})
    # WHEN
    download_source(s3, {"S3DataType": "ManifestFile", "S3Uri": "s3://b/manifest"}, tmp_path, Share())
    # THEN
    assert files(tmp_path) == {"a": "A", "deep/b": "B"}


@pytest.mark.parametrize(
    ("objects", "source", "error"),
    [
        ({}, {"S3Uri": "s3://b/x"}, MissingObjectError),
        ({"x/../../y": ""}, {"S3Uri": "s3://b/x/"}, UnsafeKeyError),
        ({"m": "{}"}, {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"}, DataSourceError),
        (
            {"m": '[{"prefix": "s3://b/"}, "y"]'},
            {"S3DataType": "ManifestFile", "S3Uri": "s3://b/m"},
            MissingObjectError,
        ),
        ({"m": ""}, {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://b/m"}, DataSourceError),
    ],
    ids=["nothing there", "outside", "no manifest", "manifest of nothing", "another kind"],
)
def test_what_cannot_be_brought_is_refused(
    tmp_path: Path, objects: dict[str, str], source: dict[str, str], error: type[Exception]
) -> None:
    # WHEN / THEN
    with pytest.raises(error):
        download_source(FakeS3(objects), source, tmp_path / "channel", Share())
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("uri", "parts"),
    [("s3://b/a/b?c#d", ("b", "a/b?c#d")), ("s3://b", ("b", "")), ("s3://b/", ("b", ""))],
    ids=["signs", "bucket", "slash"],
)
def test_an_address_has_a_bucket_and_a_key(uri: str, parts: tuple[str, str]) -> None:
    # THEN
    assert split(uri) == parts


@pytest.mark.parametrize("kind", ["S3Prefix", "ManifestFile"])
def test_of_sharded_data_each_host_is_given_its_own_and_all_is_given(tmp_path: Path, kind: str) -> None:
    # GIVEN five objects, also by a manifest
    names = ["a", "b", "c", "d", "e"]
    manifest = json.dumps([{"prefix": "s3://b/data/"}, *names])
    s3 = FakeS3({"manifest": manifest, **{f"data/{name}": name for name in names}})
    uri = "s3://b/manifest" if kind == "ManifestFile" else "s3://b/data/"
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "ShardedByS3Key"}

    # WHEN
    for place in (0, 1):
        download_source(s3, source, tmp_path / str(place), Share(place, 2))

    # THEN
    assert list(files(tmp_path / "0")) == ["a", "c", "e"]
    assert list(files(tmp_path / "1")) == ["b", "d"]


def test_what_is_not_sharded_every_host_is_given_whole(tmp_path: Path) -> None:
    download_source(FakeS3({"data/a": "A", "data/b": "B"}), {"S3Uri": "s3://b/data/"}, tmp_path, Share(1, 2))

    assert files(tmp_path) == {"a": "A", "b": "B"}
