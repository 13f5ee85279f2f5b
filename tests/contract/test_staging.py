"""Images and manifests of a data set are staged in an S3 bucket on the emulator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.staging import measure, random_archive
from staging.archive import read_archive
from staging.load import load
from staging.manifest import ManifestMissingError, read_manifest
from staging.source import Source
from staging.transform import Dataset, transform
from tests.support.emulator import Emulator
from tests.support.project import unique
from tests.unit.staging.archives import write_archive


@pytest.fixture
def bucket(emulator: Emulator) -> str:
    """A new bucket."""
    name = unique("staging")
    emulator.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A factory of data sets; by default, the classes are bicycle and motorcycle, in this order."""
    archive = read_archive(write_archive(tmp_path / "a.tar.gz"))
    return lambda *classes: transform(
        archive, classes=classes or ("bicycle", "motorcycle"), directory=tmp_path / "images"
    )


def upload(s3: Any, bucket: str, dataset: Dataset) -> None:
    """Stage a data set in a bucket."""
    load(dataset, bucket=bucket, source=Source(Path(), "a source", md5="", synthetic=False), s3=s3)


def etags(s3: Any, bucket: str) -> dict[str, str]:
    """Return the ETag of every object in a bucket, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}


def test_bucket_contains_every_file_of_the_data_set_and_the_manifest(
    emulator: Emulator, bucket: str, dataset: Callable[..., Dataset]
) -> None:
    # GIVEN
    s3, images = emulator.client("s3"), dataset()

    # WHEN
    upload(s3, bucket, images)

    # THEN
    for key, path in images.files().items():
        stored = s3.get_object(Bucket=bucket, Key=key)
        assert stored["Body"].read() == path.read_bytes()
        assert stored["ContentType"] == ("image/png" if key.endswith(".png") else "text/tab-separated-values")
    assert etags(s3, bucket).keys() == {*images.files(), "manifest.json"}
    assert read_manifest(bucket, s3=s3).splits["test"].count == 6


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_staging_the_same_data_set_again_changes_nothing(
    emulator: Emulator,
    bucket: str,
    dataset: Callable[..., Dataset],
    capsys: pytest.CaptureFixture[str],
    algorithm: str,
) -> None:
    # GIVEN
    s3 = emulator.client("s3")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    upload(s3, bucket, dataset())
    before = etags(s3, bucket)

    # WHEN
    upload(s3, bucket, dataset())

    # THEN
    assert etags(s3, bucket) == before
    assert "nothing changed" in capsys.readouterr().out


def test_staging_another_data_set_replaces_only_the_staged_images(
    emulator: Emulator, bucket: str, tmp_path: Path
) -> None:
    # GIVEN images whose names the next data set does not contain, and an object that staging did not write
    s3 = emulator.client("s3")
    classes = ("bicycle", "motorcycle")
    old = transform(
        read_archive(write_archive(tmp_path / "a.tar.gz")),
        classes=classes,
        directory=tmp_path / "images",
        seed=1,
    )
    upload(s3, bucket, old)
    s3.put_object(Bucket=bucket, Key="train/mine.png", Body=b"not from staging")

    # WHEN
    new = transform(read_archive(tmp_path / "a.tar.gz"), classes=classes, directory=tmp_path / "images", seed=2)
    upload(s3, bucket, new)

    # THEN
    assert old.files().keys() != new.files().keys()
    assert etags(s3, bucket).keys() == {*new.files(), "manifest.json", "train/mine.png"}


def test_staging_shards_deletes_the_staged_images_of_the_same_splits(
    emulator: Emulator, bucket: str, tmp_path: Path
) -> None:
    # GIVEN
    s3, archive = emulator.client("s3"), read_archive(write_archive(tmp_path / "a.tar.gz"))
    classes = ("bicycle", "motorcycle")
    upload(s3, bucket, transform(archive, classes=classes, directory=tmp_path / "data"))

    # WHEN
    shards = transform(archive, classes=classes, directory=tmp_path / "data", data_format="recordio")
    upload(s3, bucket, shards)

    # THEN
    key = "train/train-00000.rec"
    stored = s3.get_object(Bucket=bucket, Key=key)
    assert (stored["Body"].read(), stored["ContentType"]) == (
        shards.files()[key].read_bytes(),
        "application/x-recordio",
    )
    keys = {each for each in etags(s3, bucket) if not each.startswith("test")}
    assert keys == {key, "validation/validation-00000.rec", "manifest.json"}
    assert read_manifest(bucket, s3=s3).format == "recordio"


def test_benchmark_counts_the_objects_and_bytes_of_both_formats(emulator: Emulator) -> None:
    # GIVEN
    s3, archive = emulator.client("s3"), random_archive(40)

    # WHEN
    images, shards = measure(s3, archive, "images"), measure(s3, archive, "recordio")

    # THEN there are two lists and one object per image, or one shard per split, and the total sizes are similar
    assert (images.objects, shards.objects) == (42, 2)
    assert shards.mebibytes == pytest.approx(images.mebibytes, rel=0.05)


def test_error_for_a_bucket_without_a_manifest_names_make_stage(emulator: Emulator, bucket: str) -> None:
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(bucket, s3=emulator.client("s3"))
