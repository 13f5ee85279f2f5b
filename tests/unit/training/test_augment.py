"""Random changes keep what they say they keep."""

import pytest
import torch
from augment import disturb, draw, mirror, patch


@pytest.fixture
def images() -> torch.Tensor:
    """Noise: 64 images of 32 x 32."""
    return torch.randint(256, (64, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_the_same_generator_draws_the_same_whoever_computes_on_a_part(images: torch.Tensor) -> None:
    # GIVEN
    draws = [draw(64, torch.Generator().manual_seed(4)) for _ in range(2)]

    # WHEN one changes all, and another every second alone
    part = slice(1, None, 2)
    whole, half = disturb(images, draws[0], 24), disturb(images[part], draws[1][part], 24)

    # THEN
    assert whole.shape == (64, 24, 24, 3)
    assert torch.equal(whole[part], half)


def test_half_of_the_images_are_mirrored_and_none_is_lost(images: torch.Tensor) -> None:
    # WHEN
    changed = mirror(images, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    same = (changed == images).flatten(1).all(1)
    flipped = (changed == images.flip(2)).flatten(1).all(1)
    assert bool((same | flipped).all())
    assert 16 < int(flipped.sum()) < 48


def test_a_target_has_the_share_of_each_image_that_is_seen(images: torch.Tensor) -> None:
    # GIVEN black and white images in turn
    images = torch.zeros_like(images)
    images[1::2] = 255
    targets = torch.eye(2)[torch.arange(64) % 2]

    # WHEN
    mixed, shares = patch(images, targets, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    white = (mixed == 255).float().mean((1, 2, 3))
    assert torch.allclose(shares[:, 1], white, atol=1e-5)
    assert torch.allclose(shares.sum(1), torch.ones(64))
    assert float(white.min()) > 0
    assert float(white.std()) > 0.1
