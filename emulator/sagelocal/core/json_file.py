"""Settings that a person gives the emulator in a file."""

import json
from pathlib import Path
from typing import Any


def read_object(path: Path, what: str, error: type[Exception]) -> dict[str, Any]:
    """The JSON object in a file.

    Parameters
    ----------
    what
        The file holds, as an error says it.
    error
        Raised where the file is missing, no JSON, or no object.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as cause:
        raise error(f"{what} file {path} cannot be read: {cause.strerror}") from cause
    except ValueError as cause:
        raise error(f"{what} file {path} is no JSON: {cause}") from cause
    if not isinstance(content, dict):
        raise error(f"{what} file {path} must hold an object")
    return content
