"""Loading staged images into the bucket.

Loading uploads only changed objects and deletes only objects that staging wrote. The manifest is consistent with the
bucket even after an interruption.
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import staging.load as load_module
from staging.archive import read_archive
from staging.errors import StagingError
from staging.load import PENDING, load
from staging.manifest import Format, Manifest, ManifestError, ManifestMissingError, read_manifest
from staging.source import Source
from staging.transform import Dataset, transform
from tests.unit.staging.archives import BICYCLE, BUS, MOTORCYCLE, examples, write_archive
from tests.unit.staging.fakes import FakeS3, InterruptedRunError

BUCKET = "some-bucket"


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A function that returns the data set of the given classes; bicycle and motorcycle by default."""
    labels = [BICYCLE, MOTORCYCLE, BUS]
    archive = read_archive(write_archive(tmp_path / "a.tar.gz", train=examples(labels * 10), test=examples(labels * 3)))
    return lambda *classes: transform(
        archive, classes=classes or ("bicycle", "motorcycle"), directory=tmp_path / "data"
    )


@pytest.fixture
def shards(tmp_path: Path) -> Dataset:
    """A data set in shards."""
    archive = read_archive(write_archive(tmp_path / "other.tar.gz"))
    return transform(archive, classes=("bicycle", "motorcycle"), directory=tmp_path / "other", data_format="recordio")


def load_into(s3: FakeS3, dataset: Dataset, *, source: str = "a source") -> Manifest:
    """Load a data set into the bucket, and return the manifest; `source` is the description of the source."""
    return load(dataset, bucket=BUCKET, source=Source(Path(), source, md5="0" * 32, synthetic=False), s3=s3)


def contains(s3: FakeS3, dataset: Dataset) -> bool:
    """Return whether the images and lists in the bucket are exactly the files of a data set."""
    files = dataset.files()
    images = [key for key in s3.list_keys() if key.startswith(("train", "validation", "test"))]
    return images == sorted(files) and all(s3.objects[key]["body"] == path.read_bytes() for key, path in files.items())


def test_images_and_lists_are_uploaded_before_the_manifest(make_dataset: Callable[..., Dataset]) -> None:
    # GIVEN
    s3, images = FakeS3(), make_dataset()

    # WHEN
    manifest = load_into(s3, images, source="somewhere")

    # THEN
    assert contains(s3, images)
    assert [write for write in s3.writes if write.startswith("put")][-1] == "put manifest.json"
    assert manifest == read_manifest(BUCKET, s3=s3)
    assert manifest.to_json() == json.loads(s3.objects["manifest.json"]["body"])
    assert (manifest.source, manifest.classes) == ("somewhere", ("bicycle", "motorcycle"))
    assert manifest.to_json()["splits"] == {
        "train": {"count": 18, "per_class": {"bicycle": 9, "motorcycle": 9}},
        "validation": {"count": 2, "per_class": {"bicycle": 1, "motorcycle": 1}},
        "test": {"count": 6, "per_class": {"bicycle": 3, "motorcycle": 3}},
    }
    assert {key: stored.size for key, stored in manifest.objects.items()} == {
        key: path.stat().st_size for key, path in images.files().items()
    }
    assert PENDING not in s3.objects


@pytest.mark.parametrize("opaque_etags", [False, True], ids=["md5-etags", "kms-etags"])
def test_loading_unchanged_data_writes_nothing_and_says_so(
    make_dataset: Callable[..., Dataset], capsys: pytest.CaptureFixture[str], opaque_etags: bool
) -> None:
    # GIVEN
    s3 = FakeS3(opaque_etags=opaque_etags)
    load_into(s3, make_dataset())
    s3.writes.clear()
    capsys.readouterr()

    # WHEN
    load_into(s3, make_dataset())

    # THEN
    assert s3.writes == []
    assert "nothing changed" in capsys.readouterr().out


@pytest.mark.parametrize("opaque_etags", [False, True], ids=["md5-etags", "kms-etags"])
def test_only_changed_objects_are_uploaded(make_dataset: Callable[..., Dataset], opaque_etags: bool) -> None:
    # GIVEN a bucket in which one image was deleted, and a second image overwritten with the same number of bytes
    s3, images = FakeS3(opaque_etags=opaque_etags), make_dataset()
    load_into(s3, images)
    deleted, overwritten = s3.list_keys("train/")[0], s3.list_keys("test/")[0]
    del s3.objects[deleted]
    s3.put_object(Bucket=BUCKET, Key=overwritten, Body=bytes(len(s3.objects[overwritten]["body"])))
    s3.writes.clear()

    # WHEN
    load_into(s3, images)

    # THEN
    uploads = {write for write in s3.writes if write.startswith("put") and "manifest" not in write}
    assert uploads == {f"put {deleted}", f"put {overwritten}"}
    assert contains(s3, images)


def test_changed_source_description_changes_only_the_manifest(
    make_dataset: Callable[..., Dataset],
) -> None:
    # GIVEN
    s3 = FakeS3()
    load_into(s3, make_dataset(), source="one")
    s3.writes.clear()

    # WHEN
    load_into(s3, make_dataset(), source="two")

    # THEN
    assert all("manifest" in write for write in s3.writes)
    assert read_manifest(BUCKET, s3=s3).source == "two"


def test_only_images_that_staging_wrote_are_deleted(make_dataset: Callable[..., Dataset]) -> None:
    # GIVEN staged images of bicycles and buses, and objects that staging did not write
    s3 = FakeS3()
    load_into(s3, make_dataset("bicycle", "bus"))
    unrelated = [
        "train/mine.png",
        "test/notes.txt",
        "test.lst.old",
        "models/job/output/model.tar.gz",
        "data_capture/a",
    ]
    for key in unrelated:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"not staging's")

    # WHEN motorcycles are staged instead of buses
    images = make_dataset("bicycle", "motorcycle")
    load_into(s3, images)

    # THEN
    assert set(s3.list_keys()) == {*unrelated, *images.files(), "manifest.json"}


def test_unlisted_shards_in_the_folders_that_training_jobs_read_are_deleted(
    make_dataset: Callable[..., Dataset],
) -> None:
    # GIVEN a complete data set, and shards that no manifest lists
    s3, images = FakeS3(), make_dataset()
    load_into(s3, images)
    for key in ("train/train-00000.rec", "validation/other.rec", "pretrain/pretrain-00000.rec", "test/kept.rec"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"a shard")

    # WHEN
    load_into(s3, images)

    # THEN
    assert set(s3.list_keys()) == {*images.files(), "manifest.json", "test/kept.rec"}


@pytest.mark.parametrize("is_interrupted", [False, True], ids=["complete", "interrupted"])
def test_run_fails_if_another_run_starts_before_its_end(
    make_dataset: Callable[..., Dataset], shards: Dataset, is_interrupted: bool
) -> None:
    # GIVEN a run of another clone that starts while this run uploads, and that is complete or interrupted
    s3, images = FakeS3(), make_dataset()

    def run_other() -> None:
        with contextlib.suppress(InterruptedRunError):
            load_into(s3, shards)

    def interrupt() -> None:
        raise InterruptedRunError

    s3.before_put["train.lst"] = run_other
    if is_interrupted:
        s3.before_put["validation/validation-00000.rec"] = interrupt

    # WHEN
    with pytest.raises(StagingError, match="another command staged at the same time: run `make stage` again"):
        load_into(s3, images)

    # THEN no manifest describes the mixture of both data sets
    assert "manifest.json" not in s3.objects

    # WHEN
    load_into(s3, images)

    # THEN
    assert contains(s3, images)
    assert PENDING not in s3.objects


def test_run_fails_without_changes_if_another_run_ends_before_its_first_write(
    make_dataset: Callable[..., Dataset], shards: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a run of another clone that starts and ends while this run compares the objects
    s3, images = FakeS3(), make_dataset()
    compare = load_module._changed

    def run_other(*arguments: Any, **options: Any) -> list[str]:
        monkeypatch.undo()
        load_into(s3, shards)
        return compare(*arguments, **options)

    monkeypatch.setattr(load_module, "_changed", run_other)

    # WHEN
    with pytest.raises(StagingError, match="another command staged at the same time: run `make stage` again"):
        load_into(s3, images)

    # THEN
    assert contains(s3, shards)
    assert read_manifest(BUCKET, s3=s3).format == "recordio"


@pytest.mark.parametrize("is_first", [True, False], ids=["first-staging", "different-classes-staged-before"])
@pytest.mark.parametrize("writes", [0, 1, 2, 3, 10, 25, 30, 31, 32, 40], ids=str)
def test_interrupted_run_is_completed_by_the_next_run(
    make_dataset: Callable[..., Dataset], is_first: bool, writes: int
) -> None:
    # GIVEN a run that is interrupted after some writes
    s3 = FakeS3()
    if not is_first:
        load_into(s3, make_dataset("bus", "motorcycle"))
    s3.put_object(Bucket=BUCKET, Key="train/mine.png", Body=b"not staging's")
    s3.writes_left = writes
    with contextlib.suppress(InterruptedRunError):  # the largest number of writes is enough for the whole run
        load_into(s3, make_dataset())

    # THEN the manifest, if it exists, describes the objects in the bucket
    if "manifest.json" in s3.objects:
        for key, stored in read_manifest(BUCKET, s3=s3).objects.items():
            assert s3.objects[key]["ETag"] == f'"{stored.md5}"'

    # WHEN the next run is not interrupted
    s3.writes_left = None
    images = make_dataset()
    load_into(s3, images)

    # THEN
    assert set(s3.list_keys()) == {*images.files(), "manifest.json", "train/mine.png"}
    del s3.objects["train/mine.png"]
    assert contains(s3, images)


def test_outdated_objects_of_an_interrupted_run_are_deleted(
    make_dataset: Callable[..., Dataset],
) -> None:
    # GIVEN a first run that was interrupted before it wrote its manifest
    s3 = FakeS3()
    s3.writes_left = 15
    with pytest.raises(InterruptedRunError):
        load_into(s3, make_dataset("bus", "motorcycle"))
    s3.writes_left = None

    # WHEN different classes are staged
    images = make_dataset("bicycle", "motorcycle")
    load_into(s3, images)

    # THEN
    assert contains(s3, images)


@pytest.mark.parametrize("formats", [("images", "recordio"), ("recordio", "images")], ids="-then-".join)
def test_staging_in_a_different_format_deletes_the_objects_of_the_first_format(
    tmp_path: Path, formats: tuple[Format, Format]
) -> None:
    # GIVEN
    s3, archive = FakeS3(), read_archive(write_archive(tmp_path / "a.tar.gz"))
    for data_format in formats:
        # WHEN
        images = transform(
            archive, classes=("bicycle", "motorcycle"), directory=tmp_path / "data", data_format=data_format
        )
        manifest = load_into(s3, images)

        # THEN
        assert contains(s3, images)
        assert manifest.format == data_format
        assert manifest.objects.keys() == images.files().keys()
        assert manifest.splits["train"].count == 18


def test_error_for_a_missing_manifest_says_to_stage(make_dataset: Callable[..., Dataset]) -> None:
    # GIVEN an empty bucket, and then a bucket whose first staging was interrupted
    s3 = FakeS3()
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(BUCKET, s3=s3)
    s3.writes_left = 10
    with pytest.raises(InterruptedRunError):
        load_into(s3, make_dataset())

    # WHEN / THEN
    with pytest.raises(ManifestMissingError, match="make stage"):
        read_manifest(BUCKET, s3=s3)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"], ids=repr)
def test_error_for_a_damaged_manifest_says_to_delete_it_and_stage(content: bytes) -> None:
    s3 = FakeS3()
    s3.put_object(Bucket=BUCKET, Key="manifest.json", Body=content)
    with pytest.raises(ManifestError, match="is damaged: delete it and run `make stage`"):
        read_manifest(BUCKET, s3=s3)


def test_first_error_stops_all_uploads(make_dataset: Callable[..., Dataset]) -> None:
    # GIVEN a bucket that fails after three writes
    s3: Any = FakeS3()
    images = make_dataset()
    s3.writes_left = 3

    # WHEN
    with pytest.raises(InterruptedRunError):
        load_into(s3, images)

    # THEN
    assert len(s3.writes) == 3


def test_no_manifest_is_written_if_outdated_objects_cannot_be_deleted(
    make_dataset: Callable[..., Dataset],
) -> None:
    # GIVEN a bucket whose objects may not be deleted
    s3 = FakeS3()
    load_into(s3, make_dataset("bicycle", "bus"))
    s3.denies_deletes = True

    # WHEN
    with pytest.raises(StagingError, match=r"cannot delete s3://some-bucket/t.*Access Denied"):
        load_into(s3, make_dataset("bicycle", "motorcycle"))

    # THEN
    assert "manifest.json" not in s3.objects
