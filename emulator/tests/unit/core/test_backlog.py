"""The backlog delays new work while too many tasks wait."""

import threading
import time
from contextlib import ExitStack

from sagelocal.core.backlog import Backlog

TIMEOUT = 30.0  # seconds


def test_work_is_not_delayed_below_the_limit() -> None:
    # GIVEN
    backlog = Backlog(limit=2)

    # WHEN one task waits
    start = time.monotonic()
    with backlog.waiting():
        backlog.delay(TIMEOUT)

    # THEN new work is not delayed
    assert time.monotonic() - start < TIMEOUT


def test_work_is_delayed_until_fewer_tasks_wait() -> None:
    # GIVEN
    backlog, passed = Backlog(limit=2), threading.Event()

    def work() -> None:
        backlog.delay(TIMEOUT)
        passed.set()

    with ExitStack() as waiting:
        for _ in range(3):
            waiting.enter_context(backlog.waiting())

        # WHEN three tasks wait
        thread = threading.Thread(target=work)
        thread.start()

        # THEN new work starts only after they have stopped waiting
        assert not passed.wait(0.2)
    assert passed.wait(TIMEOUT)
    thread.join()


def test_delay_ends_after_the_given_time() -> None:
    # GIVEN a backlog that is full for the whole test
    backlog = Backlog(limit=1)

    # WHEN / THEN the call returns
    with backlog.waiting():
        backlog.delay(0.01)
