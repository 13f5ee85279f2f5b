"""Work that waits for a free process, and the delay of new work while there is much of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 32  # waiting pieces of work, above which new work is delayed
MAX_DELAY = 10.0  # seconds


class Backlog:
    """Counts the work that waits.

    A machine that is asked for more than it can do must accept less. Otherwise all work waits so long that it times out
    and is repeated, and nothing is ever finished. AWS's services refuse requests instead, and the callers retry.
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
        """Return when less work than the limit waits, or after some seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._limit, seconds)
