"""Child processes that stand in for containers, each with its own session, so that its children end with it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Not a container's business: the emulator's own settings, and where this machine's pip puts things.
WITHHELD = ("MOTO_", "AWS_", "PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV")
LAST_LINES = 5.0  # seconds for what an ended process may still have in its pipe


class Process:
    """A running command, whose output goes to a function line by line."""

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
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, as a shell has it: 128 and the signal's number for one that was killed.

        Raises
        ------
        subprocess.TimeoutExpired
            It did not end in `timeout` seconds.
        """
        status = self._popen.wait(timeout)
        return status if status >= 0 else 128 - status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its session that is left."""
        # the group outlives its leader, and may be gone by itself
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def finish(self) -> None:
        """Kill what is left of its session, and take its last lines."""
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._reader.join(LAST_LINES)

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101 (it was asked to be a pipe)
        for line in self._popen.stdout:
            self._output(line)


class Processes:
    """What runs now, so that all of it can be ended."""

    def __init__(self) -> None:
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
        """Start a command; what it prints, errors included, goes to `output`.

        Raises
        ------
        OSError
            It cannot be started.
        """
        with self._lock:
            if self.stopping:
                raise OSError("the emulator is stopping")
            process = Process(command, directory=directory, environment=environment, output=output)
            self._running.add(process)
        return process

    def end(self, process: Process, *, grace: float) -> None:
        """End a process and what it started: asked first, and after `grace` seconds no longer asked."""
        process.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):  # then it is killed, below
            process.wait(grace)
        self.finish(process)

    def finish(self, process: Process) -> None:
        """Kill what is left of a process's session, and forget it."""
        process.finish()
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End everything, and start nothing any more."""
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for process in running:
            process.signal(signal.SIGTERM)
        for process in running:
            self.end(process, grace=2)


def child_environment(variables: Mapping[str, str], *, commands: Path | None = None) -> dict[str, str]:
    """A container's variables.

    Parameters
    ----------
    variables
        Its own; they come on top of this machine's.
    commands
        The folder to look for commands in first; this Python's if not given.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
    own = Path(sys.executable).parent
    folders = [str(folder) for folder in (commands, own) if folder]
    defaults = {
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # threads of numeric libraries that spin while they wait starve the other processes of a small machine
        "OMP_WAIT_POLICY": "PASSIVE",
        # the user's own profiles may name another endpoint, and are no container's business
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return {**inherited, **defaults, **variables}
