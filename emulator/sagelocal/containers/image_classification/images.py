"""Decoding and resizing of images."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG")


class ImageError(Exception):
    """The content is not a readable PNG or JPEG, or has too many pixels."""


def decode(content: bytes) -> Image.Image:
    """Decode a PNG or JPEG as RGB; its size is checked before its pixels are decoded.

    Raises
    ------
    ImageError
        If it cannot be decoded or is too large.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{image.width} x {image.height} pixels exceed the limit of {MAX_PIXELS} pixels")
        return _eight_bits(image).convert("RGB")
    except UnidentifiedImageError:  # its own message is the address of an object
        raise ImageError("not a PNG or JPEG") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow raises a dozen types of exception for broken images
        raise ImageError(f"not a readable PNG or JPEG: {error}") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with the upper 8 of 16 bits; Pillow would clip them at 255.

    The algorithm decodes with OpenCV, which converts 16 bits to 8:
    https://docs.opencv.org/4.x/d8/d6a/group__imgcodecs__flags.html
    """
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode.startswith("I") else image


def resize_shorter_side(image: Image.Image, side: int) -> Image.Image:
    """Resize an image so that its shorter side has `side` pixels, keeping its aspect ratio."""
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image's pixels, height x width x 3."""
    return np.asarray(image)
