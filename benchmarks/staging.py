"""Measure how long it takes to write, upload and download many small images in two formats.

The formats are one object per image, and RecordIO shards, each of which contains many images.

python -m benchmarks.staging [--images N]
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from benchmarks.serving import client, emulator
from staging.archive import PIXELS, Archive, Examples, Meta
from staging.load import load
from staging.manifest import Format, Manifest
from staging.names import COARSE_NAMES, FINE_NAMES
from staging.source import Source
from staging.transform import Dataset, transform

T = TypeVar("T")
IMAGES = 50_000  # size of CIFAR-100's training set
CLASSES = ("bicycle", "motorcycle")
THREADS = 16  # number of parallel downloads
HEAD = f"{'format':<10}{'objects':>10}{'MiB':>10}{'write s':>10}{'upload s':>10}{'download s':>12}"


@dataclass(frozen=True)
class FormatMeasurement:
    """The size of the training and validation splits in one format, and the time to write and transfer them.

    Attributes
    ----------
    objects, mebibytes : number of objects in S3, and their total size in MiB
    write : seconds to encode and write the files
    upload : seconds to upload the files with `staging.load`
    download : seconds to download both channels, with THREADS threads
    """

    objects: int
    mebibytes: float
    write: float
    upload: float
    download: float


def print_table(images: int = IMAGES) -> None:
    """Print the size and the times of both formats, measured on one emulator, and their ratios."""
    print(f"staging {images} images of 32 x 32 random pixels, in the training and validation splits")
    formats = get_args(Format)
    with emulator() as url:
        s3, archive = client(url, "s3"), random_archive(images)
        measurements = [measure(s3, archive, data_format) for data_format in formats]
    print(HEAD)  # after the measurements, which show progress bars
    for data_format, measured in zip(formats, measurements, strict=True):
        print(_line(data_format, measured))
    ratio = FormatMeasurement(*(one / other for one, other in zip(*map(astuple, measurements), strict=True)))
    print(_line("ratio", ratio, objects=".1f"))


def random_archive(images: int) -> Archive:
    """Return an archive with `images` training images of two classes, and one test image of each class."""
    return Archive(_images(images), _images(len(CLASSES)), Meta(FINE_NAMES, COARSE_NAMES))


def measure(s3: Any, archive: Archive, data_format: Format) -> FormatMeasurement:
    """Write, upload and download an archive's images in one format, in a new bucket; return the measurement."""
    bucket = f"staging-{data_format}"
    s3.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write, data = _timed(
            lambda: transform(archive, classes=CLASSES, directory=folder / "staged", data_format=data_format)
        )
        upload, manifest = _timed(lambda: _load(s3, bucket, data))
        keys = [key for key in manifest.objects if key.startswith(("train/", "validation/"))]
        download, _ = _timed(lambda: _download(s3, bucket, keys, folder / "job"))
    sizes = [stored.size for key, stored in manifest.objects.items() if not key.startswith("test")]
    return FormatMeasurement(len(sizes), sum(sizes) / 2**20, write, upload, download)


def _images(count: int) -> Examples:
    rng = np.random.default_rng(count)
    labels = np.array([FINE_NAMES.index(CLASSES[index % len(CLASSES)]) for index in range(count)])
    names = tuple(f"image_s_{index:06d}.png" for index in range(count))
    return Examples(rng.integers(0, 256, (count, PIXELS), dtype=np.uint8), labels, np.zeros_like(labels), names)


def _load(s3: Any, bucket: str, data: Dataset) -> Manifest:
    with contextlib.redirect_stdout(io.StringIO()):  # the line that `load` prints says nothing new
        source = Source(Path(), "random pixels", md5="", synthetic=True)
        return load(data, bucket=bucket, source=source, s3=s3)


def _download(s3: Any, bucket: str, keys: list[str], folder: Path) -> None:
    for key in keys:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda key: s3.download_file(bucket, key, str(folder / key)), keys))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _line(title: str, measured: FormatMeasurement, *, objects: str = "d") -> str:
    return (
        f"{title:<10}{measured.objects:>10{objects}}{measured.mebibytes:>10.1f}{measured.write:>10.2f}{measured.upload:>10.2f}"
        f"{measured.download:>12.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.staging", description=print_table.__doc__)
    parser.add_argument(
        "--images", type=int, default=IMAGES, help=f"number of training and validation images ({IMAGES})"
    )
    print_table(parser.parse_args().images)
