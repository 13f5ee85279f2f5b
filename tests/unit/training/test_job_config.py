"""A training request: its fingerprint, its hyperparameters, and the checks of the staged data."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from staging.manifest import Manifest, StoredObject
from tests.unit.staging.manifests import make_manifest
from tests.unit.training.configs import make_config
from tests.unit.training.staged import MANIFEST, FakeS3
from training.algorithms import ALGORITHMS, PyTorch
from training.errors import TrainingRequestError
from training.job_config import TrainingRequest, check_staged, describe_data, make_request, parse_settings

CONFIG = make_config(instance_type="ml.g4dn.xlarge")


def request(manifest: Manifest = MANIFEST, **hyperparameters: str) -> TrainingRequest:
    """Return a training request for the staged data in `manifest`."""
    return make_request(ALGORITHMS["pytorch"], CONFIG, manifest, hyperparameters, serving_image="image")


def test_fingerprint_depends_on_data_algorithm_and_hyperparameters() -> None:
    # GIVEN a manifest in which the content of one image has changed, and an algorithm of which only the name differs
    objects = {**MANIFEST.objects, "train/a.png": StoredObject(size=1, md5="other")}
    changed_data = MANIFEST.model_copy(update={"objects": objects})
    renamed = PyTorch()
    renamed.name = "other"

    # WHEN
    first, second = request(), request()
    different = [request(epochs="3"), replace(first, algorithm=renamed), request(manifest=changed_data)]

    # THEN
    assert first.fingerprint == second.fingerprint
    assert len({first.fingerprint, *(each.fingerprint for each in different)}) == 4


def test_fingerprint_depends_on_the_code_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr("training.job_config.CONTAINER", tmp_path)
    (tmp_path / "train.py").write_text("1")
    before = request().fingerprint

    # WHEN
    (tmp_path / "train.py").write_text("2")

    # THEN
    assert request().fingerprint != before


def test_fingerprint_depends_on_whether_the_model_archive_contains_packages() -> None:
    # GIVEN a request whose containers download packages, and a configuration with which the archive contains them
    downloading = request()
    config = replace(CONFIG, bundle_packages=True)

    # WHEN
    bundled = make_request(downloading.algorithm, config, downloading.manifest, {}, serving_image="image")

    # THEN
    assert bundled.fingerprint != downloading.fingerprint


def test_staged_data_are_described_from_the_manifest() -> None:
    # GIVEN the manifest of two training shards, a validation shard and a pretraining shard
    keys = ("train/a.rec", "train/b.rec", "validation/a.rec", "pretrain/a.rec")
    objects = {key: StoredObject(size=1, md5=key) for key in keys}

    # WHEN
    data = describe_data(make_manifest(format="recordio", objects=objects))

    # THEN
    assert (data.classes, data.data_format, data.shards) == (("bicycle", "motorcycle"), "recordio", 2)
    assert (data.training_images, data.validation_images, data.image_size) == (2, 2, 32)
    assert data.has_pretraining_data
    assert not describe_data(MANIFEST).has_pretraining_data


@pytest.mark.parametrize(
    ("missing", "classes", "reason"),
    [
        (
            ("train/b.png",),
            ("bicycle", "motorcycle"),
            "1 of 4 staged objects are missing from s3://bucket, such as train/b.png: run `make stage ENV=dev`",
        ),
        (
            (),
            ("bus", "bicycle"),
            "motorcycle, but terraform/environments/dev.tfvars has bus, bicycle: run `make stage ENV=dev`",
        ),
    ],
    ids=["missing object", "different classes"],
)
def test_error_about_missing_objects_or_different_classes_advises_to_stage_again(
    missing: tuple[str, ...], classes: tuple[str, ...], reason: str
) -> None:
    s3 = FakeS3(MANIFEST, *missing)

    with pytest.raises(TrainingRequestError, match=re.escape(reason)):
        check_staged(MANIFEST, classes=classes, bucket="bucket", environment="dev", s3=s3)


def test_error_about_unlisted_shards_names_them_and_advises_to_stage_again() -> None:
    s3 = FakeS3(MANIFEST, unlisted=["train/train-00001.rec", "train/train-00000.rec"])
    reason = (
        "training jobs would also read 2 shards in s3://bucket that manifest.json does not list, such as "
        "train/train-00000.rec, train/train-00001.rec: run `make stage ENV=dev`"
    )

    with pytest.raises(TrainingRequestError, match=re.escape(reason)):
        check_staged(MANIFEST, classes=["bicycle", "motorcycle"], bucket="bucket", environment="dev", s3=s3)


def test_complete_staged_data_are_accepted() -> None:
    # GIVEN also an image that no list of labels names, which training jobs ignore
    s3 = FakeS3(MANIFEST, unlisted=["train/mine.png"])

    check_staged(MANIFEST, classes=["bicycle", "motorcycle"], bucket="bucket", environment="dev", s3=s3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("epochs=3 epochs=4", "hyperparameter epochs is set twice, to 3 and 4"),
        ("epochs", "a hyperparameter must be NAME=VALUE, such as epochs=3 (got 'epochs')"),
        ("=3", "a hyperparameter must be NAME=VALUE, such as epochs=3 (got '=3')"),
        ("epochs=", "a hyperparameter must be NAME=VALUE, such as epochs=3 (got 'epochs=')"),
    ],
)
def test_error_names_the_invalid_setting(text: str, reason: str) -> None:
    with pytest.raises(TrainingRequestError, match=re.escape(reason)):
        parse_settings(text)
