"""Read and write the files that commands keep below build/."""

import json
from pathlib import Path
from typing import Any

from common.errors import OperatorError


class StepMissingError(OperatorError):
    """A file is missing because the command that writes it has not run."""


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: if writing fails, the previous content stays."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    write(path, (json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path, target: str) -> dict[str, Any]:
    """Return the content of a JSON file that `make <target>` writes.

    Raises
    ------
    StepMissingError
        The file does not exist or is not valid JSON.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise StepMissingError(f"{path} is missing or broken: run `make {target} ENV={path.parent.name}`") from error
    return content
