"""Checks request parameters against the limits in AWS's API model: lengths, list sizes, ranges, patterns and enums.

Before AWS's SDKs send a request, they check only the minima, so the emulator has to check all limits.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.utils import get_service_model

from sagelocal.services.sagemaker.errors import InvalidRequestError

SHOWN = 256  # maximum number of characters of a value in an error message


def check_limits(operation: str, request: Mapping[str, Any]) -> None:
    """Refuse a request with a parameter that violates a limit.

    Parameters
    ----------
    operation
        Name of the operation, such as `CreateProcessingJob`.
    request
        Parameters by name; the value None means that the request does not contain the parameter.

    Raises
    ------
    InvalidRequestError
        If a parameter violates a limit; the message is AWS's.
    """
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    for path, value, constraint in _violations(shape, request, ()):
        where = ".".join(part[:1].lower() + part[1:] for part in path)
        raise InvalidRequestError(
            f"1 validation error detected: Value '{str(value)[:SHOWN]}' at '{where}' failed to satisfy constraint: "
            f"{constraint}"
        )


def _violations(shape: Any, value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """Yield path, value and violated constraint of each invalid parameter in `value`, which has the given shape."""
    if value is None:
        return
    yield from ((path, value, f"Member must {constraint}") for constraint in _violated(shape, value))
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from _violations(member, value.get(name), (*path, name))
    elif shape.type_name == "list":
        for number, member in enumerate(value, start=1):
            yield from _violations(shape.member, member, (*path, str(number), "member"))
    elif shape.type_name == "map":
        for key, member in value.items():
            for kind, part_shape, part in (("keys", shape.key, key), ("value", shape.value, member)):
                for constraint in _violated(part_shape, part):
                    yield path, part, f"Map {kind} must satisfy constraint: Member must {constraint}"


def _violated(shape: Any, value: Any) -> Iterator[str]:
    """Yield the constraints that one value violates; the members of the value are not checked."""
    limits = shape.metadata
    is_number = shape.type_name in ("integer", "long", "float", "double")
    size, quantity = (value, "value") if is_number else (0 if shape.type_name == "boolean" else len(value), "length")
    if size > limits.get("max", size):
        yield f"have {quantity} less than or equal to {limits['max']}"
    if size < limits.get("min", size):
        yield f"have {quantity} greater than or equal to {limits['min']}"
    if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"
