"""The manifest of the staged data: its validation, and the labels and fingerprints that are read from it."""

import hashlib
import json
from typing import Any

import pytest

from staging.manifest import ManifestError, StoredObject, read_manifest
from tests.unit.staging.fakes import FakeS3
from tests.unit.staging.manifests import make_manifest

VALIDATION_LST = b"0\t1\ta.png\n1\t0\tb.png\n"


def make_objects(*keys: str) -> dict[str, StoredObject]:
    """Return a manifest's entries for objects with these keys, and for the list of the validation images."""
    objects = {key: StoredObject(size=1, md5=key) for key in keys}
    md5 = hashlib.md5(VALIDATION_LST, usedforsecurity=False).hexdigest()
    return {**objects, "validation.lst": StoredObject(size=len(VALIDATION_LST), md5=md5)}


def bucket_with_manifest(content: object) -> FakeS3:
    """Return a bucket whose manifest.json has this content."""
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key="manifest.json", Body=json.dumps(content).encode())
    return s3


def test_written_manifest_can_be_read() -> None:
    manifest = make_manifest(synthetic=True, format="recordio")
    assert read_manifest("b", s3=bucket_with_manifest(manifest.to_json())) == manifest


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"synthetic": "yes"}, "synthetic", id="wrong type"),
        pytest.param({"seed": "0"}, "seed", id="number as a string"),
        pytest.param({"format": "tfrecord"}, "format", id="unknown format"),
        pytest.param({"objects": {"a": {"size": 1}}}, "objects.a.md5", id="incomplete object"),
        pytest.param({"extra": 1}, "extra", id="unknown field"),
    ],
)
def test_error_names_the_invalid_field_of_a_manifest(changes: dict[str, Any], field: str) -> None:
    s3 = bucket_with_manifest({**make_manifest().to_json(), **changes})
    with pytest.raises(ManifestError, match=rf"s3://b/manifest.json: {field}: .*run `make stage` again"):
        read_manifest("b", s3=s3)


def test_error_names_the_missing_field_of_a_manifest() -> None:
    content = make_manifest().to_json()
    del content["synthetic"]
    with pytest.raises(ManifestError, match="synthetic: Field required"):
        read_manifest("b", s3=bucket_with_manifest(content))


def test_labels_of_a_split_are_read_from_its_lst_file() -> None:
    manifest = make_manifest(objects=make_objects("validation/a.png", "validation/b.png", "train/c.png"))
    assert manifest.labels("validation", VALIDATION_LST) == {"validation/a.png": 1, "validation/b.png": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"objects": make_objects("validation/a.png")}, "lists other images", id="different images"),
        pytest.param(
            {"objects": make_objects("validation/a.png", "validation/b.png"), "classes": ("bicycle",)},
            "or classes",
            id="too few classes",
        ),
        pytest.param({}, "validation.lst is not the file", id="different list"),
        pytest.param({"objects": {}}, "validation.lst is not the file", id="missing list"),
    ],
)
def test_lst_file_that_does_not_match_the_manifest_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        make_manifest(**changes).labels("validation", VALIDATION_LST)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        pytest.param({"train/c.png": "other"}, True, id="training image"),
        pytest.param({"validation/a.png": "other"}, False, id="validation image"),
        pytest.param({"validation.lst": "other"}, False, id="validation labels"),
    ],
)
def test_fingerprint_of_a_split_depends_only_on_its_images_and_labels(changes: dict[str, str], is_same: bool) -> None:
    # GIVEN
    objects = make_objects("validation/a.png", "train/c.png")
    changed = {**objects, **{key: StoredObject(size=1, md5=md5) for key, md5 in changes.items()}}

    # WHEN
    before, after = (make_manifest(objects=each).fingerprint("validation") for each in (objects, changed))

    # THEN
    assert (before == after) == is_same


def test_digest_of_the_classes_depends_on_their_order() -> None:
    first, reordered = make_manifest(), make_manifest(classes=("motorcycle", "bicycle"))
    assert first.classes_md5 != reordered.classes_md5
    assert first.classes_md5 == make_manifest().classes_md5


def test_shards_and_pretraining_data_are_recognised_by_object_keys() -> None:
    # GIVEN
    images = make_manifest()
    shards = make_manifest(
        objects=make_objects("train/train-00000.rec", "train/train-00001.rec", "pretrain/pretrain-0.rec")
    )

    # WHEN / THEN
    assert (images.shard_count("train"), images.has_pretraining_data) == (0, False)
    assert (shards.shard_count("train"), shards.has_pretraining_data) == (2, True)
