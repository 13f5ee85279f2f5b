"""Measure false alarms and detections of the drift job's tests on simulated windows of captured images.

A model is trained on the synthetic sample. Each window consists of newly drawn images with both classes in equal
numbers. The first windows are also shifted, each in several ways. With the environment variable CIFAR_ARCHIVE, the
images come from that archive instead: windows are drawn from the images on which the model was not trained, so they
overlap.
"""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

# Set before NumPy is imported: each process has one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnxruntime
from PIL import Image

from benchmarks.shifts import MIXES, SHIFTS, Pixels
from benchmarks.training import train_and_test
from common.terminal import progress_bar
from registry.comparison import wilson_interval
from staging.archive import read_archive
from staging.source import resolve
from staging.synthetic.scene import draw_vehicle
from staging.transform import transform
from training.container.classifier.baseline import Sample, describe, read_baseline
from training.container.classifier.drift import compare, moved_groups
from training.container.classifier.onnx_session import open_session

CLASSES = ("bicycle", "motorcycle")
ARCHIVES = Path("build/archives")
SEED = 1_000_003  # differs from the sample's, so that no drawing is a training image
EPOCHS = 30  # enough for the synthetic sample


def main() -> None:
    """Print how often windows without and with a shift are found to have drifted."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = _prepare(folder, arguments.epochs)
        measure(str(folder / "run" / "model"), pool, arguments)


def measure(model: str, pool: Path | None, arguments: argparse.Namespace) -> None:
    """Examine all windows, and print a line for each condition."""
    print(f"windows of {arguments.size} images, baseline of {_baseline(model).images}", flush=True)
    results: dict[str, list[dict[str, bool]]] = {}
    examine = partial(examine_window, model, pool, size=arguments.size, shifted=arguments.shifted)
    with ProcessPoolExecutor(arguments.processes) as workers:
        found = workers.map(examine, range(arguments.windows))
        for window in progress_bar(found, total=arguments.windows, desc="windows", unit=""):
            for condition, groups in window.items():
                results.setdefault(condition, []).append(groups)
    for condition, groups in results.items():
        print(_line(condition, groups), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1000, help="number of unchanged windows (1000)")
    parser.add_argument("--shifted", type=int, default=100, help="number of windows with each shift (100)")
    parser.add_argument("--size", type=int, default=200, help="images in a window (200)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of the training ({EPOCHS})")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="(one for each processor)")
    return parser.parse_args()


def _prepare(folder: Path, epochs: int) -> Path | None:
    """Train a model, and return the folder of the images to draw windows from, or None for the synthetic sample."""
    archive = os.environ.get("CIFAR_ARCHIVE")
    source = resolve(archive or "sample", directory=ARCHIVES, classes=CLASSES)
    data = transform(read_archive(source.path), classes=CLASSES, directory=folder / "data")
    print(source.description, flush=True)
    run = train_and_test(data.directory, folder / "run", classes=CLASSES, pretrained=False, seed=0, epochs=epochs)
    print(f"from scratch, {run.epochs} epochs, {run.test[0]} of {run.test[1]} test images correct", flush=True)
    return data.directory if archive else None


def examine_window(
    model: str, pool: Path | None, number: int, *, size: int, shifted: int
) -> dict[str, dict[str, bool]]:
    """Return the groups that moved in an unchanged window and in its shifted copies.

    Parameters
    ----------
    pool : folder of staged images, or None to draw new ones
    shifted : number of windows that are also shifted
    """
    rng = np.random.default_rng((SEED, number))
    half = size // 2
    images = _images(pool, (half, size - half), rng)
    conditions = {"unchanged": images}
    if number < shifted:
        for name, (shift, _) in SHIFTS.items():
            conditions[name] = [shift(image, rng) for image in images]
        first = round(MIXES[0] * size)
        conditions["another class mix"] = _images(pool, (first, size - first), rng)
    known = _baseline(model)
    return {name: moved_groups(compare(known, describe_images(model, each))) for name, each in conditions.items()}


def _images(pool: Path | None, counts: Sequence[int], rng: np.random.Generator) -> list[Pixels]:
    if pool is None:
        return [draw_vehicle(name, rng) for name, count in zip(CLASSES, counts, strict=True) for _ in range(count)]
    paths = [rng.choice(each, count, replace=False) for each, count in zip(_held_out(pool), counts, strict=True)]
    return [np.asarray(Image.open(path).convert("RGB")) for each in paths for path in each]


@cache
def _held_out(pool: Path) -> list[list[str]]:
    """Return the test images of each class."""
    lines = [line.split("\t") for line in (pool / "test.lst").read_text().splitlines()]
    return [[str(pool / "test" / name) for _, label, name in lines if int(label) == each] for each in (0, 1)]


def describe_images(model: str, images: Sequence[Pixels]) -> Sample:
    """Return the sample that the drift job makes of images."""
    stacked = np.stack(images)
    outputs = [_session(model).run(["probabilities", "embedding"], {"images": image[np.newaxis]}) for image in stacked]
    probabilities, embeddings = (np.concatenate(each) for each in zip(*outputs, strict=True))
    return describe(probabilities, stacked, embeddings)


@cache
def _baseline(model: str) -> Sample:
    return read_baseline(Path(model) / "baseline.json", classes=len(CLASSES))


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
