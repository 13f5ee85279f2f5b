"""The metric definitions of built-in algorithms, which CreateTrainingJob adds to a job."""

import re

import pytest

from sagelocal.services.sagemaker.builtin_metrics import metric_definitions


@pytest.mark.parametrize(
    ("name", "line", "value"),
    [
        ("train:accuracy", "[10/10/2025 12:00:00 INFO 139] Epoch[12] Train-accuracy=0.523000", "0.523000"),
        ("validation:accuracy", "[10/10/2025 12:00:00 INFO 139] Epoch[0] Validation-accuracy=1.000000", "1.000000"),
    ],
)
def test_log_line_matches_only_the_definition_of_its_metric(name: str, line: str, value: str) -> None:
    # WHEN
    found = {
        each["Name"]: match[1]
        for each in metric_definitions("811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1")
        if (match := re.search(each["Regex"], line))
    }
    # THEN
    assert found == {name: value}


@pytest.mark.parametrize(
    "image", ["", "tests/trainer:1", "1.dkr.ecr.eu-west-1.amazonaws.com/my-image-classification:1"]
)
def test_image_that_is_not_a_builtin_algorithm_has_no_metric_definitions(image: str) -> None:
    assert metric_definitions(image) == []
