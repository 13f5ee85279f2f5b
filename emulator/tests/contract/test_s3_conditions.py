"""S3's conditional writes are atomic, even if several clients write a key at the same time.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from .functions import unique

WRITERS, KEYS = 4, 10  # simultaneous writers of each key, and number of keys


@pytest.fixture
def s3(emulator: RunningEmulator) -> Any:
    """An S3 client."""
    return emulator.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """The name of a versioned bucket."""
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def count_successes(write: Callable[[str], object]) -> list[int]:
    """Call `write` with each key in several threads at once, and return how many calls succeeded for each key."""

    def attempt(key: str) -> bool:
        try:
            write(key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    keys = [f"key-{number}" for number in range(KEYS) for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        succeeded = list(pool.map(attempt, keys))
    return [sum(succeeded[start : start + WRITERS]) for start in range(0, len(keys), WRITERS)]


def test_only_one_of_several_writers_creates_an_object(s3: Any, bucket: str) -> None:
    # WHEN the writers require that the key does not exist
    counts = count_successes(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=unique(key), IfNoneMatch="*"))

    # THEN
    assert counts == [1] * KEYS
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == KEYS


def test_only_one_of_several_writers_replaces_an_object(s3: Any, bucket: str) -> None:
    # GIVEN
    etags = {key: s3.put_object(Bucket=bucket, Key=key)["ETag"] for key in (f"key-{each}" for each in range(KEYS))}

    # WHEN the writers require that the object has its first ETag
    counts = count_successes(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=unique(key), IfMatch=etags[key]))

    # THEN
    assert counts == [1] * KEYS


def test_object_can_be_created_after_a_delete_marker(s3: Any, bucket: str) -> None:
    # GIVEN
    s3.put_object(Bucket=bucket, Key="key", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="key")

    # WHEN
    s3.put_object(Bucket=bucket, Key="key", Body=b"2", IfNoneMatch="*")

    # THEN
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"2"
