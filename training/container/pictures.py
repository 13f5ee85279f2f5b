"""From an image file to a network's input: the one way in training and in serving.

This module travels with the model, so that what is served sees what was trained on.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

MAX_BYTES = 5 * 2**20
MAX_PIXELS = 4096 * 4096


class ImageError(ValueError):
    """These bytes are no image that can be classified."""


def picture(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """Decode an image, once its length, form and number of pixels are allowed, and bring it to the network's size.

    Parameters
    ----------
    body : content of the file
    formats : that are allowed, as Pillow names them
    size : pixels of the result's side; an image of another size or shape is resized bicubically

    Returns
    -------
    uint8, size x size x 3
        Red, green and blue, turned as a camera's orientation (EXIF) says; of 16 bits of grey the upper 8.

    Raises
    ------
    ImageError
        It is empty, too large, of another form, or cannot be decoded.
    """
    if not body:
        raise ImageError("the image is empty")
    if len(body) > MAX_BYTES:
        raise ImageError(f"the image has {len(body)} bytes, and {MAX_BYTES} are allowed")
    try:
        return _decode(body, formats, size)
    except ImageError:
        raise
    except Exception as error:  # Pillow fails on a broken image as any of a dozen types, IndexError among them
        reason = str(error).partition("<_io")[0].strip()
        raise ImageError(f"this is no {' or '.join(formats)} that can be decoded: {reason}") from error


def _decode(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(body), formats=formats)
    # counted before they are unpacked
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"the image has {image.width} x {image.height} pixels, and {MAX_PIXELS} are allowed")
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        turned = Image.fromarray((np.asarray(turned) >> 8).astype(np.uint8))
    colours = turned.convert("RGB")
    if colours.size != (size, size):
        colours = colours.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(colours)
