"""Shifts of simulated traffic: the same images, as drivers would photograph them under other conditions.

A shift changes an image always in the same way, so that copies of a shifted image can be recognised.
"""

import hashlib
import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]  # height x width x 3

NIGHT_LIGHT, NIGHT_NOISE = 0.2, 6.0  # share of the light, and standard deviation of the sensor's noise in grey levels
BLUR_RADIUS = 1 / 20  # standard deviation of the Gaussian, as a share of the image's width
CAMERA_GAINS, CAMERA_CONTRAST = (1.2, 1.0, 0.7), 0.7  # of red, green and blue; contrast around medium grey


def night(pixels: Pixels) -> Pixels:
    """Return a dark and noisy image."""
    seed = int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:8], "big")
    noise = np.random.default_rng(seed).normal(0, NIGHT_NOISE, pixels.shape)
    return _rounded(pixels * NIGHT_LIGHT + noise)


def blur(pixels: Pixels) -> Pixels:
    """Return an image out of focus."""
    image = Image.fromarray(pixels)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(image.width * BLUR_RADIUS)))


def camera(pixels: Pixels) -> Pixels:
    """Return an image with another white balance and less contrast."""
    return _rounded((pixels * np.array(CAMERA_GAINS) - 128) * CAMERA_CONTRAST + 128)


SHIFTS: Mapping[str, Callable[[Pixels], Pixels]] = {"night": night, "blur": blur, "camera": camera}


def shift_image(body: bytes, shift: str) -> bytes:
    """Return a shifted image as a PNG.

    Parameters
    ----------
    body : PNG or JPEG
    shift : a key of `SHIFTS`
    """
    with Image.open(io.BytesIO(body)) as image, io.BytesIO() as stream:
        Image.fromarray(SHIFTS[shift](np.asarray(image.convert("RGB")))).save(stream, format="PNG")
        return stream.getvalue()


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
