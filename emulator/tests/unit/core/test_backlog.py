"""The backlog delays new work while too many tasks wait."""

import threading
from contextlib import ExitStack

from sagelocal.core.backlog import Backlog

LONG = 30.0  # seconds


def test_work_is_not_delayed_below_the_limit() -> None:
    # GIVEN
    backlog = Backlog(limit=2)

    # WHEN one task waits, THEN new work starts at once
    with backlog.waiting():
        backlog.delay(LONG)


def test_work_is_delayed_until_fewer_tasks_wait() -> None:
    # GIVEN
    backlog, passed = Backlog(limit=2), threading.Event()

    def work() -> None:
        backlog.delay(LONG)
        passed.set()

    with ExitStack() as waiting:
        for _ in range(3):
            waiting.enter_context(backlog.waiting())

        # WHEN three tasks wait
        thread = threading.Thread(target=work)
        thread.start()

        # THEN new work starts only after they have ended
        assert not passed.wait(0.2)
    assert passed.wait(LONG)
    thread.join()


def test_work_is_not_delayed_longer_than_its_limit() -> None:
    # GIVEN a backlog that is full for the whole test
    backlog = Backlog(limit=1)

    # WHEN / THEN
    with backlog.waiting():
        backlog.delay(0.01)
