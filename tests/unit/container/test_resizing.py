"""Resizing by matrix multiplication agrees with PyTorch's interpolation."""

import pytest
import torch
from torch.nn import functional

from training.container.classifier.resizing import resize


@pytest.fixture
def images() -> torch.Tensor:
    """Two noise images of 24 x 40 pixels."""
    return torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(1))


def test_upscaling_equals_pytorchs_bicubic_interpolation(images: torch.Tensor) -> None:
    expected = functional.interpolate(images, size=(96, 96), mode="bicubic", align_corners=False)
    assert torch.allclose(resize(images, 96), expected, atol=1e-5)


def test_downscaling_equals_pytorchs_antialiased_interpolation(images: torch.Tensor) -> None:
    # GIVEN
    expected = functional.interpolate(images, size=(16, 16), mode="bicubic", align_corners=False, antialias=True)

    # WHEN / THEN
    assert torch.allclose(resize(images, 16), expected, atol=1e-5)
    # AND stripes of one pixel become an even grey
    stripes = (torch.arange(96) % 2).float().expand(1, 3, 96, 96)
    assert torch.allclose(resize(stripes, 32)[..., 4:-4], torch.full((24,), 0.5), atol=0.06)


def test_image_of_the_right_size_is_returned_unchanged() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert resize(image, 8) is image
