"""Images brought to another size inside a network, so that its graph brings it along."""

import torch
from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, side: int) -> Tensor:
    """Resize images, n x channels x height x width, bicubically to n x channels x side x side."""
    height, width = int(images.shape[2]), int(images.shape[3])
    if (height, width) == (side, side):
        return images
    resized: Tensor = resizing(height, side).to(images.device) @ images @ resizing(width, side).to(images.device).T
    return resized


def resizing(before: int, after: int) -> Tensor:
    """The matrix, after x before, that resizes a line of pixels.

    Resizing is linear, so what it does to the identity is its matrix; ONNX Runtime multiplies by it a hundred times
    faster than it resizes. What shrinks is smoothed first, so that no pixel goes uncounted.
    """
    identity = torch.eye(before)[None, None]
    shape = (after, before)
    return functional.interpolate(identity, size=shape, mode="bicubic", align_corners=False, antialias=after < before)[
        0, 0
    ]
