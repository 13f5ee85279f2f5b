"""Train and serve both recipes with several seeds, and print published results of the built-in algorithm.

The recipes are a network that is pretrained on ImageNet, and one that is trained from scratch. Each model predicts the
test split once. All hyperparameters were chosen by cross-validation on training images, so no choice depends on the
test split.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

# OpenMP reads this when torch is imported. Threads that wait actively would disturb the measurement.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks.load import Load, LoadError
from benchmarks.serving import (
    CLIENTS,
    ServerMeasurement,
    measure_eager_server,
    measure_endpoint,
    measure_server,
)
from benchmarks.training import Run, RunFailedError, cross_validate, train_and_test
from registry.comparison import wilson_interval
from staging.archive import read_archive
from staging.errors import StagingError
from staging.source import resolve
from staging.transform import transform

ARCHIVES = Path("build/archives")
HEAD = f"{'network':<12}{'seed':>5}{'epochs':>8}{'seconds':>9}{'CPU s':>8}{'images/s':>10}  {'validation':<12}test"
# From public solutions of the course's notebook, which keep its hyperparameters and validate on the test split
BUILT_IN = (
    "built-in     image-classification, ResNet-152, 30 epochs, 28 public runs on ml.p3.2xlarge:\n"
    "             median GPU time 418 s;\n"
    "             median accuracy 0.870 in the best epoch (maximum 0.901) and 0.839 in the last epoch; the best epoch\n"
    "             was chosen on the test split, so the accuracy in this epoch is too optimistic"
)


def main() -> None:
    """Run the benchmark on each archive."""
    arguments = _arguments()
    try:
        for archive in arguments.archives:
            _measure(archive, arguments)
    except (StagingError, RunFailedError, LoadError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archives", nargs="+", metavar="ARCHIVE", help="path, URL, `auto` or `sample`")
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of models of each recipe, each with a different seed (5)"
    )
    parser.add_argument(
        "--pretrained",
        type=int,
        choices=(0, 1),
        action="append",
        help="1: only the pretrained recipe; 0: only the recipe from scratch (default: both)",
    )
    parser.add_argument("--epochs", type=int, help="epochs of each model (the recipe's default)")
    parser.add_argument(
        "--folds", type=int, metavar="K", help="only cross-validate, with K folds of the training and validation splits"
    )
    parser.add_argument("--classes", default="bicycle,motorcycle", help="class names, separated by commas")
    return parser.parse_args()


def _measure(archive: str, arguments: argparse.Namespace) -> None:
    classes = tuple(arguments.classes.split(","))
    source = resolve(archive, directory=ARCHIVES, classes=classes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = transform(read_archive(source.path), classes=classes, directory=folder / "data")
        print(source.description, flush=True)
        if arguments.folds:
            _cross_validate(data.directory, folder, classes, arguments)
            return
        print(HEAD, flush=True)
        for pretrained in arguments.pretrained or (1, 0):
            runs = []
            for seed in range(arguments.seeds):
                run_folder = folder / f"{pretrained}-{seed}"
                runs.append(
                    train_and_test(
                        data.directory,
                        run_folder,
                        classes=classes,
                        pretrained=bool(pretrained),
                        seed=seed,
                        epochs=arguments.epochs,
                    )
                )
                print(_line(runs[-1]), flush=True)
            print(_summary(runs))
            body = (data.directory / "test" / data.splits["test"][0].name).read_bytes()
            _measure_serving(run_folder / "model", body, folder / f"eager-{pretrained}")
    print(BUILT_IN)


def _cross_validate(data: Path, folder: Path, classes: tuple[str, ...], arguments: argparse.Namespace) -> None:
    for pretrained in arguments.pretrained or (1, 0):
        correct = images = 0
        for fold in range(arguments.folds):
            fold_correct, fold_images = cross_validate(
                data,
                folder / f"{pretrained}-{fold}",
                classes=classes,
                pretrained=bool(pretrained),
                fold=fold,
                folds=arguments.folds,
                epochs=arguments.epochs,
            )
            correct, images = correct + fold_correct, images + fold_images
            accuracy = f"{fold_correct / fold_images:.3f}"
            print(f"{_name(pretrained):<12} fold {fold + 1} of {arguments.folds}: {accuracy}", flush=True)
        print(f"{_name(pretrained):<12} cross-validated: {_accuracy(correct, images)}", flush=True)


def _name(pretrained: int) -> str:
    return "pretrained" if pretrained else "from scratch"


def _line(run: Run) -> str:
    return (
        f"{_name(run.pretrained):<12}{run.seed:>5}{run.epochs:>8}{run.seconds:>9.1f}{run.cpu_seconds:>8.1f}"
        f"{run.images_per_second:>10.1f}  {run.validation[0] / run.validation[1]:<12.3f}{_accuracy(*run.test)}"
    )


def _accuracy(correct: int, n: int) -> str:
    low, high = wilson_interval(correct, n)
    return f"{correct / n:.3f} ({low:.3f} to {high:.3f}, n={n})"


def _summary(runs: list[Run]) -> str:
    validation = statistics.median(run.validation[0] / run.validation[1] for run in runs)
    test = statistics.median(run.test[0] / run.test[1] for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    return f"{_name(runs[0].pretrained):<12} median: {seconds:.1f} s, validation {validation:.3f}, test {test:.3f}"


def _measure_serving(model: Path, body: bytes, folder: Path) -> None:
    print(f"{'responses/s (p50, p99 in ms)':<36}" + "".join(f"{f'{n} clients':>22}" for n in CLIENTS), flush=True)
    onnx, eager = measure_server(model, body), measure_eager_server(model, body, folder)
    print(_loads(f"  ONNX Runtime, {onnx.mebibytes:.0f} MiB", onnx.loads))
    print(_loads(f"  PyTorch, {eager.mebibytes:.0f} MiB", eager.loads))
    print(f"{'  ratio of responses/s':<36}" + _ratios(onnx, eager), flush=True)
    print(_loads("  InvokeEndpoint, ONNX Runtime", measure_endpoint(model, body)), flush=True)


def _loads(name: str, loads: tuple[Load, ...]) -> str:
    return f"{name:<36}" + "".join(f"{f'{load.rate:.0f} ({load.p50:.1f}, {load.p99:.1f})':>22}" for load in loads)


def _ratios(onnx: ServerMeasurement, eager: ServerMeasurement) -> str:
    pairs = zip(onnx.loads, eager.loads, strict=True)
    return "".join(f"{one.rate / other.rate:>22.1f}" for one, other in pairs)


if __name__ == "__main__":
    main()
