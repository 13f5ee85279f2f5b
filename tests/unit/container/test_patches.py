"""The patch classifier: the invariance of its features, and the correctness of its ridge regression."""

import pytest
import torch
from torch import nn

from training.container.classifier.calibration import CANDIDATES, fit_temperature
from training.container.classifier.patches import (
    PatchClassifier,
    PatchSimilarity,
    preprocess,
    ridge,
    solve_ridge,
)


def generator(seed: int = 1) -> torch.Generator:
    """Return a random number generator with a fixed seed."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    """40 noise images of 40 x 48 pixels, in turn with a vertical and a horizontal bar."""
    noise = torch.randint(100, (40, 40, 48, 3), dtype=torch.uint8, generator=generator())
    noise[0::2, :, 20:26] += 150
    noise[1::2, 18:24] += 150
    return noise


@pytest.fixture
def labels() -> torch.Tensor:
    """Labels of the images: 1 for a horizontal bar, 0 for a vertical one."""
    return torch.arange(40) % 2


@pytest.fixture
def fitted(images: torch.Tensor, labels: torch.Tensor) -> PatchClassifier:
    """A classifier that is fitted to the images with bars."""
    classifier = PatchClassifier(2)
    classifier.fit(images, labels, generator())
    return classifier


def test_mirrored_image_has_the_same_logits(fitted: PatchClassifier, images: torch.Tensor) -> None:
    assert torch.allclose(fitted(images.flip(2)), fitted(images), atol=1e-3)


def test_brighter_image_has_the_same_logits(fitted: PatchClassifier, images: torch.Tensor) -> None:
    # GIVEN images that can be brightened without clipping
    dark = images // 2

    # WHEN / THEN
    assert torch.allclose(fitted(dark + 100), fitted(dark), atol=1e-3)


def test_images_outside_the_training_set_are_classified_correctly(fitted: PatchClassifier) -> None:
    # GIVEN 10 new images with a vertical bar, and 10 with a horizontal one
    others = torch.randint(100, (20, 40, 48, 3), dtype=torch.uint8, generator=generator(7))
    others[:10, :, 20:26] += 150
    others[10:, 18:24] += 150

    # WHEN
    predicted = fitted(others).argmax(1)

    # THEN
    assert int((predicted == torch.arange(20) // 10).sum()) >= 18


def test_same_generator_gives_the_same_classifier(
    fitted: PatchClassifier, images: torch.Tensor, labels: torch.Tensor
) -> None:
    # WHEN a second classifier is fitted with a generator in the same state
    again = PatchClassifier(2)
    again.fit(images, labels, generator())

    # THEN
    assert all(torch.equal(one, other) for one, other in zip(fitted.parameters(), again.parameters(), strict=True))


def test_leave_one_out_predictions_equal_refitting(labels: torch.Tensor) -> None:
    # GIVEN random features, and a penalty of 3
    features = torch.randn(40, 7, generator=generator(), dtype=torch.float64)
    features -= features.mean(0)
    targets = nn.functional.one_hot(labels, 2).double()
    targets -= targets.mean(0)

    # WHEN
    _, predictions = solve_ridge(features @ features.T, targets, 3.0)

    # THEN the prediction of each example equals that of a regression that is fitted without the example
    for index in range(40):
        others = torch.arange(40) != index
        mean, prior = features[others].mean(0), targets[others].mean(0)
        centred = features[others] - mean
        system = centred.T @ centred + 3.0 * torch.eye(7)
        solution = torch.linalg.solve(system, centred.T @ (targets[others] - prior))
        assert torch.allclose(predictions[index], (features[index] - mean) @ solution + prior)


def test_ridge_shrinks_random_targets_more_than_linear_targets(labels: torch.Tensor) -> None:
    # GIVEN targets that are linear functions of the features, and random targets
    features = torch.randn(40, 7, generator=generator())
    features -= features.mean(0)
    linear = features[:, :2] - features[:, :2].mean(0)
    random = torch.randn(40, 2, generator=generator(2))
    random -= random.mean(0)
    products = features @ features.T

    # WHEN
    (exact, _), (shrunk, _) = ridge(products, linear), ridge(products, random)

    # THEN the linear targets are fitted closely, and the random targets less closely than with a small penalty
    assert torch.allclose(products @ exact, linear, atol=0.05)
    overfitted, _ = solve_ridge(products, random, 0.01)
    assert float((products @ shrunk).norm()) < 0.8 * float((products @ overfitted).norm())


def test_regression_scores_of_many_classes_can_be_calibrated() -> None:
    # GIVEN regression scores of 100 classes, where even the score of the correct class is small
    labels = torch.arange(1000) % 100
    scores = torch.randn(1000, 100, generator=generator()) * 0.03 + nn.functional.one_hot(labels, 100) * 0.15

    # WHEN
    temperature = fit_temperature(scores, labels)

    # THEN the range of candidates contains the optimum
    assert CANDIDATES[0] < temperature < 0.1


def test_images_without_contrast_give_finite_logits() -> None:
    # GIVEN images of one grey
    blank = torch.full((8, 32, 32, 3), 90, dtype=torch.uint8)
    classifier = PatchClassifier(3)

    # WHEN
    classifier.fit(blank, torch.arange(8) % 3, generator())

    # THEN
    assert bool(classifier(blank).isfinite().all())


@pytest.mark.parametrize("size", [4, 6, 8])
def test_similarity_depends_on_the_pixel_in_every_corner(size: int, images: torch.Tensor) -> None:
    # GIVEN
    similarity = PatchSimilarity(size)
    similarity.sample_patches(preprocess(images), generator())
    flat = torch.full((1, 3, 32, 32), 0.5)
    noise = torch.rand(3, generator=generator())

    # WHEN the pixel in one corner changes
    features = []
    for row, column in ((0, 0), (0, 31), (31, 0), (31, 31)):
        marked = flat.clone()
        marked[0, :, row, column] = noise
        features.append(similarity(marked))

    # THEN
    assert all(float((each - similarity(flat)).abs().max()) > 0.01 for each in features)


def test_logits_are_zero_before_fitting(images: torch.Tensor) -> None:
    assert not PatchClassifier(2)(images).any()
