"""End the child processes of an emulator that was killed, and delete its scratch directory.

SIGKILL leaves an emulator no time to do so. The watchdog is a process that reads from a pipe, which the operating
system closes when the emulator ends, in whichever way.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from sagelocal.core.process import start_time


class Watchdog:
    """The watchdog process of this emulator.

    Parameters
    ----------
    directory
        The emulator's scratch directory.
    """

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(directory)], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        self._lock = threading.Lock()

    def watch(self, pid: int) -> None:
        """Make the watchdog end a process that leads a session."""
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it is a pipe)
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{pid} {start_time(pid)}\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End the watchdog."""
        self._process.communicate()


def end(processes: Iterable[str]) -> None:
    """Kill the sessions of processes that are still running; each line has a process id and a start time."""
    for line in processes:
        pid, _, started = line.strip().partition(" ")
        if start_time(int(pid)) == started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    end(list(sys.stdin))
    shutil.rmtree(sys.argv[1], ignore_errors=True)
