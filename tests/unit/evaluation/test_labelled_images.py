"""The labels of the staged test images."""

import hashlib
from typing import Any

import pytest

from evaluation.labelled_images import LabelledImages, StagedDataError, read_test_images
from staging.manifest import ManifestMissingError, StoredObject
from tests.unit.staging.fakes import FakeS3
from tests.unit.staging.manifests import make_manifest

LISTING = "7\t1\tbike_s_000001.png\n9\t0\tmotorcycle_s_000002.png\n"
IMAGES = ("test/bike_s_000001.png", "test/motorcycle_s_000002.png")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def stored(*keys: str) -> dict[str, StoredObject]:
    """Return the objects of a manifest: these keys, and the list of the test images."""
    objects = {key: StoredObject(size=1, md5=md5(key)) for key in keys}
    return {**objects, "test.lst": StoredObject(size=len(LISTING), md5=md5(LISTING))}


def make_bucket(listing: str = LISTING, **changes: Any) -> FakeS3:
    """Return a bucket with the list of two test images and the manifest; `changes` replace fields of the manifest."""
    manifest = make_manifest(**{"objects": stored("train/a.png", *IMAGES), **changes})
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key="manifest.json", Body=manifest.model_dump_json().encode())
    s3.put_object(Bucket="b", Key="test.lst", Body=listing.encode())
    return s3


def read(s3: FakeS3) -> LabelledImages:
    return read_test_images("b", classes=("bicycle", "motorcycle"), environment="local", s3=s3)


def test_labels_are_read_from_the_list_and_not_from_file_names() -> None:
    # WHEN
    images = read(make_bucket())

    # THEN
    assert images.labels == {"test/bike_s_000001.png": 1, "test/motorcycle_s_000002.png": 0}
    assert images.md5s == {key: md5(key) for key in IMAGES}
    assert (images.source, images.synthetic) == ("CIFAR-100", False)


def test_synthetic_images_are_marked_as_synthetic() -> None:
    assert read(make_bucket(synthetic=True)).synthetic


def test_error_for_an_empty_bucket_names_make_stage() -> None:
    with pytest.raises(ManifestMissingError, match="make stage"):
        read(FakeS3())


@pytest.mark.parametrize(
    ("bucket", "message"),
    [
        pytest.param(make_bucket(classes=("bus", "tank")), "staged classes are bus, tank", id="other classes"),
        pytest.param(make_bucket("7\t0\tbike_s_000001.png\n"), "is not the file that", id="other list"),
        pytest.param(make_bucket(objects=stored()), "lists other images", id="other images"),
    ],
)
def test_inconsistent_staged_data_is_refused(bucket: FakeS3, message: str) -> None:
    with pytest.raises(StagedDataError, match=f"{message}.*make stage( train deploy)? ENV=local"):
        read(bucket)
