"""Generate simulated traffic from a random seed: which driver uploads which image at which time."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

DRIVER_PREFIX = "traffic-"  # distinguishes simulated drivers from real ones
IMAGES_PER_DRIVER = 10
# Drivers use these few names repeatedly, so that uploads create new versions of the same objects.
# Some names contain characters that must be encoded in URLs.
NAMES = ("IMG_0001.png", "IMG_0002.png", "IMG 0003.png", "vélo+moto.png", "100%#5.png")
UNREADABLE_SHARE = 0.05
UNLIKE_SHARE = 0.05
UNREADABLE_BYTES = 2000
UNLIKE_PIXELS = 64  # width and height
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# test: a staged test image; unlike: noise, unlike any training image; unreadable: a file that is not a valid image
Kind = Literal["test", "unlike", "unreadable"]
KINDS = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image that a driver uploads.

    Attributes
    ----------
    seconds : time of the upload in seconds after the start of the traffic
    number : random number that selects the test image, or that is the random seed for a generated file
    """

    seconds: float
    driver: str
    name: str
    kind: Kind
    number: int


def poisson_arrivals(rate: float, seconds: float, *, seed: int) -> list[Arrival]:
    """Return the arrivals of a Poisson process with `rate` images per second."""
    random = np.random.default_rng(seed)
    times: list[float] = []
    time = random.exponential(1 / rate)
    while time < seconds:
        times.append(time)
        time += random.exponential(1 / rate)
    return _arrivals(times, random)


def burst_arrivals(count: int, *, seed: int) -> list[Arrival]:
    """Return `count` arrivals at the same time."""
    return _arrivals([0.0] * count, np.random.default_rng(seed))


def _arrivals(times: Sequence[float], random: np.random.Generator) -> list[Arrival]:
    count = len(times)
    drivers = random.integers(math.ceil(count / IMAGES_PER_DRIVER), size=count) + 1
    names = random.choice(NAMES, size=count)
    kinds = random.choice(KINDS, size=count, p=[1 - UNLIKE_SHARE - UNREADABLE_SHARE, UNLIKE_SHARE, UNREADABLE_SHARE])
    numbers = random.integers(2**31, size=count)
    return [
        Arrival(time, f"{DRIVER_PREFIX}{driver:04}", str(name), kind, int(number))
        for time, driver, name, kind, number in zip(times, drivers, names, kinds.tolist(), numbers, strict=True)
    ]


def content(arrival: Arrival, images: Sequence[bytes]) -> bytes:
    """Return the file that the driver uploads.

    Parameters
    ----------
    images : the test images
    """
    if arrival.kind == "test":
        return images[arrival.number % len(images)]
    random = np.random.default_rng(arrival.number)
    if arrival.kind == "unreadable":
        return PNG_SIGNATURE + random.bytes(UNREADABLE_BYTES)
    pixels = random.integers(256, size=(UNLIKE_PIXELS, UNLIKE_PIXELS, 3), dtype=np.uint8)
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, format="png")
        return stream.getvalue()
