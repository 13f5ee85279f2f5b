"""Likeness to patches: what an image's features do not depend on, and what the linear layer owes to algebra."""

import pytest
import torch
from calibrate import CANDIDATES, temperature
from patches import Bank, Patches, ridge, small, solve
from torch import nn


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    """40 images of 40 x 48 pixels: noise, every second one with a bar upright, the others with one that lies."""
    noise = torch.randint(100, (40, 40, 48, 3), dtype=torch.uint8, generator=generator())
    noise[0::2, :, 20:26] += 150
    noise[1::2, 18:24] += 150
    return noise


@pytest.fixture
def labels() -> torch.Tensor:
    """Whether an image's bar lies."""
    return torch.arange(40) % 2


@pytest.fixture
def learned(images: torch.Tensor, labels: torch.Tensor) -> Patches:
    """Patches that learned those images."""
    patches = Patches(2)
    patches.learn(images, labels, generator())
    return patches


def test_a_mirrored_image_has_the_same_logits(learned: Patches, images: torch.Tensor) -> None:
    assert torch.allclose(learned(images.flip(2)), learned(images), atol=1e-3)


def test_how_bright_an_image_is_does_not_count(learned: Patches, images: torch.Tensor) -> None:
    # GIVEN images that leave room
    dark = images // 2

    # WHEN / THEN
    assert torch.allclose(learned(dark + 100), learned(dark), atol=1e-3)


def test_images_that_were_not_learned_from_are_told(learned: Patches) -> None:
    # GIVEN others
    others = torch.randint(100, (20, 40, 48, 3), dtype=torch.uint8, generator=generator(7))
    others[:10, :, 20:26] += 150
    others[10:, 18:24] += 150

    # WHEN
    told = learned(others).argmax(1)

    # THEN
    assert int((told == torch.arange(20) // 10).sum()) >= 18


def test_the_same_generator_gives_the_same(learned: Patches, images: torch.Tensor, labels: torch.Tensor) -> None:
    # WHEN
    again = Patches(2)
    again.learn(images, labels, generator())

    # THEN
    assert all(torch.equal(one, other) for one, other in zip(learned.parameters(), again.parameters(), strict=True))


def test_a_row_is_told_as_the_others_would(labels: torch.Tensor) -> None:
    # GIVEN features, and a penalty
    features = torch.randn(40, 7, generator=generator(), dtype=torch.float64)
    features -= features.mean(0)
    targets = nn.functional.one_hot(labels, 2).double()
    targets -= targets.mean(0)

    # WHEN
    _, told = solve(features @ features.T, targets, 3.0)

    # THEN it is what regression without the row says, for each
    for row in range(40):
        others = torch.arange(40) != row
        mean, share = features[others].mean(0), targets[others].mean(0)
        centred = features[others] - mean
        system = centred.T @ centred + 3.0 * torch.eye(7)
        solution = torch.linalg.solve(system, centred.T @ (targets[others] - share))
        assert torch.allclose(told[row], (features[row] - mean) @ solution + share)


def test_the_more_the_features_say_the_smaller_the_penalty(labels: torch.Tensor) -> None:
    # GIVEN targets that features give, and targets that chance gives
    features = torch.randn(40, 7, generator=generator())
    features -= features.mean(0)
    given = features[:, :2] - features[:, :2].mean(0)
    chance = torch.randn(40, 2, generator=generator(2))
    chance -= chance.mean(0)
    products = features @ features.T

    # WHEN
    (near, _), (far, _) = ridge(products, given), ridge(products, chance)

    # THEN what chance gives is believed less than with a small penalty
    assert torch.allclose(products @ near, given, atol=0.05)
    believed, _ = solve(products, chance, 0.01)
    assert float((products @ far).norm()) < 0.8 * float((products @ believed).norm())


def test_the_others_shares_of_many_classes_become_probabilities() -> None:
    # GIVEN what regression tells of 100 classes: shares, of which a row's own is the largest and small
    labels = torch.arange(1000) % 100
    told = torch.randn(1000, 100, generator=generator()) * 0.03 + nn.functional.one_hot(labels, 100) * 0.15

    # WHEN
    divisor = temperature(told, labels)

    # THEN it is the likeliest, not the end of a range
    assert CANDIDATES[0] < divisor < 0.1


def test_images_without_any_contrast_give_numbers() -> None:
    # GIVEN
    blank = torch.full((8, 32, 32, 3), 90, dtype=torch.uint8)
    patches = Patches(3)

    # WHEN
    patches.learn(blank, torch.arange(8) % 3, generator())

    # THEN
    assert bool(patches(blank).isfinite().all())


@pytest.mark.parametrize("size", [4, 6, 8])
def test_a_bank_looks_at_all_of_an_image(size: int, images: torch.Tensor) -> None:
    # GIVEN
    bank = Bank(size)
    bank.draw(small(images), generator())
    flat = torch.full((1, 3, 32, 32), 0.5)
    noise = torch.rand(3, generator=generator())

    # WHEN a pixel changes in any corner
    features = []
    for row, column in ((0, 0), (0, 31), (31, 0), (31, 31)):
        marked = flat.clone()
        marked[0, :, row, column] = noise
        features.append(bank(marked))

    # THEN
    assert all(float((each - bank(flat)).abs().max()) > 0.01 for each in features)


def test_nothing_is_told_before_it_is_learned(images: torch.Tensor) -> None:
    assert not Patches(2)(images).any()
