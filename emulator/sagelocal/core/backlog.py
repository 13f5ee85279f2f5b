"""Count the tasks that wait for a free process, and delay new tasks while too many wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 32  # number of waiting tasks at which new tasks are delayed
MAX_DELAY = 10.0  # seconds


class Backlog:
    """Counter of waiting tasks.

    An overloaded machine must not accept every task. Otherwise all tasks wait until they time out and are retried, and
    none is ever finished. AWS's services refuse requests when they are overloaded, and the callers retry.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the caller's task as waiting, for the duration of the context."""
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
        """Return when fewer tasks than the limit wait, or after `seconds` at the latest."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._limit, seconds)
