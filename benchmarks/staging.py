"""What it costs to bring many small images to S3 and to a training job: an object an image, against shards.

python -m benchmarks.staging [--rows N]
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from sagelocal.services.sagemaker.s3_transfer import download

import staging
from benchmarks.serving import client, emulator
from staging.archive import PIXELS, Meta, Rows
from staging.names import COARSE_NAMES, FINE_NAMES

T = TypeVar("T")
ROWS = 50_000  # as many as CIFAR-100 has to train with
CLASSES = ("bicycle", "motorcycle")
HEAD = f"{'form':<10}{'objects':>10}{'MiB':>10}{'write s':>10}{'upload s':>10}{'download s':>12}"


@dataclass(frozen=True)
class Cost:
    """Of the training and the validation rows in one form.

    Attributes
    ----------
    objects, mebibytes
        In S3.
    write, upload, download
        Seconds: to encode and write the files, to bring them to S3 by `staging.load`, and back by what brings a
        training job's channels.
    """

    objects: int
    mebibytes: float
    write: float
    upload: float
    download: float


def table(rows: int = ROWS) -> None:
    """Print both forms' costs and their ratio, measured on one emulator."""
    print(f"staging {rows} rows of 32 x 32 random pixels, training and validation together")
    print(HEAD, flush=True)
    with emulator() as url:
        s3, archive = client(url, "s3"), random_archive(rows)
        costs = []
        for data_format in get_args(staging.Format):
            costs.append(measure(s3, archive, data_format))
            print(_row(data_format, costs[-1]), flush=True)
    ratio = Cost(*(one / other for one, other in zip(*map(astuple, costs), strict=True)))
    print(_row("ratio", ratio, objects=".1f"))


def random_archive(rows: int) -> staging.Archive:
    """An archive of two classes, with a test row of each."""
    return staging.Archive(_rows(rows), _rows(len(CLASSES)), Meta(FINE_NAMES, COARSE_NAMES))


def measure(s3: Any, archive: staging.Archive, data_format: staging.Format) -> Cost:
    """Write, upload and download the rows in one format; the bucket is new."""
    bucket = f"staging-{data_format}"
    s3.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write, data = _timed(
            lambda: staging.transform(archive, classes=CLASSES, directory=folder / "staged", data_format=data_format)
        )
        upload, manifest = _timed(lambda: _load(s3, bucket, data))
        fetch, _ = _timed(lambda: _download(s3, bucket, folder / "job"))
    sizes = [stored["size"] for key, stored in manifest["objects"].items() if not key.startswith("test")]
    return Cost(len(sizes), sum(sizes) / 2**20, write, upload, fetch)


def _rows(count: int) -> Rows:
    rng = np.random.default_rng(count)
    labels = np.array([FINE_NAMES.index(CLASSES[row % len(CLASSES)]) for row in range(count)])
    names = tuple(f"image_s_{row:06d}.png" for row in range(count))
    return Rows(rng.integers(0, 256, (count, PIXELS), dtype=np.uint8), labels, np.zeros_like(labels), names)


def _load(s3: Any, bucket: str, data: staging.Dataset) -> staging.Manifest:
    with contextlib.redirect_stdout(io.StringIO()):  # its own line would stand in the table
        return staging.load(data, client=s3, bucket=bucket, source="random pixels", source_md5="")


def _download(s3: Any, bucket: str, folder: Path) -> None:
    for channel in ("train", "validation"):
        download(s3, f"s3://{bucket}/{channel}/", folder / channel)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def _row(title: str, cost: Cost, *, objects: str = "d") -> str:
    return (
        f"{title:<10}{cost.objects:>10{objects}}{cost.mebibytes:>10.1f}{cost.write:>10.2f}{cost.upload:>10.2f}"
        f"{cost.download:>12.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.staging", description=table.__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"training rows, validation rows among them ({ROWS})")
    table(parser.parse_args().rows)
