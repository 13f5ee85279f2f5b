"""Random changes of images that leave their class as it is."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

PADDING = 4  # pixels by which an image is shifted at most
CUTOUT = 8  # pixels of the side of what is covered
JITTER = 0.2  # share by which brightness, contrast and saturation change at most


@dataclass(frozen=True)
class Draws:
    """What chance decides for each of n images.

    Attributes
    ----------
    mirrored : bool, n
    shifts : n x 2, from 0 to twice PADDING
    holes : n x 2, from 0 to 1: where the covered part lies
    colours : n x 3, factors of brightness, contrast and saturation
    """

    mirrored: Tensor
    shifts: Tensor
    holes: Tensor
    colours: Tensor

    def __getitem__(self, rows: slice) -> "Draws":
        """Those of some images."""
        return Draws(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw(count: int, generator: torch.Generator) -> Draws:
    """Draw for `count` images: the same generator gives the same, whoever computes on them."""
    return Draws(
        mirrored=torch.rand(count, generator=generator) < 0.5,
        shifts=torch.randint(2 * PADDING + 1, (count, 2), generator=generator),
        holes=torch.rand(count, 2, generator=generator),
        colours=1 + JITTER * (2 * torch.rand(count, 3, generator=generator) - 1),
    )


def mirror(images: Tensor, draws: Draws) -> Tensor:
    """Mirror half of the images, n x height x width x 3."""
    return torch.where(draws.mirrored.to(images.device).view(-1, 1, 1, 1), images.flip(2), images)


def disturb(images: Tensor, draws: Draws) -> Tensor:
    """Mirror, shift, recolour and cover a part of uint8 images, n x height x width x 3; for a network that knows
    nothing yet.
    """
    shifted = recolour(shift(mirror(images, draws), draws.shifts).float(), draws.colours.to(images.device))
    height, width = images.shape[1:3]
    room = torch.tensor([max(height - CUTOUT, 0), max(width - CUTOUT, 0)])
    for each, (top, left) in zip(shifted, (draws.holes * (room + 1)).long().tolist(), strict=True):
        each[top : top + CUTOUT, left : left + CUTOUT] = 127
    return shifted.to(torch.uint8)


def shift(images: Tensor, shifts: Tensor) -> Tensor:
    """Move each image by what is drawn; what comes in is its mirror image."""
    height, width = images.shape[1:3]
    padded = functional.pad(images.permute(0, 3, 1, 2).float(), (PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    parts = zip(padded, shifts.tolist(), strict=True)
    return torch.stack([each[top : top + height, left : left + width] for each, (top, left) in parts])


def recolour(images: Tensor, colours: Tensor) -> Tensor:
    """Change each image's brightness, then contrast, then saturation."""
    brightness, contrast, saturation = colours.view(-1, 3, 1, 1, 1).unbind(1)
    bright = images * brightness
    mean = bright.mean((1, 2, 3), keepdim=True)
    contrasted = mean + (bright - mean) * contrast
    grey = contrasted.mean(3, keepdim=True)
    return (grey + (contrasted - grey) * saturation).clamp(0, 255)
