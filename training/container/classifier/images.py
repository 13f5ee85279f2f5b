"""Decode an image file.

Training, serving and monitoring share this module, so a file gives a model the same pixels in training and in serving,
and monitoring can show every image that the endpoint accepted. Only this module decides whether a file is an image.
"""

import contextlib
import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG")  # Pillow's names
MAX_BYTES = 5 * 2**20
MAX_PIXELS = 4096 * 4096

# `read_image` refuses such an image. A filter that is set for each call is not safe in threads.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class ImageError(ValueError):
    """The file is not an image that can be classified."""


def decode_image(
    body: bytes, formats: tuple[str, ...], size: int, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode an image and resize it to the network's input.

    Parameters
    ----------
    size : side of the result in pixels; images of other sizes are resized bicubically

    Returns
    -------
    uint8, size x size x 3
        The pixels. See `read_image` for the other parameters and the errors.
    """
    image = read_image(body, formats, max_bytes=max_bytes, max_pixels=max_pixels)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def read_image(
    body: bytes, formats: tuple[str, ...] = FORMATS, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode an image, after checks of its length, format and number of pixels.

    Parameters
    ----------
    body : content of the file; bytes after the image are ignored, because cameras write them
    formats : allowed formats, by Pillow's names
    max_bytes, max_pixels : limits; the defaults are those of serving

    Returns
    -------
    Image
        RGB without transparency and metadata, rotated by the EXIF orientation. 16-bit greyscale keeps its upper 8 bits.
        An animation is its first frame.

    Raises
    ------
    ImageError
        The file is empty, too large, of another format, or cannot be decoded.
    """
    if not body:
        raise ImageError("the image is empty")
    if len(body) > max_bytes:
        raise ImageError(f"the image has {len(body)} bytes; at most {max_bytes} are allowed")
    try:
        return _decode(body, formats, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # Pillow raises a dozen types for broken images, IndexError among them
        reason = str(error).partition("<_io")[0].strip()
        raise ImageError(f"the image cannot be decoded as {' or '.join(formats)}: {reason}") from error


def _decode(body: bytes, formats: tuple[str, ...], max_pixels: int) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(body), formats=formats)
    # the header is checked before any pixel is decompressed
    if image.width * image.height > max_pixels:
        raise ImageError(f"the image has {image.width} x {image.height} pixels; at most {max_pixels} are allowed")
    image.load()
    with contextlib.suppress(Exception):  # damaged EXIF data does not make the pixels invalid
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow would clip 16 bits at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.info = {}  # a transparent colour or a colour profile would be kept, though it may not fit RGB pixels
    return image.convert("RGB")
