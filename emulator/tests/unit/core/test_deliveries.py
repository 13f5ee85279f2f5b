"""Deliveries to targets: retries and their limits."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest

from sagelocal.core import deliveries
from sagelocal.core.deliveries import Deliveries, Failure


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that calls a target, with retries but no pauses, and returns the failure, or None."""
    monkeypatch.setattr(deliveries, "FIRST_BACKOFF", 0.0)
    monkeypatch.setattr(deliveries, "POLL_INTERVAL", 0.001)
    queue = Deliveries()

    def run(call: Callable[[], object], **options: Any) -> Failure | None:
        ended: SimpleQueue[Failure | None] = SimpleQueue()
        queue.deliver("target", call, done=ended.put, **{"policy": {}, **options})
        return ended.get(timeout=30)

    yield run
    queue.stop()


class Target:
    """A target that fails in its first calls.

    failures : number of failing calls
    calls    : number of calls so far
    """

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError("unavailable")


def test_failed_call_is_retried_until_it_succeeds(deliver: Any) -> None:
    # GIVEN
    target = Target(failures=2)
    # WHEN / THEN
    assert deliver(target) is None
    assert target.calls == 3


def test_retries_end_after_the_maximum_number(deliver: Any) -> None:
    # GIVEN
    target = Target(failures=99)
    # WHEN
    failure = deliver(target, policy={"MaximumRetryAttempts": 2})
    # THEN
    assert (target.calls, failure.retries, failure.condition) == (3, 2, "MaximumRetryAttempts")


def test_retries_end_when_the_event_is_too_old(deliver: Any) -> None:
    # WHEN
    failure = deliver(Target(failures=99), policy={"MaximumEventAgeInSeconds": 0})
    # THEN
    assert (failure.retries, failure.condition) == (0, "MaximumEventAgeInSeconds")


def test_permanent_error_is_not_retried(deliver: Any) -> None:
    # WHEN
    failure = deliver(Target(failures=99), is_retriable=lambda error: False)
    # THEN
    assert (failure.retries, failure.condition) == (0, None)


def test_failing_call_does_not_end_its_thread() -> None:
    # GIVEN twice as many failing calls as threads
    def fail() -> None:
        raise ValueError("broken")

    queue = Deliveries()
    for _ in range(2 * deliveries.WORKERS):
        queue.run(fail)
    together = threading.Barrier(deliveries.WORKERS + 1, timeout=30)
    # WHEN one call for each thread follows, and each waits until all of them run
    for _ in range(deliveries.WORKERS):
        queue.run(together.wait)
    # THEN all of them run, so no thread has ended
    together.wait()
    queue.stop()
