"""Loading into a bucket that answers as S3 does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.staging import measure, random_archive
from staging import Dataset, Source, load, read_manifest, transform
from staging.archive import read_archive
from staging.manifest import ManifestMissingError
from tests.contract.conftest import RunningEmulator
from tests.unit.staging.archives import write_archive

pytestmark = pytest.mark.contract


@pytest.fixture
def bucket(emulator: RunningEmulator) -> str:
    """A new bucket."""
    name = f"staging-{uuid4()}"
    emulator.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A factory of datasets of bicycles and motorcycles, in the given order."""
    archive = read_archive(write_archive(tmp_path / "a.tar.gz"))
    return lambda *classes: transform(
        archive, classes=classes or ("bicycle", "motorcycle"), directory=tmp_path / "images"
    )


def put(s3: Any, bucket: str, dataset: Dataset) -> None:
    load(dataset, client=s3, bucket=bucket, source=Source(Path(), "a source", md5="", synthetic=False))


def etags(s3: Any, bucket: str) -> dict[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}


def test_what_is_loaded_can_be_read_back(
    emulator: RunningEmulator, bucket: str, dataset: Callable[..., Dataset]
) -> None:
    # GIVEN
    s3, images = emulator.client("s3"), dataset()

    # WHEN
    put(s3, bucket, images)

    # THEN
    for key, path in images.files().items():
        stored = s3.get_object(Bucket=bucket, Key=key)
        assert stored["Body"].read() == path.read_bytes()
        assert stored["ContentType"] == ("image/png" if key.endswith(".png") else "text/tab-separated-values")
    assert etags(s3, bucket).keys() == {*images.files(), "manifest.json"}
    assert read_manifest(s3, bucket).splits["test"].count == 6


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_a_second_run_changes_nothing(
    emulator: RunningEmulator,
    bucket: str,
    dataset: Callable[..., Dataset],
    capsys: pytest.CaptureFixture[str],
    algorithm: str,
) -> None:
    # GIVEN
    s3 = emulator.client("s3")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    put(s3, bucket, dataset())
    before = etags(s3, bucket)

    # WHEN
    put(s3, bucket, dataset())

    # THEN
    assert etags(s3, bucket) == before
    assert "nothing changed" in capsys.readouterr().out


def test_other_images_replace_the_old_ones_and_leave_the_rest(
    emulator: RunningEmulator, bucket: str, tmp_path: Path
) -> None:
    # GIVEN images under names that will be gone, beside something of another's
    s3 = emulator.client("s3")
    classes = ("bicycle", "motorcycle")
    old = transform(
        read_archive(write_archive(tmp_path / "a.tar.gz")),
        classes=classes,
        directory=tmp_path / "images",
        seed=1,
    )
    put(s3, bucket, old)
    s3.put_object(Bucket=bucket, Key="train/mine.png", Body=b"not staging's")

    # WHEN
    new = transform(read_archive(tmp_path / "a.tar.gz"), classes=classes, directory=tmp_path / "images", seed=2)
    put(s3, bucket, new)

    # THEN
    assert old.files().keys() != new.files().keys()
    assert etags(s3, bucket).keys() == {*new.files(), "manifest.json", "train/mine.png"}


def test_shards_replace_the_images_of_the_same_rows(emulator: RunningEmulator, bucket: str, tmp_path: Path) -> None:
    # GIVEN
    s3, archive = emulator.client("s3"), read_archive(write_archive(tmp_path / "a.tar.gz"))
    classes = ("bicycle", "motorcycle")
    put(s3, bucket, transform(archive, classes=classes, directory=tmp_path / "data"))

    # WHEN
    shards = transform(archive, classes=classes, directory=tmp_path / "data", data_format="recordio")
    put(s3, bucket, shards)

    # THEN
    key = "train/train-00000.rec"
    stored = s3.get_object(Bucket=bucket, Key=key)
    assert (stored["Body"].read(), stored["ContentType"]) == (
        shards.files()[key].read_bytes(),
        "application/x-recordio",
    )
    there = {each for each in etags(s3, bucket) if not each.startswith("test")}
    assert there == {key, "validation/validation-00000.rec", "manifest.json"}
    assert read_manifest(s3, bucket).format == "recordio"


def test_the_benchmark_counts_what_travels(emulator: RunningEmulator) -> None:
    # GIVEN
    s3, archive = emulator.client("s3"), random_archive(40)

    # WHEN
    images, shards = measure(s3, archive, "images"), measure(s3, archive, "recordio")

    # THEN an object an image and two lists, against a shard a split; and about as many bytes
    assert (images.objects, shards.objects) == (42, 2)
    assert shards.mebibytes == pytest.approx(images.mebibytes, rel=0.05)


def test_an_empty_bucket_asks_for_staging(emulator: RunningEmulator, bucket: str) -> None:
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(emulator.client("s3"), bucket)
