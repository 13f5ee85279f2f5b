"""End the child processes of an emulator, and delete its scratch directory, when the emulator ends.

An emulator that receives SIGKILL cannot clean up itself. The watchdog is a separate process that reads from a pipe. The
operating system closes the pipe when the emulator ends for any reason, and the watchdog then cleans up.
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
    """The watchdog process of one emulator.

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
        """Register a process that leads a session; the watchdog kills its process group when the emulator ends."""
        assert self._process.stdin is not None  # noqa: S101 (for mypy: it is a pipe)
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{pid} {start_time(pid)}\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Close the pipe, and wait until the watchdog has cleaned up and ended."""
        self._process.communicate()


def end(processes: Iterable[str]) -> None:
    """Kill the process groups of the processes that are still running.

    Parameters
    ----------
    processes
        Lines with a process id and a start time, separated by a space.
    """
    for line in processes:
        pid, _, started = line.strip().partition(" ")
        if start_time(int(pid)) == started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    end(list(sys.stdin))
    shutil.rmtree(sys.argv[1], ignore_errors=True)
