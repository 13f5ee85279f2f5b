"""Images as a person sees them: decoded and encoded again, so that no uploaded bytes reach a browser or a viewer."""

import io

from PIL import Image

from evaluation.review.entries import Entry, EntryError, ReviewStore
from training.container.classifier.images import MAX_BYTES, ImageError, read_image

MAX_SIDE = 1280  # pixels
# Images of a few pixels are enlarged smoothly: a person does not recognise a vehicle in visible squares
MIN_SIDE = 512
QUALITY = 90


class PictureError(Exception):
    """An entry has no image that can be shown."""


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
