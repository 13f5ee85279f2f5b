"""The shifts of simulated traffic change images as darkness, blur or another camera would."""

import io

import numpy as np
import pytest
from PIL import Image

from evaluation.shifts import SHIFTS, shift_image
from training.container.classifier.images import decode_image


def make_png(seed: int = 1) -> bytes:
    """Return a PNG file with blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(256, size=(8, 8, 3), dtype=np.uint8)
    with io.BytesIO() as stream:
        Image.fromarray(blocks.repeat(4, axis=0).repeat(4, axis=1)).save(stream, format="PNG")
        return stream.getvalue()


def read(body: bytes) -> np.ndarray:
    """Return the pixel values of a PNG file, shape (height, width, 3)."""
    return decode_image(body, ("PNG",), 32).astype(float)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_changes_an_image_reproducibly(shift: str) -> None:
    body = make_png()
    assert np.abs(read(shift_image(body, shift)) - read(body)).mean() > 5
    assert shift_image(body, shift) == shift_image(body, shift)


def test_night_is_darker_blur_has_softer_edges_and_camera_is_redder() -> None:
    # GIVEN
    original = read(make_png())
    night, blurred, camera = (read(shift_image(make_png(), shift)) for shift in ("night", "blur", "camera"))

    # THEN
    assert night.mean() < 0.5 * original.mean()
    assert np.abs(np.diff(blurred, axis=1)).max() < np.abs(np.diff(original, axis=1)).max()
    assert camera[..., 0].mean() - camera[..., 2].mean() > original[..., 0].mean() - original[..., 2].mean()
