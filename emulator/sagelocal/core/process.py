"""Identify processes by id and start time, because the operating system may reuse an id.

This module imports only the standard library, so that commands start quickly.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sagelocal.core.errors import SagelocalError

TERMINATION_TIMEOUT = 20.0  # seconds to wait after each signal
POLL_INTERVAL = 0.02  # seconds


def start_time(pid: int) -> str | None:
    """Return a process's start time in the operating system's format, or None if it has ended or is a zombie."""
    state, _, started = (_from_proc(pid) if sys.platform == "linux" else _from_ps(pid)).partition(" ")
    return started if state and state[0] not in "ZX" else None


def terminate(pid: int, started: str) -> None:
    """Terminate the process with this id and start time, and wait until it has ended.

    Raises
    ------
    SagelocalError
        The process is still running after SIGKILL.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if start_time(pid) != started:
            return
        os.kill(pid, number)
        if _has_ended(pid, started):
            return
    raise SagelocalError(f"process {pid} is still running after SIGKILL: inspect it with `ps -p {pid}`")


def _has_ended(pid: int, started: str) -> bool:
    deadline = time.monotonic() + TERMINATION_TIMEOUT
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)
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
