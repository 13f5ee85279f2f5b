"""Check whether a value is a probability."""

import math


def is_probability(value: object) -> bool:
    """Return whether `value` is a finite number between 0 and 1 (a bool is not a number here)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
