"""The emulator in the background: start it, run a command against it, stop it. Imports nothing slow.

python -m sagelocal.core.background start --directory DIR [--images FILE] [--forget PATH ...]
python -m sagelocal.core.background exec --directory DIR -- COMMAND ...
python -m sagelocal.core.background stop|status --directory DIR
"""

import argparse
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

from sagelocal.core.environment import STATUS_PATH, neutral, pointing_at
from sagelocal.core.process import ProcessStuckError, start_time, terminate

ANSWERS_WITHIN = 60.0  # seconds from the start to the first answer
PATIENCE = 30.0  # seconds that a live process has to say who it is, however busy the machine
READY = "AWS on "
COMMAND = [sys.executable, "-m", "sagelocal"]


class NotRunningError(Exception):
    """No emulator runs for the directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"AWS on this machine is not running: start it with "
            f"`python -m sagelocal.core.background start --directory {directory}`"
        )


class StartError(Exception):
    """A new emulator ended, or did not answer in time."""

    def __init__(self, reason: str, log: Path) -> None:
        super().__init__(f"AWS on this machine {reason}; its log is {log}{_last_line(log)}")


class CommandMissingError(Exception):
    """The command to run is not there."""

    def __init__(self, command: str) -> None:
        super().__init__(f"{command}: no such command")


@dataclass(frozen=True)
class State:
    """What is written down of one emulator; `url` is None until it answers."""

    pid: int
    started: str
    url: str | None

    def lives(self) -> bool:
        """Whether its process is there, and no other one of the same id."""
        return start_time(self.pid) == self.started

    def answers(self) -> bool:
        """Whether it is this process that answers at the address."""
        return self.url is not None and self.lives() and _pid_at(self.url) == self.pid


def read_state(directory: Path) -> State | None:
    """What is written down in a directory; None where nothing usable is."""
    try:
        return State(**json.loads(_state_file(directory).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def start(directory: Path, *, images: Path | None = None, forget: Sequence[Path] = ()) -> State:
    """Start an emulator, unless the directory's own answers already.

    Parameters
    ----------
    directory
        Gets the state file and the log.
    images
        File that maps container images to commands.
    forget
        Files and directories that describe an earlier emulator's contents: deleted when a new one starts.

    Raises
    ------
    StartError
        If it ends at once or does not answer.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        state = read_state(directory)
        if state and state.answers():
            return state
        if state:
            terminate(state.pid, state.started)
        for path in forget:
            _delete(path)
        return _start_new(directory, images)


def running(directory: Path) -> State:
    """The emulator that answers for a directory.

    Raises
    ------
    NotRunningError
        If none does.
    """
    state = read_state(directory)
    if not state or not state.answers():
        raise NotRunningError(directory)
    return state


def execute(directory: Path, command: Sequence[str]) -> None:
    """Become `command`, with an environment in which every AWS SDK asks the emulator. Does not return.

    Raises
    ------
    NotRunningError, CommandMissingError
        If there is nothing to ask, or nothing to run.
    """
    environment = {**neutral(os.environ), **pointing_at(running(directory).url or "")}
    if not environment.get("AWS_REGION"):
        environment["AWS_REGION"] = environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 (no shell is wanted)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        raise CommandMissingError(command[0]) from None


def stop(directory: Path) -> bool:
    """End a directory's emulator and wait until it is gone; whether there was one."""
    if not directory.is_dir():
        return False
    with _locked(directory):
        state = read_state(directory)
        lived = state is not None and state.lives()
        if state:
            terminate(state.pid, state.started)
        _state_file(directory).unlink(missing_ok=True)
    return lived


def _start_new(directory: Path, images: Path | None) -> State:
    command = [*COMMAND, *(["--images", str(images)] if images else [])]
    with _log_file(directory).open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    started = start_time(process.pid) or ""
    # written before it answers, so that one whose starter was killed is still found and ended
    _write(directory, State(process.pid, started, None))
    try:
        state = State(process.pid, started, _await_url(process, _log_file(directory)))
        _write(directory, state)
    except BaseException:
        process.terminate()
        process.wait()
        _state_file(directory).unlink(missing_ok=True)
        raise
    return state


def _await_url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < until:
        ended = process.poll() is not None
        for line in log.read_text().splitlines():
            if line.startswith(READY):
                return line.removeprefix(READY)
        if ended:
            raise StartError("ended as soon as it was started", log)
        time.sleep(0.05)
    raise StartError(f"did not answer within {ANSWERS_WITHIN:.0f} seconds", log)


def _write(directory: Path, state: State) -> None:
    path = _state_file(directory)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)) + "\n")
    part.replace(path)


def _pid_at(url: str) -> int | None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
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
    lines = log.read_text().split("\n") if log.exists() else []
    written = [line for line in lines if line.strip()]
    return f": {written[-1].removeprefix('error: ')}" if written else ""


def _state_file(directory: Path) -> Path:
    return directory / "emulator.json"


def _log_file(directory: Path) -> Path:
    return directory / "emulator.log"


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One start or stop at a time."""
    with (directory / "emulator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; the process's exit status."""
    given = _parser().parse_args(arguments)
    try:
        return _do(given)
    except (NotRunningError, StartError, CommandMissingError, ProcessStuckError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _do(given: argparse.Namespace) -> int:
    if given.action == "exec":
        execute(given.directory, given.command)
    elif given.action == "stop":
        print("AWS on this machine is stopped" if stop(given.directory) else "AWS on this machine was not running")
    elif given.action == "start":
        _print(start(given.directory, images=given.images, forget=given.forget), given.directory)
    else:
        _print(running(given.directory), given.directory)
    return 0


def _print(state: State, directory: Path) -> None:
    print(f"AWS on {state.url} (process {state.pid}, log {_log_file(directory)})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sagelocal.core.background", description="AWS on this machine, in the background."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    summaries = {
        "start": "start it, unless it runs already, and wait until it answers",
        "exec": "run a command whose AWS SDKs all ask it",
        "stop": "end it and everything that it started",
        "status": "say where it runs; fails where it does not",
    }
    by_name = {name: actions.add_parser(name, help=text, description=text) for name, text in summaries.items()}
    for action in by_name.values():
        action.add_argument("--directory", type=Path, required=True, help="where its state file and log lie")
    by_name["start"].add_argument("--images", type=Path, metavar="FILE", help="see `python -m emulator --help`")
    by_name["start"].add_argument(
        "--forget",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="what describes an earlier emulator's contents; deleted when a new one starts",
    )
    by_name["exec"].add_argument("command", nargs="+", metavar="COMMAND")
    return parser


if __name__ == "__main__":
    sys.exit(main())
