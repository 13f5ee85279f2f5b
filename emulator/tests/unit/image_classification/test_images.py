"""Decoding of image files."""

import io

import numpy as np
from PIL import Image

from sagelocal.containers.image_classification.images import decode


def test_16_bit_greyscale_keeps_its_upper_bits() -> None:
    # GIVEN a 16-bit image with 1024 shades of grey
    shades = (np.arange(32 * 32, dtype=np.uint16) * 64).reshape(32, 32)
    stream = io.BytesIO()
    Image.fromarray(shades).save(stream, "PNG")
    # WHEN
    found = np.asarray(decode(stream.getvalue()))
    # THEN
    assert np.array_equal(found, np.repeat((shades // 256)[:, :, None], 3, axis=2))
