"""Crop images into a batch, and apply the random transformations of the hyperparameter `augmentation_type`."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# The largest random changes
HUE = 36 / 180  # fraction of the color circle: AWS documents 36, and OpenCV's hues go up to 180
LIGHTNESS = SATURATION = 50 / 255  # on a scale from 0 to 1
ROTATION = math.radians(10)
SHEAR = 0.1
ASPECT = 0.25  # relative change of the aspect ratio


def crop_center(images: list[NDArray[np.uint8]], size: tuple[int, int]) -> Tensor:
    """Return the center crop of each image: uint8, n x 3 x height x width.

    Parameters
    ----------
    images : uint8, each height x width x 3
    size : height and width of the crops in pixels; no image may be smaller
    """
    return _crop(images, size, torch.full((len(images), 2), 0.5))


def crop_randomly(images: list[NDArray[np.uint8]], size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return a random crop of each image, mirrored with probability 0.5: uint8, n x 3 x height x width."""
    crops = _crop(images, size, torch.rand(len(images), 2, generator=generator))
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, crops.flip(3), crops)


def shift_colors(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image's hue, saturation and lightness at random; `batch` and result are float32 from 0 to 255."""
    draws = torch.rand(3, len(batch), 1, 1, generator=generator) * 2 - 1
    hue, lightness, saturation = to_hls(batch / 255)
    shifted = from_hls(
        (hue + draws[0] * HUE) % 1,
        (lightness + draws[1] * LIGHTNESS).clamp(0, 1),
        (saturation + draws[2] * SATURATION).clamp(0, 1),
    )
    return shifted * 255


def transform_geometry(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate, shear and stretch each image of a float32 batch at random; border pixels fill the empty corners."""
    angle, shear, aspect = torch.rand(3, len(batch), generator=generator) * 2 - 1
    cosine, sine = torch.cos(angle * ROTATION), torch.sin(angle * ROTATION)
    stretch = 1 + aspect * ASPECT
    zero = torch.zeros_like(angle)
    first_row = torch.stack((cosine * stretch, -sine + shear * SHEAR, zero), dim=1)
    second_row = torch.stack((sine * stretch, cosine, zero), dim=1)
    matrices = torch.stack((first_row, second_row), dim=1)
    grid = functional.affine_grid(matrices, list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def to_hls(batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Convert RGB, n x 3 x height x width, to hue, lightness and saturation, n x height x width; all from 0 to 1."""
    red, green, blue = batch.unbind(1)
    high, low = batch.amax(1), batch.amin(1)
    spread = (high - low).clamp_min(1e-6)
    hue_in_sixths = torch.where(
        high == red,
        (green - blue) / spread,
        torch.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    lightness = (high + low) / 2
    saturation = (high - low) / (1 - (2 * lightness - 1).abs()).clamp_min(1e-6)
    return (hue_in_sixths / 6) % 1, lightness, saturation


def from_hls(hue: Tensor, lightness: Tensor, saturation: Tensor) -> Tensor:
    """Convert hue, lightness and saturation to RGB, n x 3 x height x width: the inverse of `to_hls`."""
    amplitude = saturation * torch.minimum(lightness, 1 - lightness)

    def channel(offset: int) -> Tensor:
        position = (offset + hue * 12) % 12
        return lightness - amplitude * torch.minimum(position - 3, 9 - position).clamp(-1, 1)

    return torch.stack([channel(offset) for offset in (0, 8, 4)], dim=1)


def _crop(images: list[NDArray[np.uint8]], size: tuple[int, int], positions: Tensor) -> Tensor:
    """Crop image i at `positions[i]`: (0, 0) is the top left corner, (1, 1) the bottom right corner."""
    height, width = size
    crops = []
    for image, (vertical, horizontal) in zip(images, positions.tolist(), strict=True):
        top = round(vertical * (image.shape[0] - height))
        left = round(horizontal * (image.shape[1] - width))
        crops.append(image[top : top + height, left : left + width])
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
