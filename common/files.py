"""Read and write the files that commands keep below `build/`."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.errors import OperatorError

# For each make target, the file in `build/<environment>/` with its result, which other targets read
RESULT_FILES = {
    "train": "training.json",
    "run": "run.json",
    "evaluate": "evaluation.json",
    "monitor": "monitoring.json",
    "live": "live.json",
    "data-drift": "drift.json",
}
# For each make target, the figures that it draws in the same directory
FIGURES = {
    "monitor": ("confidence.png", "low_confidence.png"),
    "live": ("live_confusion.png", "live_coverage.png", "live_reliability.png", "live_mistakes.png"),
    "data-drift": ("drift.png",),
    "traffic": ("traffic.png",),
}
PROBLEM = "problem"  # key in a result file whose value says why there is no result


class StepMissingError(OperatorError):
    """A result is missing or outdated: the command that writes it must run first."""


class NoResultError(OperatorError):
    """A command has nothing to show, such as no captured records in a time range."""


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: if writing fails, the previous content stays."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    write(path, (json.dumps(content, indent=2) + "\n").encode())


def replace_figures(directory: Path, target: str, drawn: Mapping[str, bytes]) -> None:
    """Write the figures of `make <target>`, and delete its earlier figures that were not drawn again.

    Parameters
    ----------
    directory : directory of the figures, `build/<environment>`
    target : name of the make target, a key of FIGURES
    drawn : content of each figure by file name
    """
    for name in FIGURES[target]:
        if name in drawn:
            write(directory / name, drawn[name])
        else:
            (directory / name).unlink(missing_ok=True)


def write_problem(directory: Path, target: str, problem: str) -> None:
    """Replace the result of `make <target>` with the reason why there is no result, and delete its figures.

    The report then shows the reason instead of an older result.
    """
    replace_figures(directory, target, {})
    write_json(directory / RESULT_FILES[target], {PROBLEM: problem})


@contextlib.contextmanager
def explain_missing_result(directory: Path, target: str) -> Iterator[None]:
    """If the `with` block raises NoResultError, pass its message to `write_problem`."""
    try:
        yield
    except NoResultError as error:
        write_problem(directory, target, str(error))
        raise


def read_result(directory: Path, target: str, required_keys: Collection[str]) -> dict[str, Any]:
    """Return the content of the file that `make <target>` writes.

    Parameters
    ----------
    directory : directory of the result files, `build/<environment>`
    target : name of the make target, a key of RESULT_FILES
    required_keys : keys that the content must have

    Raises
    ------
    StepMissingError
        The file is missing or is not a JSON object, or lacks a key because an older version of the project wrote it.
    NoResultError
        The command ran, but had nothing to show.
    """
    path = directory / RESULT_FILES[target]
    command = f"`make {target} ENV={directory.name}`"
    try:
        content: dict[str, Any] = dict(json.loads(path.read_text()))
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise StepMissingError(f"{path} is missing or broken: run {command}") from error
    if PROBLEM in content:
        raise NoResultError(content[PROBLEM])
    if missing := sorted(set(required_keys) - set(content)):
        raise StepMissingError(f"{path} has no {missing[0]}: run {command} again")
    return content
