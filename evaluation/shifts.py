"""Simulate changes of light, sharpness and camera in images."""

import hashlib
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Shift = Callable[[Pixels, np.random.Generator], Pixels]

NIGHT_EXPOSURE, NIGHT_NOISE = 0.4, 6.0  # factor of the brightness, and standard deviation of the noise in grey levels
BLUR_RADIUS = 1.0  # standard deviation of the Gaussian in pixels of the network's input
CAMERA_GAINS = (1.15, 1.0, 0.8)  # factors of red, green and blue, which make the white balance warmer
CAMERA_GAMMA = 0.8


def night(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Darken an image, and add sensor noise."""
    return to_pixels(image * NIGHT_EXPOSURE + rng.normal(0, NIGHT_NOISE, image.shape))


def blur(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur an image, like a dirty or badly focused lens."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(BLUR_RADIUS)))


def camera(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Change the white balance and the tone curve."""
    return to_pixels(255 * (image / 255) ** CAMERA_GAMMA * CAMERA_GAINS)


def to_pixels(values: NDArray[np.float64]) -> Pixels:
    """Return values as pixels from 0 to 255."""
    pixels: Pixels = np.clip(values, 0, 255).round().astype(np.uint8)
    return pixels


SHIFTS: dict[str, tuple[Shift, str]] = {
    "night": (night, f"{NIGHT_EXPOSURE:.0%} of the light, noise of {NIGHT_NOISE:g} grey levels"),
    "blur": (blur, f"Gaussian of {BLUR_RADIUS:g} pixel"),
    "camera": (camera, f"gains of {CAMERA_GAINS} for red, green and blue, gamma {CAMERA_GAMMA:g}"),
}


def shift_image(body: bytes, shift: str) -> bytes:
    """Return a shifted image as a PNG; the same image and shift give the same bytes.

    Parameters
    ----------
    body : PNG or JPEG
    shift : a key of `SHIFTS`
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(body).digest()[:8], "big"))
    with Image.open(io.BytesIO(body)) as image, io.BytesIO() as stream:
        Image.fromarray(SHIFTS[shift][0](np.asarray(image.convert("RGB")), rng)).save(stream, format="PNG")
        return stream.getvalue()
