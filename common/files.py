"""Files below build/: written whole or not at all, and missed with the target that makes them."""

import json
from pathlib import Path
from typing import Any

from common.errors import OperatorError


class StepMissingError(OperatorError):
    """A step before this one has not been taken."""


def write(path: Path, content: bytes) -> None:
    """Write all of it, or leave what was there."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def write_json(path: Path, content: object) -> None:
    """The same for what becomes JSON."""
    write(path, (json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path, target: str) -> dict[str, Any]:
    """The content of a file that `make <target>` writes.

    Raises
    ------
    StepMissingError
        It is not there, or cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise StepMissingError(f"{path} is missing or broken: run `make {target} ENV={path.parent.name}`") from error
    return content
