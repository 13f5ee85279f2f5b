"""Processes by id and start time, since an id alone may by now belong to another. Standard library only."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 20.0  # seconds that a process is given to end by itself
INTERVAL = 0.02  # seconds between two looks


class ProcessStuckError(Exception):
    """A process is still there after it was killed."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} does not end: look at it with `ps -p {pid}`")


def start_time(pid: int) -> str | None:
    """When a process started, in the system's own form; None for one that is gone or waits to be reaped."""
    state, _, started = (_from_proc(pid) if sys.platform == "linux" else _from_ps(pid)).partition(" ")
    return started if state and state[0] not in "ZX" else None


def terminate(pid: int, started: str) -> None:
    """End the process that has this id and start time, and wait until it is gone.

    Raises
    ------
    ProcessStuckError
        If even SIGKILL did not end it.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if start_time(pid) != started:
            return
        os.kill(pid, number)
        if _is_gone(pid, started):
            return
    raise ProcessStuckError(pid)


def _is_gone(pid: int, started: str) -> bool:
    until = time.monotonic() + PATIENCE
    while start_time(pid) == started:
        if time.monotonic() > until:
            return False
        time.sleep(INTERVAL)
    return True


def _from_proc(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = text.rpartition(")")[2].split()
    return f"{fields[0]} {fields[19]}"


def _from_ps(pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
