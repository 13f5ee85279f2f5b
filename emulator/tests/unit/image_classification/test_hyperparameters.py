"""Hyperparameters of the image classification algorithm: defaults, ranges and error messages, as on AWS."""

import pytest

from sagelocal.containers.image_classification.errors import CustomerError, UnsupportedError
from sagelocal.containers.image_classification.hyperparameters import (
    CIFAR_DEPTHS,
    IMAGENET_DEPTHS,
    check_supported,
    parse,
)

REQUIRED = {"num_classes": "2", "num_training_samples": "1000"}
INTEGERS = [
    "num_classes",
    "num_training_samples",
    "resize",
    "epochs",
    "mini_batch_size",
    "checkpoint_frequency",
    "early_stopping_min_epochs",
    "early_stopping_patience",
]
FRACTIONS = [
    "learning_rate",
    "lr_scheduler_factor",
    "momentum",
    "weight_decay",
    "beta_1",
    "beta_2",
    "eps",
    "gamma",
    "early_stopping_tolerance",
]
CHOICES = {
    "use_pretrained_model": ["0", "1"],
    "num_layers": ["18", "34", "50", "101", "152", "200"],
    "optimizer": ["sgd", "adam", "rmsprop", "nag"],
    "augmentation_type": ["crop", "crop_color", "crop_color_transform"],
    "early_stopping": ["True", "False"],
    "multi_label": ["0", "1"],
    "use_weighted_loss": ["0", "1"],
    "precision_dtype": ["float32", "float16"],
    "kv_store": ["dist_sync", "dist_async"],
}


def test_defaults_are_those_that_aws_documents() -> None:
    # WHEN
    found = parse(REQUIRED)
    # THEN
    assert (found.num_layers, found.image_shape, found.epochs, found.mini_batch_size) == (152, (3, 224, 224), 30, 32)
    assert (found.optimizer, found.learning_rate, found.momentum, found.weight_decay) == ("sgd", 0.1, 0.9, 0.0001)
    assert (found.early_stopping, found.early_stopping_min_epochs, found.early_stopping_patience) == (False, 10, 5)
    assert (found.augmentation_type, found.checkpoint_frequency, found.resize, found.top_k) == (None,) * 4


@pytest.mark.parametrize("name", REQUIRED)
def test_required_hyperparameter_must_be_given(name: str) -> None:
    # GIVEN
    given = {key: value for key, value in REQUIRED.items() if key != name}
    # WHEN / THEN
    with pytest.raises(CustomerError, match=rf"^No value\(s\) were specified for '{name}'"):
        parse(given)


def test_unknown_hyperparameter_is_refused() -> None:
    with pytest.raises(CustomerError, match=r"not allowed \('augmentation type' was unexpected\)"):
        parse({**REQUIRED, "augmentation type": "crop"})


def test_tuning_objective_is_ignored() -> None:
    assert parse({**REQUIRED, "_tuning_objective_metric": "validation:accuracy"}) == parse(REQUIRED)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "", "ten"])
@pytest.mark.parametrize("name", INTEGERS)
def test_integer_hyperparameter_must_be_positive(name: str, value: str) -> None:
    with pytest.raises(CustomerError, match=f"The value '{value}' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: value})


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "fast"])
@pytest.mark.parametrize("name", FRACTIONS)
def test_fraction_outside_0_to_1_is_refused(name: str, value: str) -> None:
    with pytest.raises(CustomerError, match=f"The value '{value}' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: value})


@pytest.mark.parametrize("value", ["0", "0.5", "1"])
@pytest.mark.parametrize("name", FRACTIONS)
def test_fraction_from_0_to_1_is_accepted(name: str, value: str) -> None:
    assert getattr(parse({**REQUIRED, name: value}), name) == float(value)


@pytest.mark.parametrize("name", CHOICES)
def test_only_documented_values_of_a_choice_are_accepted(name: str) -> None:
    # WHEN / THEN
    for value in CHOICES[name]:
        assert str(getattr(parse({**REQUIRED, name: value}), name)) == value
    with pytest.raises(CustomerError, match=f"'other' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: "other"})


@pytest.mark.parametrize("value", ["1", "0", "two"])
def test_top_k_must_be_greater_than_1(value: str) -> None:
    with pytest.raises(CustomerError, match="'top_k'"):
        parse({**REQUIRED, "top_k": value})


@pytest.mark.parametrize(
    "value", ["224", "3,224", "3,0,224", "3,224,-1", "3,224,224,1", "a,b,c", ""], ids=lambda value: value or "empty"
)
def test_invalid_image_shape_is_refused(value: str) -> None:
    with pytest.raises(CustomerError, match="'image_shape'"):
        parse({**REQUIRED, "image_shape": value})


def test_image_shape_may_contain_spaces() -> None:
    assert parse({**REQUIRED, "image_shape": "3, 64, 48"}).image_shape == (3, 64, 48)


@pytest.mark.parametrize("value", ["", "0", "ten", "10,5", "5,5", "5,"], ids=lambda value: value or "empty")
def test_invalid_lr_scheduler_step_is_refused(value: str) -> None:
    with pytest.raises(CustomerError, match="'lr_scheduler_step'"):
        parse({**REQUIRED, "lr_scheduler_step": value})


def test_lr_scheduler_step_is_a_list_of_epochs() -> None:
    assert parse({**REQUIRED, "lr_scheduler_step": "10,20"}).lr_scheduler_step == (10, 20)


@pytest.mark.parametrize("depth", CIFAR_DEPTHS)
def test_image_shape_above_32_pixels_is_refused_for_a_cifar_depth(depth: int) -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,32,32"}).num_layers == depth
    for shape in ("3,33,32", "3,32,33", "3,224,224"):
        with pytest.raises(CustomerError, match=f"num_layers {depth} is for images of at most 32 x 32 pixels"):
            parse({**REQUIRED, "num_layers": str(depth), "image_shape": shape})


@pytest.mark.parametrize("depth", IMAGENET_DEPTHS)
def test_image_shape_of_28_pixels_is_refused_for_an_imagenet_depth(depth: int) -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,32,32"}).num_layers == depth
    with pytest.raises(CustomerError, match=f"num_layers {depth} is for images with a height of at least 29 pixels"):
        parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,28,28"})


def test_mini_batch_size_must_not_exceed_num_training_samples() -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "mini_batch_size": "1000"}).mini_batch_size == 1000
    with pytest.raises(CustomerError, match="bigger or equal to the mini_batch_size"):
        parse({**REQUIRED, "mini_batch_size": "1001"})


def test_checkpoint_frequency_must_not_exceed_epochs() -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "epochs": "5", "checkpoint_frequency": "5"}).checkpoint_frequency == 5
    with pytest.raises(CustomerError, match="checkpoint_frequency 6 must not be greater than epochs 5"):
        parse({**REQUIRED, "epochs": "5", "checkpoint_frequency": "6"})


@pytest.mark.parametrize(
    "given",
    [{"num_layers": "20", "image_shape": "3,32,32"}, {"num_layers": "18", "image_shape": "3,32,32"}],
    ids=["depth", "shape"],
)
def test_pretrained_model_requires_imagenet_depth_and_shape(given: dict[str, str]) -> None:
    with pytest.raises(
        CustomerError, match=r"use_pretrained_model=1 requires num_layers of 18, .* and image_shape 3,224"
    ):
        parse({**REQUIRED, "use_pretrained_model": "1", **given})


@pytest.mark.parametrize(
    ("name", "value"), [("use_pretrained_model", "1"), ("multi_label", "1"), ("image_shape", "1,64,64")]
)
def test_hyperparameter_that_only_aws_supports_is_valid_but_refused(name: str, value: str) -> None:
    # GIVEN
    found = parse({**REQUIRED, name: value})
    # WHEN / THEN
    with pytest.raises(UnsupportedError, match=f"the emulator's image-classification does not support .*{name}"):
        check_supported(found)


def test_typical_job_is_supported() -> None:
    check_supported(parse({**REQUIRED, "num_layers": "18", "image_shape": "3,32,32"}))
