"""Measure false alarms and detections of the drift job's statistical tests on simulated windows.

A window is the set of images that the drift job compares with the model's baseline. The benchmark trains a model on the
synthetic sample, and draws new images with equal numbers of both classes. For each shift, such as darkness or blur, it
draws further images and applies the shift to them. Windows are selected from these images. Windows with another class
mix are selected from the unchanged images. If `--images` is missing or large enough, no two windows of the same kind
have an image in common. Otherwise each window is a random selection.

If the environment variable CIFAR_ARCHIVE names an archive in CIFAR-100's format, the model is trained on that archive,
and windows are selected from the archive's test images. CIFAR-100 has 100 test images of each class, which is enough
for `--size 100`.
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

# OpenBLAS reads this when NumPy is imported. The worker processes use all processors, so each needs only one thread.
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
from training.container.classifier.drift import MIN_IMAGES, compare, drifted_groups
from training.container.classifier.image_statistics import NAMES, image_statistics
from training.container.classifier.onnx_session import open_session

CLASSES = ("bicycle", "motorcycle")
ARCHIVES = Path("build/archives")
SEED = 1_000_003  # differs from the synthetic sample's seed, so that no drawn image is a training image
CHUNK = 200  # images that a worker process draws and classifies in one task
EQUAL_MIX = (0.5, 0.5)  # shares of the classes in a window, as in the baseline
CHANGED_MIX = (0.85, 0.15)  # shares of the classes in a window with another class mix
EPOCHS = 30  # default number of training epochs, which is enough for the synthetic sample


@dataclass(frozen=True)
class Observed:
    """A set of images: their labels, the model's outputs for them, and their image statistics.

    Attributes
    ----------
    labels : class number of each image, shape (n,)
    probabilities : class probabilities, shape (n, classes)
    statistics : values of each image statistic, shape (n,), by the statistic's name
    embeddings : the model's embeddings, shape (n, dimensions)
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    statistics: Mapping[str, NDArray[np.float64]]
    embeddings: NDArray[np.float64]

    def sample(self, indices: NDArray[np.int64]) -> Sample:
        """Return the sample that the drift job would compute from the images at `indices`."""
        probabilities = self.probabilities[indices]
        return Sample(
            {"confidence": probabilities.max(1), **{name: each[indices] for name, each in self.statistics.items()}},
            np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]),
            self.embeddings[indices],
        )


def main() -> None:
    """Train a model, and print for each kind of window in how many windows the tests report drift."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image_folder = _prepare(folder, arguments)
        measure(str(folder / "run" / "model"), image_folder, arguments)


def measure(model: str, image_folder: Path | None, arguments: argparse.Namespace) -> None:
    """Test all windows, and print a line for each kind: unchanged, with each shift, and with another class mix.

    Parameters
    ----------
    model : path of the model directory
    image_folder : folder of the images to select windows from, or None to draw new images
    """
    baseline = read_baseline(Path(model) / "baseline.json", classes=len(CLASSES))
    print(f"windows of {arguments.size} images, baseline of {baseline.images} images", flush=True)
    images = images_to_draw(arguments)
    with ProcessPoolExecutor(arguments.processes) as workers:
        unchanged = observe(model, image_folder, None, images.unchanged, workers)
        shifted = {name: observe(model, image_folder, name, images.with_each_shift, workers) for name in SHIFTS}
        for name, observed, count, shares in (
            ("unchanged", unchanged, arguments.windows, EQUAL_MIX),
            *((name, each, arguments.shifted, EQUAL_MIX) for name, each in shifted.items()),
            ("another class mix", unchanged, arguments.shifted, CHANGED_MIX),
        ):
            windows = [observed.sample(each) for each in select(observed.labels, count, arguments.size, shares)]
            results = list(workers.map(partial(examine, baseline), windows))
            print(_line(name, results), flush=True)


def select(labels: NDArray[np.int64], windows: int, size: int, shares: Sequence[float]) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of each window's images.

    Parameters
    ----------
    labels : class number of each available image, shape (n,)
    windows : number of windows
    size : images in a window
    shares : share of each class in a window
    """
    rng = np.random.default_rng(SEED)
    counts = class_counts(size, shares)
    by_class = [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(shares))]
    for number in range(windows):
        parts = [
            available[number * count : (number + 1) * count]
            if windows * count <= len(available)
            else rng.choice(available, count, replace=False)
            for available, count in zip(by_class, counts, strict=True)
        ]
        yield np.concatenate(parts)


def class_counts(size: int, shares: Sequence[float]) -> list[int]:
    """Return the number of images of each class in a window of `size` images.

    Parameters
    ----------
    shares : share of each class; the first class gets the images that rounding leaves over
    """
    others = [round(share * size) for share in shares[1:]]
    return [size - sum(others), *others]


@dataclass(frozen=True)
class ImageCounts:
    """Numbers of images to draw, half of them of each class."""

    unchanged: int
    with_each_shift: int


def images_to_draw(arguments: argparse.Namespace) -> ImageCounts:
    """Return the numbers of images to draw.

    Without `--images`, there are enough images that no two windows of the same kind have an image in common.
    """
    if arguments.images:
        return ImageCounts(arguments.images, max(arguments.images // 5, 1000, arguments.size))
    equal_mix, changed_mix = (
        len(CLASSES) * max(class_counts(arguments.size, shares)) for shares in (EQUAL_MIX, CHANGED_MIX)
    )
    return ImageCounts(
        max(arguments.windows * equal_mix, arguments.shifted * changed_mix), arguments.shifted * equal_mix
    )


def require_images(available: int, size: int) -> None:
    """Exit with an error if windows of `size` images cannot be selected, or are too small for the drift job.

    Parameters
    ----------
    available : number of available images of the smallest class
    """
    largest = int(available / max(CHANGED_MIX))
    if largest < MIN_IMAGES:
        needed = round(max(CHANGED_MIX) * MIN_IMAGES)
        raise SystemExit(
            f"error: a window needs at least {MIN_IMAGES} images, {needed} of them of one class, but the smaller class "
            f"has only {available} images"
        )
    if not MIN_IMAGES <= size <= largest:
        raise SystemExit(f"error: --size must be between {MIN_IMAGES} and {largest} (got {size})")


def examine(baseline: Sample, window: Sample) -> dict[str, bool]:
    """Return for each group of properties whether the tests report drift."""
    return drifted_groups(compare(baseline, window))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1000, help="number of unchanged windows (1000)")
    parser.add_argument(
        "--shifted", type=int, default=200, help="number of windows with each shift, and with another class mix (200)"
    )
    parser.add_argument("--size", type=int, default=200, help="images in a window (200)")
    parser.add_argument(
        "--images",
        type=int,
        help="unchanged images to draw (default: enough that no two windows of the same kind have an image in common)",
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"epochs of the training ({EPOCHS})")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="number of worker processes (one for each processor)"
    )
    return parser.parse_args()


def _prepare(folder: Path, arguments: argparse.Namespace) -> Path | None:
    """Train a model, and return the folder of the images to select windows from, or None to draw them."""
    archive = os.environ.get("CIFAR_ARCHIVE")
    source = resolve(archive or "sample", directory=ARCHIVES, classes=CLASSES)
    data = transform(read_archive(source.path), classes=CLASSES, directory=folder / "data")
    if archive:
        available = min(Counter(image.label for image in data.splits["test"]).values())
    else:
        available = -(-images_to_draw(arguments).unchanged // CHUNK) * CHUNK // len(CLASSES)
    require_images(available, arguments.size)
    print(source.description, flush=True)
    run = train_and_test(
        data.directory, folder / "run", classes=CLASSES, pretrained=False, seed=0, epochs=arguments.epochs
    )
    print(f"from scratch, {run.epochs} epochs, {run.test[0]} of {run.test[1]} test images correct", flush=True)
    return data.directory if archive else None


def observe(model: str, image_folder: Path | None, shift: str | None, images: int, workers: Executor) -> Observed:
    """Return the labels, model outputs and statistics of a set of images.

    Parameters
    ----------
    model : path of the model directory
    image_folder : folder whose test images are used, or None to draw `images` new images
    shift : key of `SHIFTS`, or None to leave the images unchanged
    """
    numbers = range(-(-images // CHUNK)) if image_folder is None else range(1)
    chunks = list(workers.map(partial(_observe_chunk, model, image_folder, shift), numbers))
    return Observed(
        np.concatenate([each.labels for each in chunks]),
        np.concatenate([each.probabilities for each in chunks]),
        {name: np.concatenate([each.statistics[name] for each in chunks]) for name in NAMES},
        np.concatenate([each.embeddings for each in chunks]),
    )


def _observe_chunk(model: str, image_folder: Path | None, shift: str | None, number: int) -> Observed:
    # each shift has its own seed, so that a drawn image and its shifted copy are never both used
    rng = np.random.default_rng((SEED, number, list(SHIFTS).index(shift) + 1 if shift else 0))
    labels, images = _staged(image_folder) if image_folder else _drawn(rng)
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


def _staged(image_folder: Path) -> tuple[list[int], list[Pixels]]:
    lines = [line.split("\t") for line in (image_folder / "test.lst").read_text().splitlines()]
    images = [np.asarray(Image.open(image_folder / "test" / name).convert("RGB")) for _, _, name in lines]
    return [int(label) for _, label, _ in lines], images


@cache
def _session(model: str) -> onnxruntime.InferenceSession:
    return open_session(Path(model) / "model.onnx")


def _line(window_kind: str, results: Sequence[dict[str, bool]]) -> str:
    detected = sum(any(groups.values()) for groups in results)
    low, high = wilson_interval(detected, len(results))
    by_group = Counter(group for groups in results for group, has_drifted in groups.items() if has_drifted)
    strength = SHIFTS[window_kind][1] if window_kind in SHIFTS else ""
    if window_kind == "another class mix":
        strength = f"{CHANGED_MIX[0]:.0%} and {CHANGED_MIX[1]:.0%} instead of 50 % each"
    found = ", ".join(f"{group} {count}" for group, count in by_group.most_common()) or "none"
    return (
        f"{window_kind}{f' ({strength})' if strength else ''}: drift in {detected} of {len(results)} windows, "
        f"{detected / len(results):.1%} ({low:.1%} to {high:.1%}); windows by drifted group: {found}"
    )


if __name__ == "__main__":
    main()
