"""Draw vehicles as simple side views with random variations."""

import colorsys
from collections.abc import Callable

import numpy as np

from staging.synthetic.pen import Colour, Pen, Point

BLACK: Colour = (18, 18, 20)


def bicycle(pen: Pen, rng: np.random.Generator) -> None:
    """Draw thin spoked wheels, a diamond frame, handlebar and saddle; sometimes a basket, mudguards or a rider."""
    radius, base = rng.uniform(0.3, 0.4), rng.uniform(0.5, 0.6)
    tyre, tube = rng.uniform(0.025, 0.06), rng.uniform(0.03, 0.06)
    paint, metal = any_colour(rng), grey(rng, 90, 220)
    rear, front, bottom = (-base, 0.35), (base, 0.35), (-0.08 + jitter(rng), 0.36)
    saddle, head = (-0.24 + jitter(rng), -0.14 + jitter(rng)), (0.36 + jitter(rng), -0.2 + jitter(rng))
    for hub in (rear, front):
        _spoked_wheel(pen, rng, hub, radius, tyre, metal)
    if rng.random() < 0.25:
        _mudguards(pen, (rear, front), radius + tyre, 0.05, any_colour(rng))
    step_through = rng.random() < 0.25
    top = (head[0] - 0.03, head[1] + (0.24 if step_through else 0.02))
    for tube_points in ([rear, bottom], [bottom, saddle], [saddle, rear], [bottom, top]):
        pen.line(tube_points, tube, paint)
    pen.line([(bottom[0] * 0.6, 0.1) if step_through else saddle, head], tube, paint)
    pen.line([head, (head[0] + 0.04, 0.0), front], tube, paint if rng.random() < 0.6 else metal)
    pen.disc(bottom, rng.uniform(0.06, 0.1), metal)
    pen.line([(bottom[0] - 0.1, bottom[1] + 0.1), (bottom[0] + 0.1, bottom[1] - 0.1)], 0.03, BLACK)
    pen.line([saddle, (saddle[0] - 0.03, saddle[1] - 0.14)], 0.04, metal)
    pen.line([(saddle[0] - 0.17, saddle[1] - 0.16), (saddle[0] + 0.1, saddle[1] - 0.16)], 0.07, grey(rng, 10, 80))
    _handlebar(pen, rng, head)
    if rng.random() < 0.2:
        x, y = (front[0] - 0.1, -0.2) if rng.random() < 0.6 else (rear[0], -0.1)
        pen.polygon(
            [(x - 0.14, y - 0.15), (x + 0.18, y - 0.15), (x + 0.15, y + 0.1), (x - 0.1, y + 0.1)],
            any_colour(rng),
        )
    if rng.random() < 0.15:
        _rider(pen, rng, (saddle[0], saddle[1] - 0.18), (head[0], head[1] - 0.18), bottom)


def motorcycle(pen: Pen, rng: np.random.Generator) -> None:
    """Draw thick wheels, engine, tank, seat and exhaust; sometimes thin wheels, a fairing or a rider."""
    light = rng.random() < 0.2  # a moped or dirt bike, which resembles a bicycle
    radius, base = rng.uniform(0.26, 0.36), rng.uniform(0.5, 0.62)
    tyre = rng.uniform(0.06, 0.1) if light else rng.uniform(0.09, 0.15)
    paint, metal = any_colour(rng), grey(rng, 90, 220)
    rear, front = (-base, 0.36), (base, 0.36)
    head, seat = (0.33 + jitter(rng), -0.2 + jitter(rng)), (-0.3 + jitter(rng), -0.06 + jitter(rng))
    for hub in (rear, front):
        _solid_wheel(pen, rng, hub, radius, tyre, metal, spoked=light or rng.random() < 0.3)
    pen.line([head, (head[0] + 0.08, 0.05), front], 0.06, metal)
    pen.line([rear, (-0.1, 0.2), head], 0.07, grey(rng, 20, 120))
    pen.line([rear, seat], 0.05, metal)
    _engine(pen, rng, 0.65 if light else 1.0)
    _tank_and_seat(pen, rng, head, seat, paint, 0.7 if light else 1.0)
    if rng.random() < 0.7:
        _mudguards(pen, (rear, front), radius + tyre * 0.6, 0.07, paint)
    exhaust = rng.uniform(0.3, 0.48)
    pen.line([(0.1, 0.3), (0.0, exhaust), (rear[0] + jitter(rng), exhaust - 0.06)], rng.uniform(0.05, 0.1), metal)
    _handlebar(pen, rng, head)
    pen.disc((head[0] + 0.12, head[1] - 0.02), rng.uniform(0.06, 0.09), (230, 225, 190))
    if not light and rng.random() < 0.3:
        _fairing(pen, rng, head, paint)
    if rng.random() < 0.15:
        _rider(pen, rng, (seat[0], seat[1] - 0.06), (head[0], head[1] - 0.14), (0.0, 0.32))


def bus(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a long box with a row of windows."""
    roof, floor, end = rng.uniform(-0.5, -0.3), 0.32, rng.uniform(0.85, 1.0)
    paint, glass = any_colour(rng), grey(rng, 30, 110)
    _box(pen, (-end, roof), (end, floor), paint)
    _box(pen, (-end, 0.12), (end, 0.2), any_colour(rng))
    edges = np.linspace(-end + 0.06, end - 0.05, int(rng.integers(5, 9)))
    for left, right in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        _box(pen, (left, roof + 0.1), (right - 0.04, 0.02), glass)
    _road_wheels(pen, (-0.6, 0.6), 0.15)


def pickup_truck(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a bonnet, a cab and an open bed."""
    paint, glass, roof = any_colour(rng), grey(rng, 30, 110), rng.uniform(-0.32, -0.2)
    _box(pen, (-0.95, 0.02), (0.95, 0.32), paint)
    pen.polygon([(-0.15, 0.04), (-0.1, roof), (0.3, roof), (0.48, 0.04)], paint)
    pen.polygon([(-0.06, 0.0), (-0.03, roof + 0.06), (0.26, roof + 0.06), (0.38, 0.0)], glass)
    pen.line([(0.1, roof), (0.12, 0.3)], 0.04, paint)
    _box(pen, (0.88, 0.1), (0.95, 0.18), (240, 235, 200))
    _road_wheels(pen, (-0.58, 0.6), rng.uniform(0.17, 0.23))


def tractor(pen: Pen, rng: np.random.Generator) -> None:
    """Draw a large rear wheel, a small front wheel, a cab and an exhaust pipe."""
    paint, radius = any_colour(rng), rng.uniform(0.36, 0.46)
    _box(pen, (-0.3, -0.12), (0.72, 0.22), paint)
    if rng.random() < 0.7:
        _box(pen, (-0.5, -0.62), (0.08, -0.1), grey(rng, 60, 160))
        _box(pen, (-0.55, -0.68), (0.12, -0.6), paint)
    pen.line([(0.45, -0.12), (0.45, -0.45)], 0.06, BLACK)
    for hub, size in (((-0.35, 0.5 - radius + 0.1), radius), ((0.55, 0.38), 0.22)):
        pen.disc(hub, size, grey(rng, 10, 50))
        pen.disc(hub, size * 0.55, any_colour(rng))


VEHICLES: dict[str, Callable[[Pen, np.random.Generator], None]] = {
    "bicycle": bicycle,
    "bus": bus,
    "motorcycle": motorcycle,
    "pickup_truck": pickup_truck,
    "tractor": tractor,
}


def any_colour(rng: np.random.Generator) -> Colour:
    """Return a random colour of any hue and saturation."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.0, 0.95), rng.uniform(0.15, 0.95))
    return round(red * 255), round(green * 255), round(blue * 255)


def grey(rng: np.random.Generator, low: int, high: int) -> Colour:
    """Return a random grey, for metal and rubber."""
    value = int(rng.integers(low, high))
    return value, value, min(value + 6, 255)


def jitter(rng: np.random.Generator) -> float:
    """Return a small random offset in the vehicle's units."""
    return float(rng.normal(0, 0.03))


def _box(pen: Pen, corner: Point, opposite: Point, colour: Colour) -> None:
    (left, top), (right, bottom) = corner, opposite
    pen.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)


def _road_wheels(pen: Pen, positions: tuple[float, float], radius: float) -> None:
    for x in positions:
        pen.disc((x, 0.33), radius, BLACK)
        pen.disc((x, 0.33), radius * 0.5, (150, 150, 155))


def _spoked_wheel(pen: Pen, rng: np.random.Generator, hub: Point, radius: float, tyre: float, metal: Colour) -> None:
    turn, spokes = rng.uniform(0, np.pi), int(rng.integers(4, 8))
    for angle in (turn + np.arange(spokes) * np.pi / spokes).tolist():
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        pen.line([(hub[0] - x, hub[1] - y), (hub[0] + x, hub[1] + y)], 0.008, metal)
    pen.ring(hub, radius, tyre, grey(rng, 10, 70))
    pen.disc(hub, 0.04, metal)


def _solid_wheel(
    pen: Pen, rng: np.random.Generator, hub: Point, radius: float, tyre: float, metal: Colour, *, spoked: bool
) -> None:
    if spoked:
        _spoked_wheel(pen, rng, hub, radius, tyre, metal)
    else:
        pen.disc(hub, radius, grey(rng, 40, 130))
        pen.ring(hub, radius, tyre, grey(rng, 10, 60))
    pen.disc(hub, radius * rng.uniform(0.25, 0.45), metal)


def _mudguards(pen: Pen, hubs: tuple[Point, Point], radius: float, width: float, colour: Colour) -> None:
    for x, y in hubs:
        angles = np.linspace(np.pi * 1.05, np.pi * 1.8, 8).tolist()
        pen.line([(x + radius * np.cos(angle), y + radius * np.sin(angle)) for angle in angles], width, colour)


def _handlebar(pen: Pen, rng: np.random.Generator, head: Point) -> None:
    top, colour = (head[0] - 0.05, head[1] - rng.uniform(0.1, 0.22)), grey(rng, 20, 160)
    pen.line([head, top], 0.045, colour)
    if rng.random() < 0.4:  # drop handlebar, otherwise swept back
        pen.line([top, (top[0] + 0.16, top[1]), (top[0] + 0.18, top[1] + 0.1)], 0.045, colour)
    else:
        pen.line([(top[0] + 0.05, top[1]), (top[0] - rng.uniform(0.1, 0.2), top[1] - 0.03)], 0.05, colour)


def _engine(pen: Pen, rng: np.random.Generator, size: float) -> None:
    block, fins = grey(rng, 40, 150), grey(rng, 120, 220)
    x, y, half = jitter(rng), 0.2, 0.26 * size
    pen.polygon([(x - half, y - half), (x + half, y - half), (x + half * 0.9, y + half), (x - half, y + half)], block)
    for shift in (-0.6, -0.2, 0.2):
        pen.line([(x - half, y + shift * half), (x + half, y + shift * half)], 0.02, fins)
    pen.disc((x - half * 0.3, y + half * 0.6), half * 0.55, fins)


def _tank_and_seat(pen: Pen, rng: np.random.Generator, head: Point, seat: Point, paint: Colour, size: float) -> None:
    x, y = head[0], head[1] + 0.02
    deep = 0.22 * size
    pen.polygon([(x, y), (x - 0.1, y - deep * 0.5), (x - 0.32, y), (x - 0.36, y + deep), (x - 0.03, y + deep)], paint)
    rise = rng.uniform(0.0, 0.12)
    pen.polygon(
        [
            (x - 0.3, y + deep * 0.6),
            (seat[0] - 0.25, seat[1] - rise),
            (seat[0] - 0.3, seat[1] + 0.06),
            (x - 0.36, seat[1] + 0.14),
        ],
        grey(rng, 10, 80),
    )


def _fairing(pen: Pen, rng: np.random.Generator, head: Point, paint: Colour) -> None:
    x, y = head
    pen.polygon(
        [(x - 0.1, y - 0.18), (x + 0.22, y + 0.02), (x + 0.16, y + 0.18), (x - 0.2, y + 0.5), (-0.3, 0.36)],
        paint,
    )
    pen.polygon([(x - 0.08, y - 0.16), (x + 0.02, y - 0.24), (x + 0.2, y)], grey(rng, 120, 220))


def _rider(pen: Pen, rng: np.random.Generator, seat: Point, grip: Point, foot: Point) -> None:
    shirt, trousers = any_colour(rng), any_colour(rng)
    shoulder = (seat[0] + 0.2, seat[1] - 0.42)
    pen.line([seat, ((seat[0] + foot[0]) / 2 + 0.18, (seat[1] + foot[1]) / 2 - 0.05), foot], 0.11, trousers)
    pen.line([seat, shoulder], 0.2, shirt)
    pen.line([shoulder, grip], 0.07, shirt)
    pen.disc((shoulder[0] + 0.06, shoulder[1] - 0.15), 0.11, any_colour(rng))
