"""Random changes of images, for networks that see few."""

from dataclasses import dataclass, fields

import torch
from resizing import resize
from torch import Tensor
from torch.nn import functional

PADDING = 4  # pixels by which an image is enlarged on each side before a part of it is taken
JITTER = 0.2  # share by which brightness, contrast and saturation change at most
SHIFT = 1 / 16  # share of the side by which an image is shifted at most
ZOOM = 0.1  # logarithm of the scale, at most


@dataclass(frozen=True)
class Draws:
    """What chance decides for each of n images, from 0 to 1.

    Attributes
    ----------
    mirrored : n
    places : n x 2, where the part lies that is taken, or whither the image is shifted
    scales : n
    colours : n x 3, of brightness, contrast and saturation
    covers : n x 3, area and place of what another image covers
    """

    mirrored: Tensor
    places: Tensor
    scales: Tensor
    colours: Tensor
    covers: Tensor

    def __getitem__(self, rows: slice) -> "Draws":
        """Those of some images."""
        return Draws(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw(count: int, generator: torch.Generator) -> Draws:
    """Draw for `count` images: the same generator gives the same, whoever computes on them."""
    return Draws(*(torch.rand(count, *shape, generator=generator) for shape in ((), (2,), (), (3,), (3,))))


def mirror(images: Tensor, draws: Draws) -> Tensor:
    """Mirror half of the images, n x height x width x 3."""
    return torch.where(draws.mirrored.to(images.device).view(-1, 1, 1, 1) < 0.5, images.flip(2), images)


def move(images: Tensor, draws: Draws, side: int) -> Tensor:
    """Mirror, shift and scale images, n x height x width x 3, and resize them to n x side x side x 3, all at once.

    Returns
    -------
    float, from 0 to 255
        What lies beyond an image's edge is its mirror image.
    """
    mirrored = mirror(images, draws).permute(0, 3, 1, 2).float()
    if min(mirrored.shape[2:]) > side:  # the grid takes single pixels, and smooths nothing
        mirrored = resize(mirrored, side)
    scales = ((2 * draws.scales - 1) * ZOOM).exp()
    shifts = (2 * draws.places - 1) * 2 * SHIFT  # of coordinates from -1 to 1
    changes = torch.cat([torch.diag_embed(scales[:, None].expand(-1, 2)), shifts[:, :, None]], 2).to(images.device)
    grid = functional.affine_grid(changes, [len(images), 3, side, side], align_corners=False)
    moved = functional.grid_sample(mirrored, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return moved.clamp(0, 255).permute(0, 2, 3, 1)


def disturb(images: Tensor, draws: Draws, side: int) -> Tensor:
    """Mirror and recolour uint8 images, n x size x size x 3, and take a part of each, n x side x side x 3."""
    parts = take(mirror(images, draws), draws.places, side).float()
    return recolour(parts, draws.colours.to(images.device)).to(torch.uint8)


def take(images: Tensor, places: Tensor, side: int) -> Tensor:
    """A part of each image, which is enlarged by its mirror image first."""
    padded = functional.pad(images.permute(0, 3, 1, 2).float(), (PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    corners = (places * (padded.shape[1] - side + 1)).long().tolist()
    parts = zip(padded, corners, strict=True)
    return torch.stack([each[top : top + side, left : left + side] for each, (top, left) in parts])


def recolour(images: Tensor, colours: Tensor) -> Tensor:
    """Change each image's brightness, then contrast, then saturation."""
    brightness, contrast, saturation = (1 + JITTER * (2 * colours - 1)).view(-1, 3, 1, 1, 1).unbind(1)
    bright = images * brightness
    mean = bright.mean((1, 2, 3), keepdim=True)
    contrasted = mean + (bright - mean) * contrast
    grey = contrasted.mean(3, keepdim=True)
    return (grey + (contrasted - grey) * saturation).clamp(0, 255)


def cover(images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Cover a part of each image by the same part of the next one, and mix their targets by what is seen of each.

    Source: Yun et al., "CutMix", 2019, https://arxiv.org/abs/1905.04899

    Parameters
    ----------
    images : n x side x side x 3
    targets : n x classes, shares of the classes
    """
    side = images.shape[1]
    area, *place = draws.covers.to(images.device).unbind(1)
    length = (side * area.sqrt()).long()
    pixels = torch.arange(side, device=images.device)
    within = []
    for share in place:
        start = (share * (side - length + 1)).long()
        within.append((pixels >= start[:, None]) & (pixels < (start + length)[:, None]))
    covered = within[0][:, :, None, None] & within[1][:, None, :, None]
    kept = 1 - (length / side)[:, None] ** 2
    return torch.where(covered, images.roll(1, 0), images), kept * targets + (1 - kept) * targets.roll(1, 0)
