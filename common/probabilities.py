"""Validation of probabilities."""


def is_probability(value: object) -> bool:
    """Return whether `value` is a number between 0 and 1; NaN and booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
