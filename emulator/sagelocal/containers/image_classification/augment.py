"""Batches of images of one size, and what `augmentation_type` does to them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

HUE = 36 / 180  # of a turn; AWS's range is on OpenCV's scale of 180
LIGHTNESS = SATURATION = 50 / 255
ROTATION = math.radians(10)
SHEAR = 0.1
ASPECT = 0.25


def central(images: list[NDArray[np.uint8]], size: tuple[int, int]) -> Tensor:
    """The middle of each image: uint8, n x 3 x height x width.

    Parameters
    ----------
    size : height and width, which no image is smaller than
    """
    return _cut(images, size, torch.full((len(images), 2), 0.5))


def cropped(images: list[NDArray[np.uint8]], size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Any part of each image, mirrored or not: uint8, n x 3 x height x width."""
    parts = _cut(images, size, torch.rand(len(images), 2, generator=generator))
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, parts.flip(3), parts)


def colored(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Each image's hue, saturation and lightness shifted; float32 from 0 to 255."""
    draws = torch.rand(3, len(batch), 1, 1, generator=generator) * 2 - 1
    hue, lightness, saturation = to_hls(batch / 255)
    shifted = from_hls(
        (hue + draws[0] * HUE) % 1,
        (lightness + draws[1] * LIGHTNESS).clamp(0, 1),
        (saturation + draws[2] * SATURATION).clamp(0, 1),
    )
    return shifted * 255


def transformed(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned, sheared and stretched; the float32 of its border goes on outside it."""
    angle, shear, aspect = torch.rand(3, len(batch), generator=generator) * 2 - 1
    cosine, sine = torch.cos(angle * ROTATION), torch.sin(angle * ROTATION)
    stretch = 1 + aspect * ASPECT
    zero = torch.zeros_like(angle)
    across = torch.stack((cosine * stretch, -sine + shear * SHEAR, zero), dim=1)
    down = torch.stack((sine * stretch, cosine, zero), dim=1)
    grid = functional.affine_grid(torch.stack((across, down), dim=1), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def to_hls(batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, lightness and saturation, n x height x width, all from 0 to 1, as red, green and blue are in `batch`."""
    red, green, blue = batch.unbind(1)
    high, low = batch.amax(1), batch.amin(1)
    spread = (high - low).clamp_min(1e-6)
    sixths = torch.where(
        high == red,
        (green - blue) / spread,
        torch.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    lightness = (high + low) / 2
    saturation = (high - low) / (1 - (2 * lightness - 1).abs()).clamp_min(1e-6)
    return (sixths / 6) % 1, lightness, saturation


def from_hls(hue: Tensor, lightness: Tensor, saturation: Tensor) -> Tensor:
    """The inverse of `to_hls`: n x 3 x height x width."""
    amplitude = saturation * torch.minimum(lightness, 1 - lightness)

    def channel(offset: int) -> Tensor:
        place = (offset + hue * 12) % 12
        return lightness - amplitude * torch.minimum(place - 3, 9 - place).clamp(-1, 1)

    return torch.stack([channel(offset) for offset in (0, 8, 4)], dim=1)


def _cut(images: list[NDArray[np.uint8]], size: tuple[int, int], places: Tensor) -> Tensor:
    """A part of each image; `places`, n x 2, says where from 0 (top, left) to 1 (bottom, right)."""
    height, width = size
    parts = []
    for image, (down, across) in zip(images, places.tolist(), strict=True):
        top = round(down * (image.shape[0] - height))
        left = round(across * (image.shape[1] - width))
        parts.append(image[top : top + height, left : left + width])
    return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2)
