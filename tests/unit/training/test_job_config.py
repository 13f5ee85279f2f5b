"""What a person asks for, held against what is staged."""

import argparse
import io
import json
from typing import Any

import boto3
import pytest

from staging.manifest import StoredObject
from tests.unit.stacks import make_stack
from tests.unit.staging.manifests import make_manifest
from training.job_config import TrainingRequestError, assign, options, parse_settings


class FakeS3:
    """A bucket with a manifest and the objects that it names, but for those that are gone."""

    def __init__(self, manifest: dict[str, Any], *gone: str) -> None:
        self._manifest, self._gone = manifest, gone

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request["Key"] == "manifest.json"
        return {"Body": io.BytesIO(json.dumps(self._manifest).encode())}

    def get_paginator(self, name: str) -> "FakeS3":
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        keys = [key for key in self._manifest["objects"] if key.startswith(request["Prefix"]) and key not in self._gone]
        return [{"Contents": [{"Key": key} for key in keys]}]


KEYS = ("train/a.png", "train/b.png", "train.lst", "validation.lst")
MANIFEST = make_manifest(objects={key: StoredObject(size=1, md5=key) for key in KEYS}).to_json()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a bucket in the place of S3."""

    def put(manifest: dict[str, Any], *gone: str) -> None:
        monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeS3(manifest, *gone))

    return put


def asked(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options(parser)
    return parser.parse_args(arguments)


def test_the_same_data_code_and_settings_have_the_same_fingerprint_and_others_another(bucket: Any) -> None:
    # GIVEN
    bucket(MANIFEST)
    stack = make_stack()

    # WHEN
    first, again = (assign(stack, asked()) for _ in range(2))
    others = [
        assign(stack, asked("--set", "epochs=3")),
        assign(stack, asked("--algorithm", "image-classification", "--set", "mini_batch_size=2")),
    ]
    bucket({**MANIFEST, "objects": {**MANIFEST["objects"], "train/a.png": {"md5": "other", "size": 1}}})
    others.append(assign(stack, asked()))

    # THEN
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, *(each.fingerprint for each in others)}) == 4


def test_the_algorithm_chooses_image_and_instances(bucket: Any) -> None:
    # GIVEN
    bucket(MANIFEST)

    # WHEN
    found = assign(make_stack(), asked("--algorithm", "image-classification", "--set", "mini_batch_size=2"))

    # THEN
    assert found.config.image == found.serving_image == "registry/image-classification:1"
    assert found.config.instance_type == "ml.g4dn.xlarge"
    assert found.hyperparameters["num_training_samples"] == "2"


@pytest.mark.parametrize(
    ("stack", "arguments", "gone", "reason"),
    [
        ({}, ["--set", "epoch=3"], (), "hyperparameter epoch is unknown"),
        ({}, ["--set", "epochs"], (), "'epochs' sets no hyperparameter: write NAME=VALUE"),
        ({}, ["--pretrain"], (), "make stage PRETRAIN=1"),
        ({}, [], ("train/b.png",), "1 of 4 staged objects are gone from .* first train/b.png: run `make stage"),
        ({"classes": ("bus", "bicycle")}, [], (), "staged are bicycle, motorcycle, the stack has bus, bicycle"),
        (
            {"training_instance_types": {"pytorch": "ml.m5.xlarge", "image-classification": "ml.m5.xlarge"}},
            ["--algorithm", "image-classification"],
            (),
            "GPU instances alone",
        ),
    ],
    ids=["unknown", "no value", "no other classes", "object gone", "other classes", "no GPU"],
)
def test_what_cannot_be_trained_is_said_before_anything_is_started(
    bucket: Any, stack: dict[str, Any], arguments: list[str], gone: tuple[str, ...], reason: str
) -> None:
    # GIVEN
    bucket(MANIFEST, *gone)

    # WHEN / THEN
    with pytest.raises(TrainingRequestError, match=reason) as caught:
        assign(make_stack(**stack), asked(*arguments))
    assert "\n" not in str(caught.value)


def test_a_setting_that_is_there_twice_is_refused() -> None:
    with pytest.raises(TrainingRequestError, match="epochs is set twice"):
        parse_settings(["epochs=3", "epochs=4"])
