"""The training algorithms reject invalid hyperparameters, data and instance types before a job starts.

The algorithms are the PyTorch code of this repository, and the built-in algorithm, AWS's image classification.
"""

import re
from dataclasses import replace

import pytest

from training.algorithms import ALGORITHMS, StagedData, channels
from training.errors import TrainingRequestError

DATA = StagedData(
    classes=("bicycle", "motorcycle"),
    training_images=900,
    validation_images=100,
    data_format="images",
    shards=0,
    image_size=32,
    has_pretraining_data=False,
)
PYTORCH, BUILT_IN = ALGORITHMS["pytorch"], ALGORITHMS["image-classification"]


def test_pytorch_receives_the_classes_and_the_chosen_hyperparameters() -> None:
    assert PYTORCH.complete_hyperparameters({"epochs": "3"}, DATA) == {"classes": "bicycle,motorcycle", "epochs": "3"}


def test_built_in_algorithm_receives_the_number_of_classes_and_images() -> None:
    # WHEN
    complete = BUILT_IN.complete_hyperparameters({"epochs": "3", "optimizer": "adam"}, DATA)

    # THEN
    assert (complete["num_classes"], complete["num_training_samples"]) == ("2", "900")
    assert (complete["epochs"], complete["optimizer"]) == ("3", "adam")
    assert all(isinstance(value, str) for value in complete.values())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("epoch", "3", "hyperparameter epoch is unknown; the known ones are classes, pretrained"),
        ("epochs", "0", "hyperparameter epochs must be a whole number between 1 and 1000"),
        ("classes", "bus,tractor", "hyperparameter classes comes from the staged data: do not set it"),
        ("pretrained", "2", "hyperparameter pretrained must be a whole number between 0 and 1"),
    ],
)
def test_error_names_the_invalid_hyperparameter_of_pytorch(name: str, value: str, reason: str) -> None:
    with pytest.raises(TrainingRequestError, match=re.escape(reason)):
        PYTORCH.complete_hyperparameters({name: value}, DATA)


def test_pretraining_without_staged_pretraining_images_is_rejected() -> None:
    # GIVEN
    chosen = {"pretrained": "0", "pretrain_epochs": "5"}

    # WHEN / THEN
    with pytest.raises(TrainingRequestError, match="make stage PRETRAIN=1"):
        PYTORCH.complete_hyperparameters(chosen, DATA)
    complete = PYTORCH.complete_hyperparameters(chosen, replace(DATA, has_pretraining_data=True))
    assert complete["pretrain_epochs"] == "5"


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"layers": "20"}, "hyperparameter layers is unknown; the known ones are num_classes"),
        ({"num_classes": "3"}, "hyperparameter num_classes comes from the staged data"),
        ({"num_training_samples": "3"}, "hyperparameter num_training_samples comes from the staged data"),
        ({"num_layers": "21"}, "hyperparameter num_layers should be '18', '34'"),
        ({"epochs": "0"}, "hyperparameter epochs should be greater than or equal to 1 (got '0')"),
        ({"epochs": "2.5"}, "hyperparameter epochs should be a valid integer"),
        ({"learning_rate": "1.5"}, "hyperparameter learning_rate should be less than or equal to 1 (got '1.5')"),
        ({"learning_rate": "nan"}, "hyperparameter learning_rate"),
        ({"optimizer": "lion"}, "hyperparameter optimizer should be 'sgd', 'adam', 'rmsprop' or 'nag' (got 'lion')"),
        ({"image_shape": "28,28"}, "hyperparameter image_shape should be channels, height and width"),
        ({"image_shape": "1,28,28"}, "image_shape 1,28,28 has 1 channels, but the images have 3"),
        ({"image_shape": "3,224,224", "num_layers": "18"}, "is larger than the images (32 x 32): set a larger resize"),
        ({"image_shape": "3,28,33"}, "image_shape 3,28,33 is larger than the images (32 x 32)"),
        ({"image_shape": "3,28,28", "resize": "27"}, "image_shape 3,28,28 is larger than the images (27 x 27)"),
        (
            {"image_shape": "3,224,224", "num_layers": "18", "resize": "223"},
            "image_shape 3,224,224 is larger than the images (223 x 223)",
        ),
        ({"image_shape": "3,32,32"}, "num_layers 20 is for images of at most 28 x 28"),
        ({"num_layers": "152"}, "num_layers 152 is for images larger than 28 x 28 pixels"),
        ({"mini_batch_size": "901"}, "mini_batch_size 901 exceeds the 900 training images"),
        ({"lr_scheduler_step": "20,10"}, "hyperparameter lr_scheduler_step should be increasing numbers of epochs"),
        ({"lr_scheduler_step": "a"}, "hyperparameter lr_scheduler_step should be increasing numbers of epochs"),
        ({"checkpoint_frequency": "31"}, "checkpoint_frequency 31 exceeds the 30 epochs"),
        ({"use_pretrained_model": "1"}, "use_pretrained_model=1 needs image_shape 3,224,224"),
        ({"multi_label": "1"}, "multi_label=1 is for images with several labels"),
        ({"top_k": "5"}, "top_k 5 exceeds the 2 classes"),
        ({"augmentation_type": "flip"}, "hyperparameter augmentation_type should be 'crop'"),
        ({"early_stopping": "true"}, "hyperparameter early_stopping should be 'True' or 'False'"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_error_names_the_invalid_hyperparameter_of_the_built_in_algorithm(chosen: dict[str, str], reason: str) -> None:
    with pytest.raises(TrainingRequestError, match=re.escape(reason)) as caught:
        BUILT_IN.complete_hyperparameters(chosen, DATA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("instance_type", ["ml.m5.xlarge", "ml.c5.2xlarge", "ml.inf1.xlarge"])
def test_built_in_algorithm_rejects_instances_without_a_supported_gpu(instance_type: str) -> None:
    with pytest.raises(TrainingRequestError, match=rf"only on GPU instances .* \(got {instance_type}\)"):
        BUILT_IN.check_instance_type(instance_type)


def test_supported_instance_types_are_accepted() -> None:
    BUILT_IN.check_instance_type("ml.g4dn.xlarge")
    PYTORCH.check_instance_type("ml.m5.xlarge")


def test_only_image_files_have_manifest_channels() -> None:
    # WHEN
    image_channels = {each.name: each.key for each in channels(BUILT_IN, DATA, 1, {})}
    shard_channels = channels(BUILT_IN, replace(DATA, data_format="recordio"), 2, {})

    # THEN
    assert image_channels == {
        "train": "train/",
        "train_lst": "train.lst",
        "validation": "validation/",
        "validation_lst": "validation.lst",
    }
    assert {each.name: each.content_type for each in shard_channels} == dict.fromkeys(
        ("train", "validation"), "application/x-recordio"
    )
    assert not any(each.sharded for each in shard_channels)


@pytest.mark.parametrize(
    ("epochs", "is_used"), [({}, False), ({"pretrain_epochs": "0"}, False), ({"pretrain_epochs": "2"}, True)]
)
def test_pretrain_channel_is_used_only_if_there_are_pretraining_epochs(epochs: dict[str, str], is_used: bool) -> None:
    # GIVEN
    data = replace(DATA, has_pretraining_data=True)
    complete = PYTORCH.complete_hyperparameters({"pretrained": "0", **epochs}, data)

    # WHEN / THEN
    assert ("pretrain" in {each.name for each in channels(PYTORCH, data, 1, complete)}) is is_used


def test_built_in_algorithm_rejects_more_than_one_training_shard() -> None:
    # GIVEN
    one_shard = replace(DATA, data_format="recordio", shards=1)

    # WHEN / THEN
    assert BUILT_IN.complete_hyperparameters({}, one_shard)["num_training_samples"] == "900"
    with pytest.raises(TrainingRequestError, match=r"one RecordIO file .* but 2 training shards .*FORMAT=images"):
        BUILT_IN.complete_hyperparameters({}, replace(one_shard, shards=2))
