import hashlib
import json
from typing import Any

import pytest

from evaluation.staged import StagedMismatchError, read_staged
from staging import ManifestMissingError
from tests.unit.stacks import make_stack
from tests.unit.staging.fakes import FakeS3

LISTING = "7\t1\tbike_s_000001.png\n9\t0\tmotorcycle_s_000002.png\n"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def make_bucket(listing: str = LISTING, **changes: Any) -> FakeS3:
    """A bucket with two test images."""
    images = ("test/bike_s_000001.png", "test/motorcycle_s_000002.png")
    objects = {key: {"size": 1, "md5": md5(key)} for key in ("train/a.png", *images)}
    manifest: dict[str, Any] = {
        "source": "CIFAR-100",
        "classes": ["bicycle", "motorcycle"],
        "objects": {**objects, "test.lst": {"size": 1, "md5": md5(LISTING)}},
    }
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key="manifest.json", Body=json.dumps({**manifest, **changes}).encode())
    s3.put_object(Bucket="b", Key="test.lst", Body=listing.encode())
    return s3


def test_labels_come_from_the_listing_and_never_from_a_files_name() -> None:
    # WHEN
    staged = read_staged(make_bucket(), make_stack())

    # THEN
    assert staged.labels == {"test/bike_s_000001.png": 1, "test/motorcycle_s_000002.png": 0}
    assert staged.md5s["test/bike_s_000001.png"] == md5("test/bike_s_000001.png")
    assert staged.source == "CIFAR-100"


def test_where_nothing_is_staged_the_target_is_named() -> None:
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_staged(FakeS3(), make_stack())


@pytest.mark.parametrize(
    ("bucket", "what"),
    [
        pytest.param(make_bucket(classes=["bus", "tank"]), "staged are bus, tank", id="other classes"),
        pytest.param(make_bucket("7\t0\tbike_s_000001.png\n"), "is not the manifest's", id="another listing"),
        pytest.param(
            make_bucket(objects={"test.lst": {"size": 1, "md5": md5(LISTING)}}), "names other images", id="other images"
        ),
    ],
)
def test_what_contradicts_itself_is_refused(bucket: FakeS3, what: str) -> None:
    with pytest.raises(StagedMismatchError, match=f"{what}.*make stage ENV=local"):
        read_staged(bucket, make_stack())
