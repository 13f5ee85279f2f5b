"""Wait for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

# Seconds. The pauses grow, because frequent requests would slow down the job for which a test waits.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.3


def eventually(condition: Callable[[], Value], *, seconds: float = 20) -> Value:
    """Call `condition` until it returns a true value, and return that value; fail after `seconds`."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
        pause = min(1.3 * pause, LONGEST_PAUSE)
    raise AssertionError(f"the condition did not become true within {seconds} seconds")
