"""Prepare images for reviewers: decode and encode them again, so that no uploaded bytes reach a browser or a viewer."""

import io

from PIL import Image

from evaluation.review.entries import Entry, EntryError, ReviewStore
from training.container.classifier.images import MAX_BYTES, ImageError, read_image

MAX_SIDE = 1280  # longer images are reduced to this number of pixels
# Shorter images are enlarged smoothly to this number of pixels, because people do not recognise a vehicle in large
# square pixels
MIN_SIDE = 512
QUALITY = 90


class PictureError(Exception):
    """The image of an entry is missing, or is not an image that the model accepts."""


def read_picture(store: ReviewStore, entry: Entry) -> bytes:
    """Return the image of an entry as a new JPEG file.

    Raises
    ------
    PictureError
        The image is missing, or is not an image that the model accepts.
    """
    try:
        return encode(store.get(entry.image_key)["Body"].read(MAX_BYTES + 1))
    except (EntryError, ImageError) as error:
        raise PictureError(f"{entry.key}: {error}") from error


def encode(content: bytes) -> bytes:
    """Return an image as a new JPEG file whose longer side has MIN_SIDE to MAX_SIDE pixels.

    Raises
    ------
    ImageError
        The file is not an image that the model accepts.
    """
    image = read_image(content)
    side = max(image.size)
    scale = min(max(side, MIN_SIDE), MAX_SIDE) / side
    if scale != 1:
        width, height = (max(1, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    with io.BytesIO() as stream:
        image.save(stream, format="JPEG", quality=QUALITY)
        return stream.getvalue()
