"""Random image augmentation for small training sets."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from .resizing import resize

PADDING = 4  # pixels of reflected border before a random crop
JITTER = 0.2  # largest relative change of brightness, contrast and saturation
SHIFT = 1 / 16  # largest shift, as a share of the side
ZOOM = 0.1  # largest absolute natural logarithm of the scale


@dataclass(frozen=True)
class RandomDraws:
    """Random numbers from 0 to 1 that determine how n images are augmented.

    Attributes
    ----------
    mirrored : n numbers; an image whose number is below 0.5 is mirrored
    positions : top and left edge of the crop in `random_crop`, or horizontal and vertical shift in `warp`, n x 2
    scales : n numbers that determine the scale in `warp`
    colors : changes of brightness, contrast and saturation, n x 3
    covers : area and position of the square that `cutmix` replaces, n x 3
    """

    mirrored: Tensor
    positions: Tensor
    scales: Tensor
    colors: Tensor
    covers: Tensor

    def __getitem__(self, images: slice) -> "RandomDraws":
        """Return the random numbers of the selected images."""
        return RandomDraws(*(getattr(self, field.name)[images] for field in fields(self)))


def draw(count: int, generator: torch.Generator) -> RandomDraws:
    """Return random numbers for `count` images; generators in the same state give the same numbers on every host."""
    return RandomDraws(*(torch.rand(count, *shape, generator=generator) for shape in ((), (2,), (), (3,), (3,))))


def mirror(images: Tensor, draws: RandomDraws) -> Tensor:
    """Mirror each image with probability 0.5; images are n x height x width x 3."""
    return torch.where(draws.mirrored.to(images.device).view(-1, 1, 1, 1) < 0.5, images.flip(2), images)


def warp(images: Tensor, draws: RandomDraws, side: int) -> Tensor:
    """Mirror, shift and scale images, n x height x width x 3, and resize them to n x side x side x 3.

    The area beyond an image's edge is filled by reflection.

    Returns
    -------
    float, n x side x side x 3
        The images, with values from 0 to 255.
    """
    mirrored = mirror(images, draws).permute(0, 3, 1, 2).float()
    if min(mirrored.shape[2:]) > side:  # grid_sample does not antialias
        mirrored = resize(mirrored, side)
    scales = ((2 * draws.scales - 1) * ZOOM).exp()
    shifts = (2 * draws.positions - 1) * 2 * SHIFT  # grid coordinates run from -1 to 1
    affine = torch.cat([torch.diag_embed(scales[:, None].expand(-1, 2)), shifts[:, :, None]], 2).to(images.device)
    grid = functional.affine_grid(affine, [len(images), 3, side, side], align_corners=False)
    warped = functional.grid_sample(mirrored, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return warped.clamp(0, 255).permute(0, 2, 3, 1)


def crop_and_jitter(images: Tensor, draws: RandomDraws, side: int) -> Tensor:
    """Mirror uint8 images, n x size x size x 3, crop them to n x side x side x 3, and jitter their colors."""
    crops = random_crop(mirror(images, draws), draws.positions, side).float()
    return jitter_colors(crops, draws.colors.to(images.device)).to(torch.uint8)


def random_crop(images: Tensor, positions: Tensor, side: int) -> Tensor:
    """Pad images by reflection, and crop each image at its position to side x side pixels."""
    padded = functional.pad(images.permute(0, 3, 1, 2).float(), (PADDING,) * 4, mode="reflect").permute(0, 2, 3, 1)
    corners = (positions * (padded.shape[1] - side + 1)).long().tolist()
    pairs = zip(padded, corners, strict=True)
    return torch.stack([image[top : top + side, left : left + side] for image, (top, left) in pairs])


def jitter_colors(images: Tensor, colors: Tensor) -> Tensor:
    """Change each image's brightness, then its contrast, then its saturation."""
    brightness, contrast, saturation = (1 + JITTER * (2 * colors - 1)).view(-1, 3, 1, 1, 1).unbind(1)
    bright = images * brightness
    mean = bright.mean((1, 2, 3), keepdim=True)
    contrasted = mean + (bright - mean) * contrast
    grey = contrasted.mean(3, keepdim=True)
    return (grey + (contrasted - grey) * saturation).clamp(0, 255)


def cutmix(images: Tensor, targets: Tensor, draws: RandomDraws) -> tuple[Tensor, Tensor]:
    """Replace a square of each image with that of the previous image, and mix their targets in proportion to the area.

    Source: Yun et al., "CutMix", 2019, https://arxiv.org/abs/1905.04899

    Parameters
    ----------
    images : n x side x side x 3
    targets : target probabilities, n x classes
    """
    side = images.shape[1]
    area, *position = draws.covers.to(images.device).unbind(1)
    length = (side * area.sqrt()).long()
    pixels = torch.arange(side, device=images.device)
    inside = []
    for share in position:
        start = (share * (side - length + 1)).long()
        inside.append((pixels >= start[:, None]) & (pixels < (start + length)[:, None]))
    covered = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    kept = 1 - (length / side)[:, None] ** 2
    return torch.where(covered, images.roll(1, 0), images), kept * targets + (1 - kept) * targets.roll(1, 0)
