"""Resize images inside a network, so that the exported ONNX graph contains the resizing."""

import torch
from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, side: int) -> Tensor:
    """Resize images, n x channels x height x width, bicubically to n x channels x side x side."""
    height, width = int(images.shape[2]), int(images.shape[3])
    if (height, width) == (side, side):
        return images
    rows, columns = interpolation_matrix(height, side), interpolation_matrix(width, side)
    resized: Tensor = rows.to(images.device) @ images @ columns.to(images.device).T
    return resized


def interpolation_matrix(before: int, after: int) -> Tensor:
    """Return the matrix, after x before, that resizes a line of `before` pixels to `after` pixels.

    Resizing is linear, so the matrix is the resized identity matrix. A matrix is used because ONNX Runtime multiplies
    matrices a hundred times faster than it resizes images. Downscaling is antialiased.
    """
    identity = torch.eye(before)[None, None]
    resized = functional.interpolate(
        identity, size=(after, before), mode="bicubic", align_corners=False, antialias=after < before
    )
    return resized[0, 0]
