"""Draw shapes in a pose: turned, scaled, mirrored and seen from the side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
CORNERS = 28  # of a polygon that passes for a circle at this size


class Pen:
    """Draws on a picture in a vehicle's own units: wheels stand about 1 apart, y points down.

    Parameters
    ----------
    picture
        What to draw on.
    matrix, origin
        A point of the vehicle lies at `matrix @ point + origin` of the picture, in pixels.
    """

    def __init__(self, picture: Image.Image, matrix: NDArray[np.float64], origin: NDArray[np.float64]) -> None:
        self._draw = ImageDraw.Draw(picture)
        self._matrix, self._origin = matrix, origin
        self._scale = float(np.sqrt(abs(np.linalg.det(matrix))))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A line through points; `width` in the vehicle's units."""
        self._line(self._place(points), width, colour)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._place(points), fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour, *, flat: float = 1.0) -> None:
        """A filled circle, or an ellipse `flat` times as high as wide."""
        self._draw.polygon(self._place(_circle(centre, radius, flat)), fill=colour)

    def ring(self, centre: Point, radius: float, width: float, colour: Colour) -> None:
        """A circle's line."""
        points = _circle(centre, radius, 1.0)
        self._line(self._place([*points, *points[:2]]), width, colour)

    def _line(self, placed: list[Point], width: float, colour: Colour) -> None:
        self._draw.line(placed, fill=colour, width=max(round(width * self._scale), 1), joint="curve")

    def _place(self, points: Sequence[Point]) -> list[Point]:
        placed = np.asarray(points) @ self._matrix.T + self._origin
        return [(x, y) for x, y in placed.tolist()]


def _circle(centre: Point, radius: float, flat: float) -> list[Point]:
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    x, y = centre[0] + radius * np.cos(angles), centre[1] + flat * radius * np.sin(angles)
    return list(zip(x.tolist(), y.tolist(), strict=True))
