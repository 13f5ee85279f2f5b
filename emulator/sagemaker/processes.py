"""Child processes that stand in for containers, each with its own session, so that its children end with it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

OWN_VARIABLES = ("MOTO_", "AWS_", "PYTHONPATH")


class Processes:
    """What runs now, so that all of it can be ended."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def start(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: int | IO[str],
    ) -> subprocess.Popen[str]:
        """Start a command; what it prints, errors included, goes to `output`.

        Raises
        ------
        OSError
            It cannot be started.
        """
        with self._lock:
            if self._stopping:
                raise OSError("the emulator is stopping")
            process = subprocess.Popen(
                list(command),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def end(self, process: subprocess.Popen[str], *, grace: float) -> None:
        """End a process and what it started: asked first, and after `grace` seconds no longer asked."""
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):  # then it is killed, below
            process.wait(grace)
        self.reap(process)

    def reap(self, process: subprocess.Popen[str]) -> None:
        """Kill what is left of a process's session, and forget it."""
        _signal(process, signal.SIGKILL)
        process.wait()
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End everything, and start nothing any more."""
        with self._lock:
            self._stopping = True
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        for process in running:
            self.end(process, grace=2)


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The emulator's environment without its own settings, with this Python first on the PATH, and `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    # threads of numeric libraries that spin while they wait starve the other processes of a small machine
    defaults = {"PATH": path, "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**inherited, **defaults, **variables}


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    # the group outlives its leader, and may be gone by itself
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
