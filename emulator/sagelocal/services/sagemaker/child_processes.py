"""Child processes that emulate containers.

Each process starts its own session, so that a signal can be sent to the process and to all its descendants.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# prefixes of environment variables that a container must not inherit: settings of moto, AWS SDKs, Python and pip
NOT_INHERITED = ("MOTO_", "AWS_", "PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV")
OUTPUT_TIMEOUT = 5.0  # seconds to read the remaining output of a process that has ended


class Process:
    """A running command whose output lines are passed to a function."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
    ) -> None:
        self._popen = subprocess.Popen(
            list(command),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._output = output
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process ID, which is also the session's ID."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._popen.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit status: 128 plus the signal's number if a signal ended it.

        Raises
        ------
        subprocess.TimeoutExpired
            If the process does not end within `timeout` seconds.
        """
        status = self._popen.wait(timeout)
        return status if status >= 0 else 128 - status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the session."""
        # the process group may have ended already
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def finish(self) -> None:
        """Kill the remaining processes of the session and read the remaining output."""
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._reader.join(OUTPUT_TIMEOUT)

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 (for mypy: it is a pipe)
        for line in self._popen.stdout:
            self._output(line)


class Processes:
    """All running child processes, which `stop` ends together.

    Parameters
    ----------
    watch
        Function that registers the ID of each new process with the watchdog.
    """

    def __init__(self, watch: Callable[[int], None] = lambda pid: None) -> None:
        self._watch = watch
        self._running: set[Process] = set()
        self._lock = threading.Lock()
        self.stopping = False

    def start(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: Callable[[str], None],
    ) -> Process:
        """Start a command and pass each line of its stdout and stderr to `output`.

        Raises
        ------
        OSError
            If the command cannot be started.
        """
        with self._lock:
            if self.stopping:
                raise OSError("the emulator is stopping")
            process = Process(command, directory=directory, environment=environment, output=output)
            self._running.add(process)
            self._watch(process.pid)
        return process

    def end(self, process: Process, *, grace: float) -> None:
        """Send SIGTERM to a process and its children, and wait at most `grace` seconds for the process to end.

        Then kill all of them that still run.
        """
        process.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):  # finish() kills the process
            process.wait(grace)
        self.finish(process)

    def finish(self, process: Process) -> None:
        """Kill a process and the remaining processes of its session, and stop tracking the process."""
        process.finish()
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End all processes and refuse to start new ones."""
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for process in running:
            process.signal(signal.SIGTERM)
        for process in running:
            self.end(process, grace=2)


def child_environment(variables: Mapping[str, str], *, commands: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a container.

    Parameters
    ----------
    variables
        The container's own environment variables, which override the inherited variables.
    commands
        Folder of commands to put first on the PATH, before the folder of the emulator's Python.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    python_folder = Path(sys.executable).parent
    folders = [str(folder) for folder in (commands, python_folder) if folder]
    defaults = {
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # busy-waiting threads of numeric libraries would take the CPU from other processes
        "OMP_WAIT_POLICY": "PASSIVE",
        # the user's AWS profiles may configure an endpoint that is not the emulator
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return {**inherited, **defaults, **variables}
