"""Waiting for asynchronous results."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

# Seconds. The pauses grow, because frequent requests take the CPU time of the job that a test waits for.
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.3


def eventually(look: Callable[[], Found], *, seconds: float = 60) -> Found:
    """Call `look` repeatedly and return its first true value; fail after `seconds`."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
        pause = min(1.3 * pause, LONGEST_PAUSE)
    raise AssertionError(f"no result within {seconds} seconds")
