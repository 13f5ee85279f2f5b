"""What a launch would fail for on AWS is refused here, by name, before anything is started."""

import re
from dataclasses import replace

import pytest

from training.algorithms import ALGORITHMS, Data, HyperparameterError, InstanceTypeError, channels

DATA = Data(classes=("bicycle", "motorcycle"), rows=900, data_format="images", shards=0, size=32, others=False)
PYTORCH, BUILT_IN = ALGORITHMS["pytorch"], ALGORITHMS["image-classification"]


def test_our_own_trainer_is_told_the_classes_and_what_a_person_chose() -> None:
    assert PYTORCH.settle({"epochs": "3"}, DATA) == {"classes": "bicycle,motorcycle", "epochs": "3"}


def test_the_built_in_algorithm_is_told_what_the_data_say() -> None:
    # WHEN
    settled = BUILT_IN.settle({"epochs": "3", "optimizer": "adam"}, DATA)

    # THEN
    assert (settled["num_classes"], settled["num_training_samples"]) == ("2", "900")
    assert (settled["epochs"], settled["optimizer"]) == ("3", "adam")
    assert all(isinstance(value, str) for value in settled.values())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("epoch", "3", "hyperparameter epoch is unknown: there are classes, pretrained"),
        ("epochs", "0", "hyperparameter epochs must lie from 1 to 1000"),
        ("pretrained", "2", "hyperparameter pretrained must lie from 0 to 1"),
    ],
)
def test_our_own_trainers_settings_are_checked_by_its_own_code(name: str, value: str, reason: str) -> None:
    with pytest.raises(HyperparameterError, match=re.escape(reason)):
        PYTORCH.settle({name: value}, DATA)


def test_learning_other_classes_first_needs_their_rows() -> None:
    # GIVEN
    first = {"pretrained": "0", "pretrain_epochs": "5"}

    # WHEN / THEN
    with pytest.raises(HyperparameterError, match="make stage PRETRAIN=1"):
        PYTORCH.settle(first, DATA)
    assert PYTORCH.settle(first, replace(DATA, others=True))["pretrain_epochs"] == "5"


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"layers": "20"}, "hyperparameter layers is unknown: there are num_classes"),
        ({"num_classes": "3"}, "hyperparameter num_classes is what the staged data say"),
        ({"num_training_samples": "3"}, "hyperparameter num_training_samples is what the staged data say"),
        ({"num_layers": "21"}, "hyperparameter num_layers should be '18', '34'"),
        ({"epochs": "0"}, "hyperparameter epochs should be greater than or equal to 1, not '0'"),
        ({"epochs": "2.5"}, "hyperparameter epochs should be a valid integer"),
        ({"learning_rate": "1.5"}, "hyperparameter learning_rate should be less than or equal to 1, not '1.5'"),
        ({"learning_rate": "nan"}, "hyperparameter learning_rate"),
        ({"optimizer": "lion"}, "hyperparameter optimizer should be 'sgd', 'adam', 'rmsprop' or 'nag', not 'lion'"),
        ({"image_shape": "28,28"}, "hyperparameter image_shape should be channels, height and width"),
        ({"image_shape": "1,28,28"}, "image_shape 1,28,28 has 1 channels, and the images have 3"),
        ({"image_shape": "3,224,224", "num_layers": "18"}, "is larger than the images, 32 x 32: set a larger resize"),
        ({"image_shape": "3,28,33"}, "image_shape 3,28,33 is larger than the images, 32 x 32"),
        ({"image_shape": "3,28,28", "resize": "27"}, "image_shape 3,28,28 is larger than the images, 27 x 27"),
        (
            {"image_shape": "3,224,224", "num_layers": "18", "resize": "223"},
            "image_shape 3,224,224 is larger than the images, 223 x 223",
        ),
        ({"image_shape": "3,32,32"}, "num_layers 20 is for images of at most 28 x 28"),
        ({"num_layers": "152"}, "num_layers 152 is for images of more than 28 pixels"),
        ({"mini_batch_size": "901"}, "mini_batch_size 901 is more than the 900 training images"),
        ({"lr_scheduler_step": "20,10"}, "hyperparameter lr_scheduler_step should be increasing numbers of epochs"),
        ({"lr_scheduler_step": "a"}, "hyperparameter lr_scheduler_step should be increasing numbers of epochs"),
        ({"checkpoint_frequency": "31"}, "checkpoint_frequency 31 is more than the 30 epochs"),
        ({"use_pretrained_model": "1"}, "use_pretrained_model=1 needs image_shape 3,224,224"),
        ({"multi_label": "1"}, "multi_label=1 is for images of several classes"),
        ({"top_k": "5"}, "top_k 5 is more than the 2 classes"),
        ({"augmentation_type": "flip"}, "hyperparameter augmentation_type should be 'crop'"),
        ({"early_stopping": "true"}, "hyperparameter early_stopping should be 'True' or 'False'"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_the_built_in_algorithm_would_fail_for_is_named(chosen: dict[str, str], reason: str) -> None:
    with pytest.raises(HyperparameterError, match=re.escape(reason)) as caught:
        BUILT_IN.settle(chosen, DATA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("instance_type", ["ml.m5.xlarge", "ml.c5.2xlarge", "ml.inf1.xlarge"])
def test_the_built_in_algorithm_needs_a_gpu(instance_type: str) -> None:
    with pytest.raises(InstanceTypeError, match=f"GPU instances alone.* not on {instance_type}"):
        BUILT_IN.check_instances(instance_type, 1)


def test_instances_that_an_algorithm_trains_on_are_let_through() -> None:
    BUILT_IN.check_instances("ml.g4dn.xlarge", 1)
    PYTORCH.check_instances("ml.m5.xlarge", 1)


def test_single_images_come_with_a_manifest_each_and_shards_without() -> None:
    # WHEN
    images = {each.name: each.key for each in channels(BUILT_IN, DATA, 1, {})}
    shards = channels(BUILT_IN, replace(DATA, data_format="recordio"), 2, {})

    # THEN
    assert images == {
        "train": "train/",
        "train_lst": "train.lst",
        "validation": "validation/",
        "validation_lst": "validation.lst",
    }
    assert {each.name: each.content_type for each in shards} == dict.fromkeys(
        ("train", "validation"), "application/x-recordio"
    )
    assert not any(each.sharded for each in shards)


@pytest.mark.parametrize(
    ("epochs", "brought"), [({}, False), ({"pretrain_epochs": "0"}, False), ({"pretrain_epochs": "2"}, True)]
)
def test_other_classes_rows_are_brought_where_they_are_learned(epochs: dict[str, str], brought: bool) -> None:
    # GIVEN
    data = replace(DATA, others=True)
    settled = PYTORCH.settle({"pretrained": "0", **epochs}, data)

    # WHEN / THEN
    assert ("pretrain" in {each.name for each in channels(PYTORCH, data, 1, settled)}) is brought


def test_the_built_in_algorithm_takes_one_shard() -> None:
    # GIVEN
    one = replace(DATA, data_format="recordio", shards=1)

    # WHEN / THEN
    assert BUILT_IN.settle({}, one)["num_training_samples"] == "900"
    with pytest.raises(HyperparameterError, match=r"one RecordIO file a channel, and 2 are staged .*FORMAT=images"):
        BUILT_IN.settle({}, replace(one, shards=2))
