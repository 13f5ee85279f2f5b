"""Draw a scene: background, clutter, a vehicle, objects in front of it, light and noise."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from staging.synthetic.pen import Pen
from staging.synthetic.vehicles import VEHICLES, any_colour

SIDE = 32  # width and height of an image in pixels
CANVAS_SIDE = 160  # the canvas is larger than an image and scaled down, so that edges are as soft as in a photograph

# Colours of the background: sky, haze, asphalt, concrete, grass, leaves, sand, brick, earth, whitewash
TONES = (
    (135, 180, 225),
    (205, 212, 220),
    (85, 87, 92),
    (160, 158, 152),
    (105, 150, 70),
    (50, 85, 45),
    (205, 180, 135),
    (160, 90, 70),
    (115, 85, 60),
    (235, 230, 220),
)


def draw_vehicle(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one image of a vehicle.

    Parameters
    ----------
    kind : name of the vehicle, a key of `VEHICLES`
    rng : random generator for all variations of the image

    Returns
    -------
    NDArray
        RGB values, uint8 of shape (32, 32, 3).
    """
    image = _background(rng)
    for _ in range(int(rng.poisson(1.5))):
        _clutter(ImageDraw.Draw(image), rng)
    VEHICLES[kind](_posed(image, rng), rng)
    if rng.random() < 0.15:
        _clutter(ImageDraw.Draw(image), rng, largest=0.25)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(1, 3)))
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return _exposed(np.asarray(small, dtype=np.float64), rng)


def _posed(image: Image.Image, rng: np.random.Generator) -> Pen:
    """Return a pen that draws with a random position, scale, rotation, shear and direction."""
    angle = rng.normal(0, 0.12)
    scale = rng.uniform(0.38, 0.54) * CANVAS_SIDE
    depth = rng.uniform(0.65, 1.0) * rng.choice([-1, 1])
    shear = np.array([[depth, 0.0], [rng.normal(0, 0.12), 1.0]])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = CANVAS_SIDE / 2 + rng.normal(0, 0.06, 2) * CANVAS_SIDE
    return Pen(image, scale * rotation @ shear, centre)


def _background(rng: np.random.Generator) -> Image.Image:
    """Return a plain studio background (in a third of the images), or two gradients that meet at a horizon."""
    rows = np.linspace(0, 1, CANVAS_SIDE)[:, None, None]
    if rng.random() < 0.33:
        shade = np.full(3, rng.uniform(200, 255)) + rng.normal(0, 6, 3)
        colours = shade - rows * rng.uniform(0, 40)
    else:
        horizon = rng.uniform(0.2, 0.85)
        above = _surface_colour(rng) + (rows - horizon) * rng.normal(0, 60)
        below = _surface_colour(rng) + (rows - horizon) * rng.normal(0, 60)
        colours = np.where(rows < horizon, above, below)
    across = np.linspace(-1, 1, CANVAS_SIDE)[None, :, None] * rng.normal(0, 15)
    return Image.fromarray(np.clip(colours + across, 0, 255).astype(np.uint8))


def _surface_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the colour of a sky, wall, road or meadow with random brightness."""
    tone = np.asarray(TONES[rng.integers(len(TONES))], dtype=np.float64)
    lit: NDArray[np.float64] = (tone * 0.7 + tone.mean() * 0.3) * rng.uniform(0.5, 1.2)
    return lit + rng.normal(0, 8, 3)


def _clutter(draw: ImageDraw.ImageDraw, rng: np.random.Generator, *, largest: float = 0.6) -> None:
    """Draw a post, wire, box or bush at a random position."""
    x, y = rng.uniform(0, CANVAS_SIDE, 2).tolist()
    wide, high = (rng.uniform(0.05, largest, 2) * CANVAS_SIDE).tolist()
    colour = any_colour(rng)
    shape = rng.choice(["post", "wire", "box", "bush"])
    if shape == "post":
        draw.line([(x, 0), (x + rng.normal(0, 8), y)], fill=colour, width=int(rng.integers(2, 12)))
    elif shape == "wire":
        draw.line([(0, y), (CANVAS_SIDE, y + rng.normal(0, 30))], fill=colour, width=int(rng.integers(1, 6)))
    elif shape == "box":
        draw.rectangle((x, y, x + wide, y + high), fill=colour)
    else:
        draw.ellipse((x, y, x + wide, y + high), fill=colour)


def _exposed(image: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image with random contrast, brightness, colour cast and sensor noise."""
    mean = image.mean()
    lit = (image - mean) * rng.uniform(0.75, 1.25) + mean + rng.normal(0, 15)
    cast = 1 + rng.normal(0, 0.06, 3)
    noise = rng.normal(0, rng.uniform(1, 8), image.shape)
    exposed: NDArray[np.uint8] = np.clip(lit * cast + noise, 0, 255).round().astype(np.uint8)
    return exposed
