"""Random changes keep what they say they keep."""

import math
from dataclasses import replace

import pytest
import torch
from augment import SHIFT, ZOOM, Draws, cover, disturb, draw, mirror, move
from resizing import resize


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
    mixed, shares = cover(images, targets, draw(64, torch.Generator().manual_seed(4)))

    # THEN
    white = (mixed == 255).float().mean((1, 2, 3))
    assert torch.allclose(shares[:, 1], white, atol=1e-5)
    assert torch.allclose(shares.sum(1), torch.ones(64))
    assert float(white.min()) > 0
    assert float(white.std()) > 0.1


def unmoved(count: int) -> Draws:
    """Draws that change nothing: in the middle of all that can be drawn, and not mirrored."""
    middle = torch.full((count,), 0.5)
    return Draws(middle, middle[:, None].expand(-1, 2), middle, *(middle[:, None].expand(-1, 3) for _ in range(2)))


@pytest.mark.parametrize("side", [96, 12])
def test_an_image_that_is_not_moved_is_resized_alone(images: torch.Tensor, side: int) -> None:
    # WHEN
    moved = move(images, unmoved(64), side)

    # THEN away from the edges, beyond which one sees its mirror image and the other its last pixels
    expected = resize(images.permute(0, 3, 1, 2).float(), side).clamp(0, 255).permute(0, 2, 3, 1)
    inner = slice(side // 12, -(side // 12))
    assert torch.allclose(moved[:, inner, inner], expected[:, inner, inner], atol=0.5)


@pytest.mark.parametrize(("place", "pixels"), [(0.0, -1), (1.0, 1)])
def test_an_image_is_shifted_by_a_share_of_its_side_at_most(place: float, pixels: int) -> None:
    # GIVEN a white column
    image = torch.zeros(1, 32, 32, 3)
    image[:, :, 16] = 255
    draws = replace(unmoved(1), places=torch.tensor([[place, 0.5]]))

    # WHEN
    moved = move(image, draws, 32)

    # THEN the image looks from where it is shifted to
    (column,) = torch.nonzero(moved[0, 16, :, 0] > 200)[0]
    assert int(column) == 16 - pixels * SHIFT * 32


@pytest.mark.parametrize(("scale", "sign"), [(0.0, -1), (1.0, 1)])
def test_an_image_is_scaled_about_its_middle(scale: float, sign: int) -> None:
    # GIVEN a white square
    image = torch.zeros(1, 64, 64, 3)
    image[:, 16:48, 16:48] = 255
    draws = replace(unmoved(1), scales=torch.tensor([scale]))

    # WHEN
    share = float(move(image, draws, 64).mean()) / 255

    # THEN
    assert share == pytest.approx(0.25 * math.exp(-2 * sign * ZOOM), rel=0.05)
