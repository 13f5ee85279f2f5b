"""Measure false alarms and detections of the drift job's tests on simulated windows of captured images.

A model is trained on the synthetic sample. Then images are drawn that the training has not seen, both classes in equal
numbers, and a part of them is shifted in several ways. A window is a part of these images. If enough images are drawn,
no two windows have an image in common; otherwise each window is a random selection. With the environment variable
CIFAR_ARCHIVE, the images are the test images of that archive: 100 of each class in CIFAR-100, enough for `--size 100`.
"""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

# Set before NumPy is imported: each process has one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from benchmarks.training import train_and_test
from evaluation.shifts import SHIFTS, Pixels
from registry.comparison import wilson_interval
from staging.archive import read_archive
from staging.source import resolve
from staging.synthetic.scene import draw_vehicle
from staging.transform import transform
from training.container.classifier.baseline import Sample, read_baseline
from training.container.classifier.drift import MIN_IMAGES, compare, moved_groups
from training.container.classifier.image_statistics import NAMES, image_statistics
from training.container.classifier.onnx_session import open_session

CLASSES = ("bicycle", "motorcycle")
ARCHIVES = Path("build/archives")
SEED = 1_000_003  # differs from the sample's, so that no drawing is a training image
CHUNK = 200  # images that one process draws at once
EQUAL = (0.5, 0.5)  # shares of the classes
MIXES = (0.85, 0.15)  # the same in a window with another class mix
EPOCHS = 30  # enough for the synthetic sample


@dataclass(frozen=True)
class Observed:
    """What the model sees in images.

    Attributes
    ----------
    labels : true class of each image
    probabilities, embeddings : of the model
    statistics : values of each image statistic
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    statistics: Mapping[str, NDArray[np.float64]]
    embeddings: NDArray[np.float64]

    def sample(self, chosen: NDArray[np.int64]) -> Sample:
        """Return the sample that the drift job makes of some of the images."""
        probabilities = self.probabilities[chosen]
        return Sample(
            {"confidence": probabilities.max(1), **{name: each[chosen] for name, each in self.statistics.items()}},
            np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]),
            self.embeddings[chosen],
        )


def main() -> None:
    """Print how often windows without and with a shift are found to have drifted."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = _prepare(folder, arguments)
        measure(str(folder / "run" / "model"), pool, arguments)


def measure(model: str, pool: Path | None, arguments: argparse.Namespace) -> None:
    """Examine all windows, and print a line for each condition.

    Parameters
    ----------
    pool : folder of staged images, or None to draw new ones
    """
    baseline = read_baseline(Path(model) / "baseline.json", classes=len(CLASSES))
    print(f"windows of {arguments.size} images, baseline of {baseline.images}", flush=True)
    images = _drawn_images(arguments)
    with ProcessPoolExecutor(arguments.processes) as workers:
        unchanged = observe(model, pool, None, images, workers)
        shifted = {name: observe(model, pool, name, max(images // 5, 1000, arguments.size), workers) for name in SHIFTS}
        for name, observed, count, shares in (
            ("unchanged", unchanged, arguments.windows, EQUAL),
            *((name, each, arguments.shifted, EQUAL) for name, each in shifted.items()),
            ("another class mix", unchanged, arguments.shifted, MIXES),
        ):
            windows = [observed.sample(each) for each in select(observed.labels, count, arguments.size, shares)]
            results = list(workers.map(partial(examine, baseline), windows))
            print(_line(name, results), flush=True)


def select(labels: NDArray[np.int64], windows: int, size: int, shares: Sequence[float]) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the images of each window.

    Parameters
    ----------
    shares : of each class in a window
    """
    rng = np.random.default_rng(SEED)
    counts = [round(share * size) for share in shares]
    by_class = [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(shares))]
    for number in range(windows):
        parts = [
            available[number * count : (number + 1) * count]
            if windows * count <= len(available)
            else rng.choice(available, count, replace=False)
            for available, count in zip(by_class, counts, strict=True)
        ]
        yield np.concatenate(parts)


def require_images(available: int, size: int) -> None:
    """End the command if windows are larger than the number of different images allows, or too small for a decision.

    Parameters
    ----------
    available : images of the smaller class
    """
    largest = int(available / max(MIXES))
    if largest < MIN_IMAGES:
        raise SystemExit(
            f"error: a window has at least {MIN_IMAGES} images, {round(max(MIXES) * MIN_IMAGES)} of them of one class, "
            f"but there are only {available} of the smaller class"
        )
    if not MIN_IMAGES <= size <= largest:
        raise SystemExit(f"error: --size must be between {MIN_IMAGES} and {largest} (got {size})")


def examine(baseline: Sample, window: Sample) -> dict[str, bool]:
    """Return for each group of properties whether it has moved."""
    return moved_groups(compare(baseline, window))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1000, help="number of unchanged windows (1000)")
    parser.add_argument("--shifted", type=int, default=200, help="number of windows with each shift (200)")
    parser.add_argument("--size", type=int, default=200, help="images in a window (200)")
    parser.add_argument("--images", type=int, help="drawn images (enough for windows without a common image)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of the training ({EPOCHS})")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="(one for each processor)")
    return parser.parse_args()


def _drawn_images(arguments: argparse.Namespace) -> int:
    images: int = arguments.images or arguments.windows * arguments.size
    return images


def _prepare(folder: Path, arguments: argparse.Namespace) -> Path | None:
    """Train a model, and return the folder of the images to draw windows from, or None for the synthetic sample."""
    archive = os.environ.get("CIFAR_ARCHIVE")
    source = resolve(archive or "sample", directory=ARCHIVES, classes=CLASSES)
    data = transform(read_archive(source.path), classes=CLASSES, directory=folder / "data")
    if archive:
        available = min(Counter(image.label for image in data.splits["test"]).values())
    else:
        available = -(-_drawn_images(arguments) // CHUNK) * CHUNK // len(CLASSES)
    require_images(available, arguments.size)
    print(source.description, flush=True)
    run = train_and_test(
        data.directory, folder / "run", classes=CLASSES, pretrained=False, seed=0, epochs=arguments.epochs
    )
    print(f"from scratch, {run.epochs} epochs, {run.test[0]} of {run.test[1]} test images correct", flush=True)
    return data.directory if archive else None


def observe(model: str, pool: Path | None, shift: str | None, images: int, workers: Executor) -> Observed:
    """Return what the model sees in images.

    Parameters
    ----------
    pool : folder of staged images, or None to draw `images` new ones
    shift : key of `SHIFTS`, or None
    """
    numbers = range(-(-images // CHUNK)) if pool is None else range(1)
    chunks = list(workers.map(partial(_observe_chunk, model, pool, shift), numbers))
    return Observed(
        np.concatenate([each.labels for each in chunks]),
        np.concatenate([each.probabilities for each in chunks]),
        {name: np.concatenate([each.statistics[name] for each in chunks]) for name in NAMES},
        np.concatenate([each.embeddings for each in chunks]),
    )


def _observe_chunk(model: str, pool: Path | None, shift: str | None, number: int) -> Observed:
    # a shifted image is never a copy of an unchanged one
    rng = np.random.default_rng((SEED, number, list(SHIFTS).index(shift) + 1 if shift else 0))
    labels, images = _staged(pool) if pool else _drawn(rng)
    if shift:
        images = [SHIFTS[shift][0](image, rng) for image in images]
    session = _session(model)
    outputs = [session.run(["probabilities", "embedding"], {"images": image[np.newaxis]}) for image in images]
    probabilities, embeddings = (np.concatenate(each) for each in zip(*outputs, strict=True))
    statistics = [image_statistics(image) for image in images]
    return Observed(
        np.array(labels),
        probabilities.astype(float),
        {name: np.array([each[name] for each in statistics]) for name in NAMES},
        embeddings.astype(float),
    )


def _drawn(rng: np.random.Generator) -> tuple[list[int], list[Pixels]]:
    labels = [number % len(CLASSES) for number in range(CHUNK)]
    return labels, [draw_vehicle(CLASSES[label], rng) for label in labels]


def _staged(pool: Path) -> tuple[list[int], list[Pixels]]:
    lines = [line.split("\t") for line in (pool / "test.lst").read_text().splitlines()]
    images = [np.asarray(Image.open(pool / "test" / name).convert("RGB")) for _, _, name in lines]
    return [int(label) for _, label, _ in lines], images


@cache
def _session(model: str) -> onnxruntime.InferenceSession:
    return open_session(Path(model) / "model.onnx")


def _line(condition: str, results: Sequence[dict[str, bool]]) -> str:
    detected = sum(any(groups.values()) for groups in results)
    low, high = wilson_interval(detected, len(results))
    by_group = Counter(group for groups in results for group, moved in groups.items() if moved)
    strength = SHIFTS[condition][1] if condition in SHIFTS else ""
    if condition == "another class mix":
        strength = f"{MIXES[0]:.0%} and {MIXES[1]:.0%} instead of 50 % each"
    found = ", ".join(f"{group} {count}" for group, count in by_group.most_common()) or "no group"
    return (
        f"{condition}{f' ({strength})' if strength else ''}: {detected} of {len(results)} windows, "
        f"{detected / len(results):.1%} ({low:.1%} to {high:.1%}): {found}"
    )


if __name__ == "__main__":
    main()
