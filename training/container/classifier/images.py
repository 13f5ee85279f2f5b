"""Decode an image file into a network's input.

Training and serving share this module, so that a served model sees the pixels that it was trained on.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

MAX_BYTES = 5 * 2**20
MAX_PIXELS = 4096 * 4096


class ImageError(ValueError):
    """The file is not an image that can be classified."""


def decode_image(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """Decode an image and resize it, after checks of its length, format and number of pixels.

    Parameters
    ----------
    body : content of the file
    formats : allowed formats, by Pillow's names
    size : side of the result in pixels; images of other sizes are resized bicubically

    Returns
    -------
    uint8, size x size x 3
        RGB, rotated by the EXIF orientation. 16-bit greyscale keeps its upper 8 bits.

    Raises
    ------
    ImageError
        The file is empty, too large, of another format, or cannot be decoded.
    """
    if not body:
        raise ImageError("the image is empty")
    if len(body) > MAX_BYTES:
        raise ImageError(f"the image has {len(body)} bytes; at most {MAX_BYTES} are allowed")
    try:
        return _decode(body, formats, size)
    except ImageError:
        raise
    except Exception as error:  # Pillow raises a dozen types for broken images, IndexError among them
        reason = str(error).partition("<_io")[0].strip()
        raise ImageError(f"the image cannot be decoded as {' or '.join(formats)}: {reason}") from error


def _decode(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(body), formats=formats)
    # the header is checked before any pixel is decompressed
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"the image has {image.width} x {image.height} pixels; at most {MAX_PIXELS} are allowed")
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # Pillow would clip 16 bits at 255
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    rgb = upright.convert("RGB")
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb)
