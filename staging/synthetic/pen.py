"""Draw shapes in a vehicle's own coordinates: scaled, rotated, mirrored and sheared."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
CORNERS = 28  # corners of the polygon that approximates a circle


class Pen:
    """Draws on an image in a vehicle's own units: its wheels are about 1 unit apart, and y points down.

    Parameters
    ----------
    image : the image to draw on
    matrix, origin : 2 x 2 matrix and vector; a point of the vehicle is drawn at pixel `matrix @ point + origin`
    """

    def __init__(self, image: Image.Image, matrix: NDArray[np.float64], origin: NDArray[np.float64]) -> None:
        self._draw = ImageDraw.Draw(image)
        self._matrix, self._origin = matrix, origin
        self._scale = float(np.sqrt(abs(np.linalg.det(matrix))))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line through points; `width` is in the vehicle's units."""
        self._line(self._to_pixels(points), width, colour)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Draw a filled polygon."""
        self._draw.polygon(self._to_pixels(points), fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a filled circle."""
        self._draw.polygon(self._to_pixels(_circle(centre, radius)), fill=colour)

    def ring(self, centre: Point, radius: float, width: float, colour: Colour) -> None:
        """Draw the outline of a circle."""
        points = _circle(centre, radius)
        self._line(self._to_pixels([*points, *points[:2]]), width, colour)

    def _line(self, pixels: list[Point], width: float, colour: Colour) -> None:
        self._draw.line(pixels, fill=colour, width=max(round(width * self._scale), 1), joint="curve")

    def _to_pixels(self, points: Sequence[Point]) -> list[Point]:
        pixels = np.asarray(points) @ self._matrix.T + self._origin
        return [(x, y) for x, y in pixels.tolist()]


def _circle(centre: Point, radius: float) -> list[Point]:
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    x, y = centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)
    return list(zip(x.tolist(), y.tolist(), strict=True))
