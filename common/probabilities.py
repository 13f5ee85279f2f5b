"""Check whether a value is a probability."""


def is_probability(value: object) -> bool:
    """Return whether `value` is a number from 0 to 1. A bool does not count as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
