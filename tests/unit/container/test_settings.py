"""Hyperparameters: what is not said takes the recipe's value, what cannot be meant is refused by name."""

import re
from typing import Any

import pytest
from errors import InputError
from settings import DEFAULTS, parse

CLASSES = {"classes": "bicycle,motorcycle"}


@pytest.mark.parametrize("pretrained", [0, 1], ids=["from scratch", "pretrained"])
def test_a_recipe_fills_in_what_is_not_said(pretrained: int) -> None:
    # WHEN
    settings = parse({**CLASSES, "pretrained": str(pretrained)})

    # THEN
    for name, value in DEFAULTS[pretrained].items():
        assert getattr(settings, name) == value
    assert settings.classes == ("bicycle", "motorcycle")


def test_texts_and_numbers_mean_the_same() -> None:
    # GIVEN hyperparameters as SageMaker stores them, and as the SDK hands them on
    texts = {**CLASSES, "epochs": "3", "learning_rate": "0.01", "seed": "7"}
    numbers = {**CLASSES, "epochs": 3, "learning_rate": 0.01, "seed": 7}

    # WHEN / THEN
    assert parse(texts) == parse(numbers)


def test_what_the_tools_of_aws_add_is_passed_over() -> None:
    assert parse({**CLASSES, "sagemaker_program": "train.py"}) == parse(CLASSES)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({**CLASSES, "epoch": "3"}, "epoch is unknown"),
        ({**CLASSES, "epochs": "0"}, "epochs must lie from 1 to 1000"),
        ({**CLASSES, "epochs": "2.5"}, "epochs must be a number"),
        ({**CLASSES, "learning_rate": "fast"}, "learning_rate must be a number, not 'fast'"),
        ({**CLASSES, "learning_rate": "nan"}, "learning_rate must lie"),
        ({**CLASSES, "pretrained": "2"}, "pretrained must lie from 0 to 1"),
        ({**CLASSES, "batch_size": "1"}, "batch_size must lie from 2"),
        ({**CLASSES, "pretrain_epochs": "5"}, "pretrain_epochs is for a network that starts from nothing"),
        ({}, "at least two different classes"),
        ({"classes": "bicycle"}, "at least two different classes"),
        ({"classes": "bicycle,bicycle"}, "at least two different classes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_refused_by_name(hyperparameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        parse(hyperparameters)
    assert "\n" not in str(caught.value)
