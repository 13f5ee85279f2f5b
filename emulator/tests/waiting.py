"""Waits until an asynchronous operation has the result that a test expects."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

# Seconds between two attempts. The pauses grow, because frequent attempts slow down the operation.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.3


def eventually(read: Callable[[], Found], *, seconds: float = 60) -> Found:
    """Call `read` repeatedly until it returns a true value, and return this value; fail after `seconds`."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while time.monotonic() < deadline:
        found = read()
        if found:
            return found
        time.sleep(pause)
        pause = min(1.3 * pause, LONGEST_PAUSE)
    raise AssertionError(f"no result within {seconds} seconds")
