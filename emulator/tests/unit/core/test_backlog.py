"""New work is delayed while too much work waits."""

import threading
from contextlib import ExitStack

from sagelocal.core.backlog import Backlog

LONG = 30.0  # seconds


def test_work_is_not_delayed_below_the_limit() -> None:
    # GIVEN
    backlog = Backlog(limit=2)

    # WHEN / THEN `delay` returns immediately
    with backlog.waiting():
        backlog.delay(LONG)


def test_work_is_delayed_until_less_work_waits() -> None:
    # GIVEN
    backlog, passed = Backlog(limit=2), threading.Event()

    def work() -> None:
        backlog.delay(LONG)
        passed.set()

    with ExitStack() as waiting:
        for _ in range(3):
            waiting.enter_context(backlog.waiting())

        # WHEN
        thread = threading.Thread(target=work)
        thread.start()

        # THEN
        assert not passed.wait(0.2)
    assert passed.wait(LONG)
    thread.join()


def test_work_is_not_delayed_forever() -> None:
    # GIVEN waiting work that never starts
    backlog = Backlog(limit=1)

    # WHEN / THEN
    with backlog.waiting():
        backlog.delay(0.01)
