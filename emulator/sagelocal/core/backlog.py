"""Counts the work that waits for a free process, and delays new work while too much work waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 32  # pieces of waiting work from which on new work is delayed
MAX_DELAY = 10.0  # seconds


class Backlog:
    """Counts the work that waits.

    An overloaded machine must accept less work. If it accepts everything, all work waits until it times out and is
    retried, so no work is ever finished. AWS's services refuse requests when overloaded, and the callers retry.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the caller's work as waiting, for the duration of the context."""
        with self._changed:
            self._waiting += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                if self._waiting == self._limit - 1:
                    self._changed.notify_all()

    def delay(self, seconds: float = MAX_DELAY) -> None:
        """Return when less work than the limit waits, or after `seconds` at the latest."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._limit, seconds)
