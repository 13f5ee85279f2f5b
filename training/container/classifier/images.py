"""Decode an image file.

Training, serving and monitoring share this module, so a model receives the same pixels of a file in training and in
serving, and monitoring can show every image that the endpoint accepted. Only this module decides whether a file is an
image.
"""

import contextlib
import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG")  # Pillow's names of the formats
MAX_BYTES = 5 * 2**20
MAX_PIXELS = 4096 * 4096

# Pillow's warning about very large images is not needed, because `read_image` rejects them. The filter is set once,
# because changing warning filters during a call is not thread-safe.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class ImageError(ValueError):
    """The file is not an image that can be classified."""


def decode_image(
    body: bytes, formats: tuple[str, ...], size: int, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode an image and resize it to the network's input. `read_image` describes the other parameters and the errors.

    Parameters
    ----------
    size : side of the result in pixels; an image of another size is resized bicubically

    Returns
    -------
    uint8, size x size x 3
        The pixels in RGB order.
    """
    image = read_image(body, formats, max_bytes=max_bytes, max_pixels=max_pixels)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def read_image(
    body: bytes, formats: tuple[str, ...] = FORMATS, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Check the length, format and number of pixels of an image file, and decode it.

    Parameters
    ----------
    body : content of the image file; bytes after the end of the image, which some cameras write, are ignored
    formats : Pillow's names of the allowed formats
    max_bytes, max_pixels : largest allowed file size and number of pixels; the endpoint uses the defaults

    Returns
    -------
    Image
        The image in RGB, without transparency and metadata, rotated as its EXIF orientation says. Of 16-bit greyscale,
        only the upper 8 bits are kept. Of an animation, only the first frame is returned.

    Raises
    ------
    ImageError
        The file is empty or too large, its format is not allowed, or it cannot be decoded.
    """
    if not body:
        raise ImageError("the image is empty")
    if len(body) > max_bytes:
        raise ImageError(f"the image has {len(body)} bytes; at most {max_bytes} are allowed")
    try:
        return _decode(body, formats, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # for broken images, Pillow raises a dozen types, such as IndexError
        reason = str(error).partition("<_io")[0].strip()
        raise ImageError(f"the image cannot be decoded as {' or '.join(formats)}: {reason}") from error


def _decode(body: bytes, formats: tuple[str, ...], max_pixels: int) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(body), formats=formats)
    # only the header has been read: check the size before `load` decompresses the pixels
    if image.width * image.height > max_pixels:
        raise ImageError(f"the image has {image.width} x {image.height} pixels; at most {max_pixels} are allowed")
    image.load()
    with contextlib.suppress(Exception):  # damaged EXIF data does not make the pixels invalid
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # Pillow would clip 16-bit values at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.info = {}  # `convert` would keep a transparent colour or a colour profile, which may not be valid for RGB
    return image.convert("RGB")
