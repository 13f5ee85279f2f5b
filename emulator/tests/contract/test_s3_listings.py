"""Listings of objects and of object versions."""

from typing import Any
from uuid import uuid4

import pytest

from sagelocal.pytest_plugin import RunningEmulator


@pytest.fixture
def s3(emulator: RunningEmulator) -> Any:
    return emulator.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """The name of an empty bucket with versioning."""
    name = f"bucket-{uuid4()}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(s3: Any, bucket: str, *keys: str) -> list[str]:
    """Put an object for each key, and return the version IDs."""
    return [s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["VersionId"] for key in keys]


def pages(s3: Any, bucket: str, size: int, **options: str) -> list[list[str]]:
    """Return the keys and common prefixes of each page of versions, without the keys of delete markers."""
    paginator = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, MaxKeys=size, **options)
    return [
        [each["Key"] for each in page.get("Versions", ())] + [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        for page in paginator
    ]


def test_versions_that_are_deleted_page_by_page_are_all_found(s3: Any, bucket: str) -> None:
    # GIVEN seven versions and a delete marker
    put(s3, bucket, "a", "a", "a", "b", "c", "c", "d")
    s3.delete_object(Bucket=bucket, Key="c")

    # WHEN each page is deleted before the next one is listed
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, MaxKeys=2):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        listed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": listed})

    # THEN the bucket is empty, so it can be deleted
    s3.delete_bucket(Bucket=bucket)


def test_versions_are_listed_by_key_the_newest_first(s3: Any, bucket: str) -> None:
    # GIVEN
    (only,) = put(s3, bucket, "b")
    first, second = put(s3, bucket, "a", "a")
    s3.delete_object(Bucket=bucket, Key="b")

    # WHEN
    found = s3.list_object_versions(Bucket=bucket)

    # THEN
    versions = [(each["Key"], each["VersionId"], each["IsLatest"]) for each in found["Versions"]]
    assert versions == [("a", second, True), ("a", first, False), ("b", only, False)]
    assert [each["IsLatest"] for each in found["DeleteMarkers"]] == [True]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["a/1", "a/2", "a/2", "b/1", "c"], id="all"),
        pytest.param({"Prefix": "a/"}, ["a/1", "a/2", "a/2"], id="prefix"),
        pytest.param({"Delimiter": "/"}, ["a/", "b/", "c"], id="delimiter"),
        pytest.param({"KeyMarker": "a/2"}, ["b/1", "c"], id="after a key"),
        pytest.param({"Delimiter": "/", "KeyMarker": "a/"}, ["b/", "c"], id="after a common prefix"),
    ],
)
def test_pages_of_every_size_have_all_versions(
    s3: Any, bucket: str, options: dict[str, str], expected: list[str], size: int
) -> None:
    # GIVEN
    put(s3, bucket, "a/1", "a/2", "a/2", "b/1", "c")

    # WHEN
    found = pages(s3, bucket, size, **options)

    # THEN
    assert sorted(key for page in found for key in page) == sorted(expected)
    assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)


def test_common_prefix_of_deleted_objects_is_not_listed(s3: Any, bucket: str) -> None:
    # GIVEN
    put(s3, bucket, "a/1", "b/1")
    s3.delete_object(Bucket=bucket, Key="a/1")

    # WHEN
    found = s3.list_objects_v2(Bucket=bucket, Delimiter="/")

    # THEN
    assert [each["Prefix"] for each in found["CommonPrefixes"]] == ["b/"]
