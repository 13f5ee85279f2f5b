"""Random augmentation is reproducible, stays within its limits, and mixes targets in proportion to the images."""

import math
from dataclasses import replace

import pytest
import torch

from training.container.classifier.augmentation import (
    SHIFT,
    ZOOM,
    RandomDraws,
    crop_and_jitter,
    cutmix,
    draw,
    mirror,
    warp,
)
from training.container.classifier.resizing import resize


@pytest.fixture
def images() -> torch.Tensor:
    """64 noise images of 32 x 32 pixels."""
    return torch.randint(256, (64, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_part_of_a_batch_is_augmented_as_within_the_whole_batch(images: torch.Tensor) -> None:
    # GIVEN the same random numbers twice
    draws = [draw(64, torch.Generator().manual_seed(4)) for _ in range(2)]

    # WHEN one process augments all images, and a second process only every second image
    part = slice(1, None, 2)
    whole, half = crop_and_jitter(images, draws[0], 24), crop_and_jitter(images[part], draws[1][part], 24)

    # THEN
    assert whole.shape == (64, 24, 24, 3)
    assert torch.equal(whole[part], half)


def test_about_half_of_the_images_are_mirrored(images: torch.Tensor) -> None:
    # WHEN
    mirrored = mirror(images, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    same = (mirrored == images).flatten(1).all(1)
    flipped = (mirrored == images.flip(2)).flatten(1).all(1)
    assert bool((same | flipped).all())
    assert 16 < int(flipped.sum()) < 48


def test_targets_of_mixed_images_are_the_shares_of_their_areas(images: torch.Tensor) -> None:
    # GIVEN black and white images in alternation
    images = torch.zeros_like(images)
    images[1::2] = 255
    targets = torch.eye(2)[torch.arange(64) % 2]

    # WHEN
    mixed, shares = cutmix(images, targets, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    white = (mixed == 255).float().mean((1, 2, 3))
    assert torch.allclose(shares[:, 1], white, atol=1e-5)
    assert torch.allclose(shares.sum(1), torch.ones(64))
    assert float(white.min()) > 0
    assert float(white.std()) > 0.1


def neutral_draws(count: int) -> RandomDraws:
    """Return random numbers of 0.5, with which `warp` neither mirrors nor shifts nor scales."""
    middle = torch.full((count,), 0.5)
    return RandomDraws(
        middle, middle[:, None].expand(-1, 2), middle, *(middle[:, None].expand(-1, 3) for _ in range(2))
    )


@pytest.mark.parametrize("side", [96, 12])
def test_neutral_warp_only_resizes(images: torch.Tensor, side: int) -> None:
    # WHEN
    warped = warp(images, neutral_draws(64), side)

    # THEN `warp` equals `resize` except at the edges, where `warp` reflects pixels and `resize` repeats the last pixel
    expected = resize(images.permute(0, 3, 1, 2).float(), side).clamp(0, 255).permute(0, 2, 3, 1)
    inner = slice(side // 12, -(side // 12))
    assert torch.allclose(warped[:, inner, inner], expected[:, inner, inner], atol=0.5)


@pytest.mark.parametrize(("position", "sign"), [(0.0, -1), (1.0, 1)])
def test_largest_shift_is_a_share_of_the_image_side(position: float, sign: int) -> None:
    # GIVEN a white column in the middle of a black image
    image = torch.zeros(1, 32, 32, 3)
    image[:, :, 16] = 255
    draws = replace(neutral_draws(1), positions=torch.tensor([[position, 0.5]]))

    # WHEN
    warped = warp(image, draws, 32)

    # THEN
    (column,) = torch.nonzero(warped[0, 16, :, 0] > 200)[0]
    assert int(column) == 16 - sign * SHIFT * 32


@pytest.mark.parametrize(("scale", "sign"), [(0.0, -1), (1.0, 1)])
def test_largest_scaling_changes_the_area_of_a_centred_square(scale: float, sign: int) -> None:
    # GIVEN a white square in the middle of a black image
    image = torch.zeros(1, 64, 64, 3)
    image[:, 16:48, 16:48] = 255
    draws = replace(neutral_draws(1), scales=torch.tensor([scale]))

    # WHEN
    white = float(warp(image, draws, 64).mean()) / 255

    # THEN
    assert white == pytest.approx(0.25 * math.exp(-2 * sign * ZOOM), rel=0.05)
