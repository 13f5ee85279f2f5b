"""Resizing as one multiplication."""

import pytest
import torch
from resizing import resize
from torch.nn import functional


@pytest.fixture
def images() -> torch.Tensor:
    """Noise: 2 images of 24 x 40."""
    return torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(1))


def test_it_enlarges_as_pytorch_does(images: torch.Tensor) -> None:
    expected = functional.interpolate(images, size=(96, 96), mode="bicubic", align_corners=False)
    assert torch.allclose(resize(images, 96), expected, atol=1e-5)


def test_what_shrinks_is_smoothed_first(images: torch.Tensor) -> None:
    # GIVEN
    expected = functional.interpolate(images, size=(16, 16), mode="bicubic", align_corners=False, antialias=True)

    # WHEN / THEN
    assert torch.allclose(resize(images, 16), expected, atol=1e-5)
    stripes = (torch.arange(96) % 2).float().expand(1, 3, 96, 96)
    assert torch.allclose(resize(stripes, 32)[..., 4:-4], torch.full((24,), 0.5), atol=0.06)


def test_an_image_of_the_size_is_left_as_it_is() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert resize(image, 8) is image
