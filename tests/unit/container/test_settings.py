"""Hyperparameters: defaults, types, and errors that name the invalid hyperparameter."""

import re
from typing import Any

import pytest

from training.container.classifier.errors import InputError
from training.container.classifier.settings import DEFAULTS, parse

CLASSES = {"classes": "bicycle,motorcycle"}


@pytest.mark.parametrize("pretrained", [0, 1], ids=["from scratch", "pretrained"])
def test_defaults_depend_on_whether_the_network_is_pretrained(pretrained: int) -> None:
    # WHEN
    settings = parse({**CLASSES, "pretrained": str(pretrained)})

    # THEN
    for name, value in DEFAULTS[pretrained].items():
        assert getattr(settings, name) == value
    assert settings.classes == ("bicycle", "motorcycle")


def test_strings_and_numbers_give_the_same_settings() -> None:
    # GIVEN hyperparameters as strings, which SageMaker stores, and as numbers, which the SDK passes
    strings = {**CLASSES, "epochs": "3", "learning_rate": "0.01", "seed": "7"}
    numbers = {**CLASSES, "epochs": 3, "learning_rate": 0.01, "seed": 7}

    # WHEN / THEN
    assert parse(strings) == parse(numbers)


def test_hyperparameters_of_aws_tools_are_ignored() -> None:
    assert parse({**CLASSES, "sagemaker_program": "train.py", "_tuning_objective_metric": "a"}) == parse(CLASSES)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({**CLASSES, "epoch": "3"}, "epoch is unknown"),
        ({**CLASSES, "epochs": "0"}, "epochs must be a whole number between 1 and 1000 (got '0')"),
        ({**CLASSES, "epochs": "2.5"}, "epochs must be a whole number between 1 and 1000 (got '2.5')"),
        ({**CLASSES, "learning_rate": "fast"}, "learning_rate must be a number between 1e-06 and 10 (got 'fast')"),
        ({**CLASSES, "learning_rate": "nan"}, "learning_rate must be a number between 1e-06 and 10 (got 'nan')"),
        ({**CLASSES, "pretrained": "2"}, "pretrained must be a whole number between 0 and 1 (got '2')"),
        ({**CLASSES, "batch_size": "1"}, "batch_size must be a whole number between 2 and 1024 (got '1')"),
        ({**CLASSES, "pretrain_epochs": "5"}, "pretrain_epochs is for networks trained from scratch"),
        ({}, "classes must be at least two different names"),
        ({"classes": "bicycle"}, "classes must be at least two different names"),
        ({"classes": "bicycle,bicycle"}, "classes must be at least two different names"),
        ({"classes": "bicycle,it's"}, "classes must not contain an apostrophe (got bicycle,it's)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_error_names_the_invalid_hyperparameter(hyperparameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        parse(hyperparameters)
    assert "\n" not in str(caught.value)
