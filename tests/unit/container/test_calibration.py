"""Temperature scaling finds a known temperature, and never gives a confidence of 1."""

import pytest
import torch
from torch import Tensor

from training.container.classifier.calibration import (
    CANDIDATES,
    cross_fitted,
    expected_calibration_error,
    fit_temperature,
)


def draw_calibrated(examples: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return random logits, and labels that are drawn with the probabilities of these logits."""
    generator = torch.Generator().manual_seed(examples + classes)
    logits = 2 * torch.randn(examples, classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_equals_the_factor_of_scaled_logits(classes: int, factor: float) -> None:
    # GIVEN calibrated logits
    logits, labels = draw_calibrated(5_000, classes)

    # WHEN / THEN multiplying them by a factor multiplies the temperature
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("margin", [1.0, 3.0, 20.0])
def test_confidence_stays_below_one_if_all_predictions_are_correct(classes: int, margin: float) -> None:
    # GIVEN 100 examples, in each of which the logit of the correct class is larger than the others by `margin`
    labels = torch.arange(100) % classes
    logits = margin * torch.nn.functional.one_hot(labels).float()

    # WHEN
    found = fit_temperature(logits, labels)

    # THEN the confidence equals the smoothed target, 101 / 102
    assert CANDIDATES[0] < found < CANDIDATES[-1]
    assert float((logits / found).softmax(1).max()) == pytest.approx(101 / 102, abs=1e-3)


def test_each_half_is_calibrated_with_the_temperature_of_the_other_half() -> None:
    # GIVEN logits that are four times too large at even positions, and calibrated at odd positions
    logits, labels = draw_calibrated(5_000, 2)
    logits[::2] *= 4

    # WHEN
    found = cross_fitted(logits, labels)

    # THEN the temperature is 1 for even positions, and 4 for odd positions
    assert torch.allclose(found[::2], logits[::2].softmax(1), atol=0.02)
    assert torch.allclose(found[1::2], (logits[1::2] / 4).softmax(1), atol=0.02)


def test_calibration_error_is_weighted_by_the_number_of_examples_in_a_bin() -> None:
    # GIVEN three examples with confidence 0.8, two of them correct, and a misclassified example with confidence 0.6
    probabilities = torch.tensor([[0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 0])

    # WHEN / THEN
    expected = 3 / 4 * abs(2 / 3 - 0.8) + 1 / 4 * abs(0 - 0.6)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize(("correct", "error"), [(True, 0.0), (False, 1.0)])
def test_calibration_error_of_certain_predictions_is_0_if_correct_and_1_if_wrong(correct: bool, error: float) -> None:
    labels = torch.tensor([0, 1] if correct else [1, 0])
    assert expected_calibration_error(torch.eye(2), labels) == error
