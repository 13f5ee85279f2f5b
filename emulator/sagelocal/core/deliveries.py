"""Deliver events: call their targets in background threads, and retry failed calls.

The number of threads is fixed. While all threads are busy, events wait in a queue.
"""

import queue
import sched
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

WORKERS = 16
FIRST_BACKOFF = 1.0  # seconds before the first retry; doubled before each further retry
MAX_BACKOFF = 60.0  # seconds
POLL_INTERVAL = 0.1  # seconds between checks for retries that are due
DEFAULT_RETRIES = 185
DEFAULT_AGE = 86400  # seconds after which a failed event is not retried


@dataclass(frozen=True)
class Failure:
    """The reason why an event was not delivered.

    Attributes
    ----------
    error
        Exception that the last attempt raised.
    retries
        Number of retries after the first attempt.
    condition
        Setting of the retry policy that ended the retries (`MaximumRetryAttempts` or `MaximumEventAgeInSeconds`), or
        None if the error cannot be retried.
    """

    error: Exception
    retries: int
    condition: str | None


@dataclass
class _Delivery:
    label: str
    call: Callable[[], object]
    policy: Mapping[str, Any]
    done: Callable[[Failure | None], object]
    is_retriable: Callable[[Exception], bool]
    retries: int = 0
    start: float = field(default_factory=time.monotonic)

    def backoff(self) -> float:
        return min(FIRST_BACKOFF * 2.0**self.retries, MAX_BACKOFF)

    def failure(self, error: Exception) -> Failure | None:
        """Return the failure if the policy allows no further retry, otherwise None."""
        if not self.is_retriable(error):
            return Failure(error, self.retries, None)
        if self.retries >= self.policy.get("MaximumRetryAttempts", DEFAULT_RETRIES):
            return Failure(error, self.retries, "MaximumRetryAttempts")
        age = time.monotonic() - self.start
        if age + self.backoff() > self.policy.get("MaximumEventAgeInSeconds", DEFAULT_AGE):
            return Failure(error, self.retries, "MaximumEventAgeInSeconds")
        return None


class Deliveries:
    """A queue of calls, and the threads that make them."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._retries = sched.scheduler(time.monotonic)
        self._stopped = threading.Event()
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"deliveries-{number}", daemon=True).start()
        threading.Thread(target=self._run_due_retries, name="retries", daemon=True).start()

    def stop(self) -> None:
        """Drop all calls that wait for a thread or for a retry."""
        self._stopped.set()

    def run(self, call: Callable[[], object]) -> None:
        """Make a call in a background thread, without retries."""
        self._calls.put(call)

    def deliver(
        self,
        label: str,
        call: Callable[[], object],
        *,
        policy: Mapping[str, Any],
        done: Callable[[Failure | None], object],
        is_retriable: Callable[[Exception], bool] = lambda error: True,
    ) -> None:
        """Make a call in a background thread, with retries until it succeeds or the policy ends them.

        Parameters
        ----------
        label
            Beginning of the log line about a failed call, such as `rule NAME: cannot deliver to ARN`.
        call
            Function that delivers the event, and raises an exception if the delivery fails.
        policy
            Retry policy with `MaximumRetryAttempts` and `MaximumEventAgeInSeconds`, as in the APIs of EventBridge and
            EventBridge Scheduler.
        done
            Callback that receives None after a success, or the failure after the last attempt.
        is_retriable
            Function that returns whether a call that failed with this error may succeed later.
        """
        self.run(lambda: self._attempt(_Delivery(label, call, policy, done, is_retriable)))

    def _attempt(self, delivery: _Delivery) -> None:
        failure = None
        try:
            delivery.call()
        except Exception as error:
            print(f"{delivery.label}: {error}", file=sys.stderr, flush=True)
            failure = delivery.failure(error)
            if failure is None:
                pause = delivery.backoff()
                delivery.retries += 1
                self._retries.enter(pause, 0, self.run, (lambda: self._attempt(delivery),))
                return
        delivery.done(failure)

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if self._stopped.is_set():
                return
            try:
                call()
            except Exception as error:  # an exception must not end the thread
                print(f"cannot deliver an event: {type(error).__name__}: {error}", file=sys.stderr, flush=True)

    def _run_due_retries(self) -> None:
        while not self._stopped.wait(POLL_INTERVAL):
            self._retries.run(blocking=False)
