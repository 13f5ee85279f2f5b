"""To the bucket and no further: only what changed, only what is ours, whole or not announced."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staging.archive import read_archive
from staging.load import PENDING, DeleteError, load
from staging.manifest import Manifest, ManifestDamagedError, ManifestMissingError, read_manifest
from staging.transform import Dataset, Format, transform
from tests.unit.staging.archives import BICYCLE, BUS, MOTORCYCLE, rows, write_archive
from tests.unit.staging.fakes import FakeS3, PlugPulledError

BUCKET = "some-bucket"


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A factory of datasets of the given classes."""
    labels = [BICYCLE, MOTORCYCLE, BUS]
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", train=rows(labels * 10), test=rows(labels * 3)))
    return lambda *classes: transform(
        archive, classes=classes or ("bicycle", "motorcycle"), directory=tmp_path / "data"
    )


def put(s3: FakeS3, dataset: Dataset, *, source: str = "a source") -> Manifest:
    return load(dataset, client=s3, bucket=BUCKET, source=source, source_md5="0" * 32)


def holds(s3: FakeS3, dataset: Dataset) -> bool:
    """Whether the bucket holds these files, byte by byte, and nothing else where staging writes."""
    files = dataset.files()
    images = [key for key in s3.list_keys() if key.startswith(("train", "validation", "test"))]
    return images == sorted(files) and all(s3.objects[key]["body"] == path.read_bytes() for key, path in files.items())


def test_the_bucket_holds_images_lists_and_last_the_manifest(dataset: Callable[..., Dataset]) -> None:
    # GIVEN
    s3, images = FakeS3(), dataset()

    # WHEN
    manifest = put(s3, images, source="somewhere")

    # THEN
    assert holds(s3, images)
    assert [write for write in s3.writes if write.startswith("put")][-1] == "put manifest.json"
    assert manifest == read_manifest(s3, BUCKET) == json.loads(s3.objects["manifest.json"]["body"])
    assert (manifest["source"], manifest["classes"]) == ("somewhere", ["bicycle", "motorcycle"])
    assert manifest["splits"] == {
        "train": {"count": 18, "per_class": {"bicycle": 9, "motorcycle": 9}},
        "validation": {"count": 2, "per_class": {"bicycle": 1, "motorcycle": 1}},
        "test": {"count": 6, "per_class": {"bicycle": 3, "motorcycle": 3}},
    }
    assert {key: stored["size"] for key, stored in manifest["objects"].items()} == {
        key: path.stat().st_size for key, path in images.files().items()
    }
    assert PENDING not in s3.objects


@pytest.mark.parametrize("opaque_etags", [False, True], ids=["md5-etags", "kms-etags"])
def test_a_second_run_writes_nothing_and_says_so(
    dataset: Callable[..., Dataset], capsys: pytest.CaptureFixture[str], opaque_etags: bool
) -> None:
    # GIVEN
    s3 = FakeS3(opaque_etags=opaque_etags)
    put(s3, dataset())
    s3.writes.clear()
    capsys.readouterr()

    # WHEN
    put(s3, dataset())

    # THEN
    assert s3.writes == []
    assert "nothing changed" in capsys.readouterr().out


@pytest.mark.parametrize("opaque_etags", [False, True], ids=["md5-etags", "kms-etags"])
def test_only_what_changed_is_uploaded(dataset: Callable[..., Dataset], opaque_etags: bool) -> None:
    # GIVEN a bucket in which one image was lost, and another overwritten by as many other bytes
    s3, images = FakeS3(opaque_etags=opaque_etags), dataset()
    put(s3, images)
    lost, spoilt = s3.list_keys("train/")[0], s3.list_keys("test/")[0]
    del s3.objects[lost]
    s3.put_object(Bucket=BUCKET, Key=spoilt, Body=bytes(len(s3.objects[spoilt]["body"])))
    s3.writes.clear()

    # WHEN
    put(s3, images)

    # THEN
    uploads = {write for write in s3.writes if write.startswith("put") and "manifest" not in write}
    assert uploads == {f"put {lost}", f"put {spoilt}"}
    assert holds(s3, images)


def test_another_source_of_the_same_images_changes_the_manifest_alone(
    dataset: Callable[..., Dataset],
) -> None:
    # GIVEN
    s3 = FakeS3()
    put(s3, dataset(), source="one")
    s3.writes.clear()

    # WHEN
    put(s3, dataset(), source="two")

    # THEN
    assert all("manifest" in write for write in s3.writes)
    assert read_manifest(s3, BUCKET)["source"] == "two"


def test_outdated_images_are_deleted_and_nothing_that_others_wrote(dataset: Callable[..., Dataset]) -> None:
    # GIVEN
    s3 = FakeS3()
    put(s3, dataset("bicycle", "bus"))
    others = [
        "train/mine.png",
        "test/notes.txt",
        "test.lst.old",
        "models/job/output/model.tar.gz",
        "data_capture/a",
    ]
    for key in others:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"not staging's")

    # WHEN
    images = dataset("bicycle", "motorcycle")
    put(s3, images)

    # THEN
    assert set(s3.list_keys()) == {*others, *images.files(), "manifest.json"}


@pytest.mark.parametrize("first", [True, False], ids=["first-staging", "other-classes-before"])
@pytest.mark.parametrize("writes", [0, 1, 2, 3, 10, 25, 30, 31, 32, 40], ids=str)
def test_a_run_that_was_interrupted_is_completed_by_the_next(
    dataset: Callable[..., Dataset], first: bool, writes: int
) -> None:
    # GIVEN a run that ends in the middle
    s3 = FakeS3()
    if not first:
        put(s3, dataset("bus", "motorcycle"))
    s3.put_object(Bucket=BUCKET, Key="train/mine.png", Body=b"not staging's")
    s3.dies_after = writes
    with contextlib.suppress(PlugPulledError):  # the last count is enough for the whole run
        put(s3, dataset())

    # THEN a manifest that is there is true
    if "manifest.json" in s3.objects:
        for key, stored in read_manifest(s3, BUCKET)["objects"].items():
            assert s3.objects[key]["ETag"] == f'"{stored["md5"]}"'

    # WHEN
    s3.dies_after = None
    images = dataset()
    put(s3, images)

    # THEN
    assert set(s3.list_keys()) == {*images.files(), "manifest.json", "train/mine.png"}
    del s3.objects["train/mine.png"]
    assert holds(s3, images)


def test_what_an_interrupted_run_wrote_is_deleted_when_it_is_no_longer_wanted(
    dataset: Callable[..., Dataset],
) -> None:
    # GIVEN a first run that never came to its manifest
    s3 = FakeS3()
    s3.dies_after = 15
    with pytest.raises(PlugPulledError):
        put(s3, dataset("bus", "motorcycle"))
    s3.dies_after = None

    # WHEN the classes are others now
    images = dataset("bicycle", "motorcycle")
    put(s3, images)

    # THEN
    assert holds(s3, images)


@pytest.mark.parametrize("forms", [("images", "recordio"), ("recordio", "images")], ids="-then-".join)
def test_another_form_removes_what_the_first_one_left(tmp_path: Path, forms: tuple[Format, Format]) -> None:
    # GIVEN
    s3, archive = FakeS3(), read_archive(write_archive(tmp_path / "a.tar.gz"))
    for data_format in forms:
        # WHEN
        images = transform(
            archive, classes=("bicycle", "motorcycle"), directory=tmp_path / "data", data_format=data_format
        )
        manifest = put(s3, images)

        # THEN
        assert holds(s3, images)
        assert manifest["format"] == data_format
        assert manifest["objects"].keys() == images.files().keys()
        assert manifest["splits"]["train"]["count"] == 18


def test_without_a_manifest_one_is_told_to_stage(dataset: Callable[..., Dataset]) -> None:
    # GIVEN a bucket, before and in the middle of the first staging
    s3 = FakeS3()
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(s3, BUCKET)
    s3.dies_after = 10
    with pytest.raises(PlugPulledError):
        put(s3, dataset())

    # WHEN / THEN
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(s3, BUCKET)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"], ids=repr)
def test_a_manifest_that_is_none_is_reported(content: bytes) -> None:
    s3 = FakeS3()
    s3.put_object(Bucket=BUCKET, Key="manifest.json", Body=content)
    with pytest.raises(ManifestDamagedError, match="make stage"):
        read_manifest(s3, BUCKET)


def test_the_first_error_ends_the_upload(dataset: Callable[..., Dataset]) -> None:
    # GIVEN a bucket that refuses everything after a while
    s3: Any = FakeS3()
    images = dataset()
    s3.dies_after = 3

    # WHEN
    with pytest.raises(PlugPulledError):
        put(s3, images)

    # THEN
    assert len(s3.writes) == 3


def test_an_image_that_cannot_be_deleted_is_named_and_no_manifest_written(
    dataset: Callable[..., Dataset],
) -> None:
    # GIVEN
    s3 = FakeS3()
    put(s3, dataset("bicycle", "bus"))
    s3.refuses_deletes = True

    # WHEN
    with pytest.raises(DeleteError, match=r"s3://some-bucket/t.*Access Denied"):
        put(s3, dataset("bicycle", "motorcycle"))

    # THEN
    assert "manifest.json" not in s3.objects
