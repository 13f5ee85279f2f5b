"""Hyperparameters: AWS's names and ranges, refused by name."""

import pytest
from sagelocal.containers.image_classification.errors import CustomerError, LackingError
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
SHARES = [
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


def test_what_is_not_given_is_as_aws_documents_it() -> None:
    # WHEN
    found = parse(REQUIRED)
    # THEN
    assert (found.num_layers, found.image_shape, found.epochs, found.mini_batch_size) == (152, (3, 224, 224), 30, 32)
    assert (found.optimizer, found.learning_rate, found.momentum, found.weight_decay) == ("sgd", 0.1, 0.9, 0.0001)
    assert (found.early_stopping, found.early_stopping_min_epochs, found.early_stopping_patience) == (False, 10, 5)
    assert (found.augmentation_type, found.checkpoint_frequency, found.resize, found.top_k) == (None,) * 4


@pytest.mark.parametrize("name", REQUIRED)
def test_two_are_required(name: str) -> None:
    # GIVEN
    given = {key: value for key, value in REQUIRED.items() if key != name}
    # WHEN / THEN
    with pytest.raises(CustomerError, match=rf"^No value\(s\) were specified for '{name}'"):
        parse(given)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(CustomerError, match=r"not allowed \('augmentation type' was unexpected\)"):
        parse({**REQUIRED, "augmentation type": "crop"})


def test_what_a_tuning_job_adds_is_passed_over() -> None:
    assert parse({**REQUIRED, "_tuning_objective_metric": "validation:accuracy"}) == parse(REQUIRED)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "", "ten"])
@pytest.mark.parametrize("name", INTEGERS)
def test_a_count_is_a_positive_integer(name: str, value: str) -> None:
    with pytest.raises(CustomerError, match=f"The value '{value}' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: value})


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "fast"])
@pytest.mark.parametrize("name", SHARES)
def test_a_share_lies_between_0_and_1(name: str, value: str) -> None:
    with pytest.raises(CustomerError, match=f"The value '{value}' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: value})


@pytest.mark.parametrize("value", ["0", "0.5", "1"])
@pytest.mark.parametrize("name", SHARES)
def test_both_ends_of_a_share_are_allowed(name: str, value: str) -> None:
    assert getattr(parse({**REQUIRED, name: value}), name) == float(value)


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_one_of_its_values(name: str) -> None:
    # WHEN / THEN
    for value in CHOICES[name]:
        assert str(getattr(parse({**REQUIRED, name: value}), name)) == value
    with pytest.raises(CustomerError, match=f"'other' is not valid for the '{name}' hyperparameter"):
        parse({**REQUIRED, name: "other"})


@pytest.mark.parametrize("value", ["1", "0", "two"])
def test_top_k_is_larger_than_1(value: str) -> None:
    with pytest.raises(CustomerError, match="'top_k'"):
        parse({**REQUIRED, "top_k": value})


@pytest.mark.parametrize(
    "value", ["224", "3,224", "3,0,224", "3,224,-1", "3,224,224,1", "a,b,c", ""], ids=lambda value: value or "empty"
)
def test_a_shape_is_channels_height_and_width(value: str) -> None:
    with pytest.raises(CustomerError, match="'image_shape'"):
        parse({**REQUIRED, "image_shape": value})


def test_a_shape_may_have_spaces() -> None:
    assert parse({**REQUIRED, "image_shape": "3, 64, 48"}).image_shape == (3, 64, 48)


@pytest.mark.parametrize("value", ["", "0", "ten", "10,5", "5,5", "5,"], ids=lambda value: value or "empty")
def test_the_steps_of_the_learning_rate_increase(value: str) -> None:
    with pytest.raises(CustomerError, match="'lr_scheduler_step'"):
        parse({**REQUIRED, "lr_scheduler_step": value})


def test_the_steps_of_the_learning_rate_are_numbers_of_epochs() -> None:
    assert parse({**REQUIRED, "lr_scheduler_step": "10,20"}).lr_scheduler_step == (10, 20)


@pytest.mark.parametrize("depth", CIFAR_DEPTHS)
def test_a_network_for_small_images_takes_no_large_ones(depth: int) -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,32,32"}).num_layers == depth
    for shape in ("3,33,32", "3,32,33", "3,224,224"):
        with pytest.raises(CustomerError, match=f"num_layers {depth} is for images of at most 32 x 32 pixels"):
            parse({**REQUIRED, "num_layers": str(depth), "image_shape": shape})


@pytest.mark.parametrize("depth", IMAGENET_DEPTHS)
def test_a_network_for_large_images_takes_none_of_28_pixels(depth: int) -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,32,32"}).num_layers == depth
    with pytest.raises(CustomerError, match=f"num_layers {depth} is for images of more than 28 pixels"):
        parse({**REQUIRED, "num_layers": str(depth), "image_shape": "3,28,28"})


def test_a_batch_has_no_more_images_than_there_are() -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "mini_batch_size": "1000"}).mini_batch_size == 1000
    with pytest.raises(CustomerError, match="bigger or equal to the mini_batch_size"):
        parse({**REQUIRED, "mini_batch_size": "1001"})


def test_a_checkpoint_comes_within_the_epochs() -> None:
    # WHEN / THEN
    assert parse({**REQUIRED, "epochs": "5", "checkpoint_frequency": "5"}).checkpoint_frequency == 5
    with pytest.raises(CustomerError, match="checkpoint_frequency 6 must be no greater than epochs 5"):
        parse({**REQUIRED, "epochs": "5", "checkpoint_frequency": "6"})


@pytest.mark.parametrize(
    "given",
    [{"num_layers": "20", "image_shape": "3,32,32"}, {"num_layers": "18", "image_shape": "3,32,32"}],
    ids=["depth", "shape"],
)
def test_pretrained_weights_are_those_of_imagenet(given: dict[str, str]) -> None:
    with pytest.raises(CustomerError, match=r"use_pretrained_model=1 needs num_layers of 18, .* and image_shape 3,224"):
        parse({**REQUIRED, "use_pretrained_model": "1", **given})


@pytest.mark.parametrize(
    ("name", "value"), [("use_pretrained_model", "1"), ("multi_label", "1"), ("image_shape", "1,64,64")]
)
def test_what_aws_alone_can_do_is_valid_and_said_to_be_lacking(name: str, value: str) -> None:
    # GIVEN
    found = parse({**REQUIRED, name: value})
    # WHEN / THEN
    with pytest.raises(LackingError, match=f"the emulator's stand-in .* {name}"):
        check_supported(found)


def test_a_usual_job_is_supported() -> None:
    check_supported(parse({**REQUIRED, "num_layers": "18", "image_shape": "3,32,32"}))
