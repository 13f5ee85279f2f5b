"""Statistics of an image's light, sharpness and colour, which change when the camera or the scene changes."""

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green and blue: ITU-R BT.601
FLOOR = 1e-4  # added to the Laplacian's variance, because an image of one colour has the variance 0
NAMES = ("brightness", "contrast", "sharpness", "colourfulness", "red_green", "yellow_blue")


def image_statistics(image: NDArray[np.uint8]) -> dict[str, float]:
    """Return a dictionary with the statistics of an image.

    - brightness : mean of the luma, from 0 to 1
    - contrast : standard deviation of the luma
    - sharpness : decimal logarithm of the variance of the luma's Laplacian, which is small for a blurred image. Source:
      Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", 2000
    - colourfulness : spread and mean of the opponent colours. Source: Hasler and Süsstrunk, "Measuring
      colourfulness in natural images", 2003
    - red_green, yellow_blue : means of the two opponent colours from which colourfulness is computed

    Parameters
    ----------
    image : pixels, height x width x 3; at least 3 pixels high and wide
    """
    pixels = image.astype(np.float64) / 255
    luma = pixels @ LUMA
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    red, green, blue = np.moveaxis(pixels, 2, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    values = (
        luma.mean(),
        luma.std(),
        np.log10(laplacian.var() + FLOOR),
        spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()),
        red_green.mean(),
        yellow_blue.mean(),
    )
    return dict(zip(NAMES, map(float, values), strict=True))
