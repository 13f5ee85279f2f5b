"""The names of training and processing jobs."""

import re

from moto.sagemaker.exceptions import ValidationError

_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def check_name(parameter: str, name: str | None) -> None:
    """Refuse a name that AWS refuses.

    Raises
    ------
    ValidationError
        If the name does not match the pattern of AWS.
    """
    if not _PATTERN.fullmatch(name or ""):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at '{parameter}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_PATTERN.pattern}"
        )
