"""Decode and resize images."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG")


class ImageError(Exception):
    """The content is not a readable PNG or JPEG, or has too many pixels."""


def decode(content: bytes) -> Image.Image:
    """Decode a PNG or JPEG as RGB. The image's size is checked before the pixels are decoded.

    Raises
    ------
    ImageError
        If the content cannot be decoded, or the image has too many pixels.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{image.width} x {image.height} pixels exceed the limit of {MAX_PIXELS} pixels")
        return _eight_bits(image).convert("RGB")
    except UnidentifiedImageError:  # Pillow's message contains only the address of an object
        raise ImageError("not a PNG or JPEG") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow raises a dozen types of exception for broken images
        raise ImageError(f"not a readable PNG or JPEG: {error}") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Reduce 16-bit values to their upper 8 bits, because Pillow would clip the values at 255.

    AWS's algorithm decodes with OpenCV, which converts 16 bits to 8:
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
