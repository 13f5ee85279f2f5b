"""Read the user's JSON configuration files."""

import json
from pathlib import Path
from typing import Any

from sagelocal.core.errors import SagelocalError


def read_object(path: Path, purpose: str) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    purpose
        Name of the configuration in error messages, `images` or `quotas`.

    Raises
    ------
    SagelocalError
        The file cannot be read or does not contain a JSON object.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as cause:
        raise SagelocalError(f"cannot read {purpose} file {path}: {cause.strerror}") from cause
    except ValueError as cause:
        raise SagelocalError(f"{purpose} file {path} is not valid JSON: {cause}") from cause
    if not isinstance(content, dict):
        raise SagelocalError(f"{purpose} file {path} must contain a JSON object")
    return content
