"""Splitting S3 URLs into bucket and key."""

import pytest

from common.s3 import split_url


@pytest.mark.parametrize(
    "key", ["models/job/model.tar.gz", "a#b.png", "a?b.png", "100%.png", "a+b.png", "a//b", "a: b"]
)
def test_key_of_a_url_may_contain_special_characters(key: str) -> None:
    assert split_url(f"s3://bucket/{key}") == ("bucket", key)


def test_url_of_a_bucket_gives_an_empty_key() -> None:
    assert split_url("s3://bucket") == ("bucket", "")
