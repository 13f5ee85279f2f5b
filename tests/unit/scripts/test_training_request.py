"""`make train` and `make tune` create a training request from their options."""

import argparse
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.command.training_options import add_training_options, make_training_request
from tests.unit.stacks import make_stack
from tests.unit.training.staged import MANIFEST, FakeS3
from training.errors import TrainingRequestError
from training.job_config import TrainingRequest


def request(*arguments: str, missing: tuple[str, ...] = (), **stack: Any) -> TrainingRequest:
    """Return the training request of a command.

    Parameters
    ----------
    arguments : arguments of the command line
    missing : keys of staged objects that S3 does not contain
    stack : fields that replace those of the stack
    """
    parser = argparse.ArgumentParser()
    add_training_options(parser)
    s3 = FakeS3(MANIFEST, *missing)
    environment: Any = SimpleNamespace(
        stack=make_stack(**stack),
        configured_classes=make_stack(**stack).classes,
        options=parser.parse_args(arguments),
        client=lambda service: s3,
    )
    return make_training_request(environment)


def test_algorithm_selects_the_container_images_and_the_instance_type() -> None:
    # WHEN
    found = request("--algorithm", "image-classification", "--set", "mini_batch_size=2")

    # THEN
    assert found.config.image == found.serving_image == "registry/image-classification:1"
    assert found.config.instance_type == "ml.g4dn.xlarge"
    assert found.hyperparameters["num_training_samples"] == "2"


@pytest.mark.parametrize(
    ("stack", "arguments", "missing", "reason"),
    [
        ({}, ["--set", "epoch=3"], (), "hyperparameter epoch is unknown"),
        ({}, ["--set", "epochs"], (), "must be NAME=VALUE, such as epochs=3"),
        ({}, ["--pretrain"], (), "make stage PRETRAIN=1"),
        ({}, [], ("train/b.png",), "1 of 4 staged objects are missing from .* such as train/b.png: run `make stage"),
        (
            {"classes": ("bus", "bicycle")},
            [],
            (),
            r"staged classes are bicycle, motorcycle, but .*\.tfvars has bus, bicycle",
        ),
        (
            {"training_instance_types": {"pytorch": "ml.m5.xlarge", "image-classification": "ml.m5.xlarge"}},
            ["--algorithm", "image-classification"],
            (),
            "only on GPU instances",
        ),
    ],
    ids=["unknown hyperparameter", "no value", "no pretraining images", "missing object", "other classes", "no GPU"],
)
def test_invalid_training_request_is_an_error_of_one_line(
    stack: dict[str, Any], arguments: list[str], missing: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(TrainingRequestError, match=reason) as caught:
        request(*arguments, missing=missing, **stack)
    assert "\n" not in str(caught.value)
