"""Encoded images become pixels, if they are what they should be."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG")


class ImageError(Exception):
    """The bytes are no PNG or JPEG that can be read, or it has too many pixels."""


def decode(content: bytes) -> Image.Image:
    """A PNG or JPEG in color. Its size is looked at before its pixels are.

    Raises
    ------
    ImageError
        As its name says.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{image.width} x {image.height} pixels, and {MAX_PIXELS} are allowed")
        return image.convert("RGB")
    except UnidentifiedImageError:  # its own text names an object of this process
        raise ImageError("no PNG or JPEG") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow fails on a broken image as any of a dozen types
        raise ImageError(f"no PNG or JPEG that can be read: {error}") from error


def shorten(image: Image.Image, side: int) -> Image.Image:
    """The image enlarged or reduced so that its shorter side has `side` pixels."""
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    """height x width x 3."""
    return np.asarray(image)
