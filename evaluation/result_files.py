"""Read the results that commands leave for each other in `build/<environment>/`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from common.files import StepMissingError, read_json

FILES = {
    "train": "training.json",
    "run": "run.json",
    "evaluate": "evaluation.json",
    "monitor": "monitoring.json",
}


def read_result(directory: Path, target: str, required_keys: Collection[str]) -> dict[str, Any]:
    """Return the content of the file that `make <target>` writes.

    Parameters
    ----------
    directory
        `build/<environment>`.

    Raises
    ------
    StepMissingError
        The file is missing or invalid, or lacks a key because an older version of the project wrote it.
    """
    path = directory / FILES[target]
    content = read_json(path, target)
    if missing := sorted(set(required_keys) - set(content)):
        raise StepMissingError(f"{path} has no {missing[0]}: run `{make_command(target, directory.name)}` again")
    return content


def make_command(target: str, environment: str) -> str:
    """Return the command that runs a target for an environment."""
    return f"make {target} ENV={environment}"
