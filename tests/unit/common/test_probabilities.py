"""`is_probability` accepts only numbers from 0 to 1."""

import math

import pytest

from common.probabilities import is_probability


@pytest.mark.parametrize("value", [0, 1, 0.0, 0.5, 1.0])
def test_numbers_from_0_to_1_are_probabilities(value: float) -> None:
    assert is_probability(value)


@pytest.mark.parametrize(
    "value",
    [
        *(-0.1, 1.1, 2, math.nan, math.inf, -math.inf, True, "0.5", None),
        pytest.param(10**400, id="huge"),
        pytest.param(-(10**400), id="huge negative"),
    ],
)
def test_numbers_out_of_range_and_other_types_are_not_probabilities(value: object) -> None:
    assert not is_probability(value)
