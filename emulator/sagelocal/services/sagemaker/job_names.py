"""Validation of the names of training and processing jobs."""

import re

from moto.sagemaker.exceptions import ValidationError

_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def check_name(parameter: str, name: str | None) -> None:
    """Refuse a job name that AWS refuses.

    Parameters
    ----------
    parameter
        Name of the request parameter, for the error message.
    name
        Value of the request parameter.

    Raises
    ------
    ValidationError
        If the job name does not match AWS's pattern.
    """
    if not _PATTERN.fullmatch(name or ""):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at '{parameter}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_PATTERN.pattern}"
        )
