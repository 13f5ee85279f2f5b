"""Lock files, which let only one command at a time use a resource."""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from common.errors import OperatorError

POLL_INTERVAL = 0.2  # seconds


class LockedError(OperatorError):
    """Another command holds the lock."""


@contextlib.contextmanager
def exclusive(path: Path, command: str, *, timeout: float) -> Iterator[None]:
    """Hold an exclusive lock on a file during the `with` block. The lock is released even after SIGKILL.

    Parameters
    ----------
    path : path of the lock file, whose content names the command that holds the lock
    command : the command that needs the lock, such as `make up ENV=dev`
    timeout : maximum number of seconds to wait for the lock

    Raises
    ------
    LockedError
        Another command still holds the lock after `timeout` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline, announced = time.monotonic() + timeout, False
        while not _acquire(file.fileno()):
            holder = path.read_text().strip() or "another command is running"
            if time.monotonic() > deadline:
                raise LockedError(f"{holder}: wait until it has ended, then run `{command}` again")
            if not announced:
                print(f"waiting, because {holder}", file=sys.stderr, flush=True)
                announced = True
            time.sleep(POLL_INTERVAL)
        file.truncate(0)
        file.write(
            f"`{command}` has been running since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC (process {os.getpid()})"
        )
        file.flush()
        yield


def _acquire(descriptor: int) -> bool:
    """Acquire the lock of an open file if it is free, and return whether it was acquired."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
