"""Start, find and stop an emulator that runs in the background.

This module imports only the standard library, so that commands start quickly.
"""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sagelocal.core.environment import READY, STATUS_PATH, child_environment
from sagelocal.core.errors import SagelocalError
from sagelocal.core.process import start_time, terminate

START_TIMEOUT = 60.0  # seconds within which a new emulator must respond
RESPONSE_TIMEOUT = 30.0  # seconds that a running emulator may take to respond on a busy machine
COMMAND = [sys.executable, "-m", "sagelocal", "serve"]


@dataclass(frozen=True)
class State:
    """The contents of the state file, which identifies a background emulator.

    Attributes
    ----------
    pid
        Process id of the emulator.
    started
        Start time of this process, in the operating system's format.
    url
        Endpoint URL of the emulator, or None until the emulator responds.
    """

    pid: int
    started: str
    url: str | None

    def is_alive(self) -> bool:
        """Return whether the emulator's process is running, and not a later process with the same id."""
        return start_time(self.pid) == self.started

    def is_responding(self) -> bool:
        """Return whether the process that responds at `url` is this emulator."""
        return self.url is not None and self.is_alive() and _pid_at(self.url) == self.pid


def log_file(directory: Path) -> Path:
    """Return the path of the emulator's log."""
    return directory / "emulator.log"


def read_state(directory: Path) -> State | None:
    """Return the recorded state, or None if the state file is missing or invalid."""
    try:
        return State(**json.loads(_state_file(directory).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def start(directory: Path, *, arguments: Sequence[str] = (), invalidate: Sequence[Path] = ()) -> State:
    """Start an emulator and wait until it responds, unless the directory's emulator already responds.

    Parameters
    ----------
    directory
        Directory for the state file and the log.
    arguments
        Options for `sagelocal serve`.
    invalidate
        Files and directories that describe the resources of an earlier emulator. They are deleted before a new one
        starts.

    Raises
    ------
    SagelocalError
        The new emulator ended before it responded or did not respond in time, or an earlier one cannot be killed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        state = read_state(directory)
        if state and state.is_responding():
            return state
        if state:
            terminate(state.pid, state.started)
        for path in invalidate:
            _delete(path)
        return _start_new(directory, arguments)


def running(directory: Path) -> State:
    """Return the state of the emulator whose state file is in the directory.

    Raises
    ------
    SagelocalError
        No emulator responds.
    """
    state = read_state(directory)
    if not state or not state.is_responding():
        raise SagelocalError(f"no emulator is running: start one with `sagelocal start --directory {directory}`")
    return state


def execute(directory: Path, command: Sequence[str]) -> None:
    """Replace this process with `command`, in an environment in which every AWS SDK calls the emulator.

    Raises
    ------
    SagelocalError
        No emulator responds, or the command does not exist or is not a program.
    """
    environment = child_environment(os.environ, running(directory).url or "")
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 (no shell is needed)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        raise SagelocalError(f"command not found: {command[0]}") from None
    except OSError as error:
        raise SagelocalError(f"cannot run {command[0]}: {error.strerror}") from None


def stop(directory: Path) -> bool:
    """Stop the directory's emulator and its child processes, and return whether the emulator was running.

    Raises
    ------
    SagelocalError
        The emulator is still running after SIGKILL.
    """
    if not directory.is_dir():
        return False
    with _locked(directory):
        state = read_state(directory)
        was_alive = state is not None and state.is_alive()
        if state:
            terminate(state.pid, state.started)
        _state_file(directory).unlink(missing_ok=True)
    return was_alive


def launch(log: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `sagelocal serve` as the leader of a new process session, and return its process."""
    with log.open("w") as output:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def await_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a launched emulator responds, and return its URL; if the wait fails, terminate the emulator.

    Raises
    ------
    SagelocalError
        The emulator ended before it responded, or did not respond in time.
    """
    try:
        return _read_url(process, log)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _start_new(directory: Path, arguments: Sequence[str]) -> State:
    process = launch(log_file(directory), arguments)
    started = start_time(process.pid) or ""
    try:
        # recorded before the emulator responds, so that `stop` finds the emulator even if this process is killed
        _write(directory, State(process.pid, started, None))
        state = State(process.pid, started, await_url(process, log_file(directory)))
        _write(directory, state)
    except BaseException:
        process.terminate()
        process.wait()
        with contextlib.suppress(OSError):  # the disk may be read-only
            _state_file(directory).unlink(missing_ok=True)
        raise
    return state


def _read_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        for line in log.read_text().splitlines():
            if line.startswith(READY):
                return line.removeprefix(READY)
        if has_ended:
            raise SagelocalError(f"the emulator ended before it responded; see {log}{_last_line(log)}")
        time.sleep(0.05)
    raise SagelocalError(f"the emulator did not respond within {START_TIMEOUT:.0f} seconds; see {log}{_last_line(log)}")


def _write(directory: Path, state: State) -> None:
    path = _state_file(directory)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)) + "\n")
    part.replace(path)


def _pid_at(url: str) -> int | None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=RESPONSE_TIMEOUT)
    try:
        connection.request("GET", STATUS_PATH)
        pid = json.loads(connection.getresponse().read())["pid"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return int(pid)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text().split("\n") if line.strip()]
    return f": {lines[-1].removeprefix('error: ')}" if lines else ""


def _state_file(directory: Path) -> Path:
    return directory / "emulator.json"


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, so that only one `start` or `stop` runs at a time."""
    with (directory / "emulator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
