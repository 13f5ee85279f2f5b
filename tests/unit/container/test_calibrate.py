"""Probabilities: brought back where a factor took them away, and never sure of everything."""

import pytest
import torch
from calibrate import CANDIDATES, cross_fitted, expected_calibration_error, temperature
from torch import Tensor


def drawn(rows: int, classes: int) -> tuple[Tensor, Tensor]:
    """Honest logits, and labels as likely as they say."""
    generator = torch.Generator().manual_seed(rows + classes)
    logits = 2 * torch.randn(rows, classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_logits_that_were_scaled_are_scaled_back(classes: int, factor: float) -> None:
    # GIVEN
    logits, labels = drawn(20_000, classes)

    # WHEN / THEN
    assert temperature(logits * factor, labels) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("margin", [1.0, 3.0, 20.0])
def test_rows_that_are_all_right_do_not_make_the_model_certain(classes: int, margin: float) -> None:
    # GIVEN 100 rows, each right by the same margin
    labels = torch.arange(100) % classes
    logits = margin * torch.nn.functional.one_hot(labels).float()

    # WHEN
    found = temperature(logits, labels)

    # THEN the confidence is what so many rows allow: 101 of 102
    assert CANDIDATES[0] < found < CANDIDATES[-1]
    assert float((logits / found).softmax(1).max()) == pytest.approx(101 / 102, abs=1e-3)


def test_each_half_is_calibrated_by_the_other() -> None:
    # GIVEN even rows that are too sure by four, and odd ones that are honest
    logits, labels = drawn(20_000, 2)
    logits[::2] *= 4

    # WHEN
    found = cross_fitted(logits, labels)

    # THEN the even rows are taken as they are, the odd ones divided by four
    assert torch.allclose(found[::2], logits[::2].softmax(1), atol=0.02)
    assert torch.allclose(found[1::2], (logits[1::2] / 4).softmax(1), atol=0.02)


def test_the_calibration_error_is_the_mean_distance_weighted_by_rows() -> None:
    # GIVEN of 15 bins two: three rows of confidence 0.8 of which two are right, one of 0.6 that is wrong
    probabilities = torch.tensor([[0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 0])

    # WHEN / THEN
    expected = 3 / 4 * abs(2 / 3 - 0.8) + 1 / 4 * abs(0 - 0.6)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize(("right", "error"), [(True, 0.0), (False, 1.0)])
def test_certainty_is_worth_what_it_comes_to(right: bool, error: float) -> None:
    labels = torch.tensor([0, 1] if right else [1, 0])
    assert expected_calibration_error(torch.eye(2), labels) == error
