"""The emulator as a background process: starting, stopping, and recognizing a running emulator."""

import errno
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sagelocal.core import background
from sagelocal.core.background import State, read_state, running, start, stop
from sagelocal.core.environment import STATUS_PATH
from sagelocal.core.errors import SagelocalError
from sagelocal.core.process import start_time

# Programs that tests run in place of `sagelocal serve`: the first responds, the second exits, the third never responds.
RESPONDING = f"""
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"pid": os.getpid()}}).encode()
        self.send_response(200 if self.path == {STATUS_PATH!r} else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"sagelocal is ready at http://127.0.0.1:{{server.server_port}}", flush=True)
server.serve_forever()
"""
FAILING = "import sys; print('error: port 1 is in use', file=sys.stderr); sys.exit(1)"
SILENT = "import time; time.sleep(600)"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """The directory in which a test starts the emulator. The emulator is stopped after the test."""
    yield tmp_path / "emulator"
    stop(tmp_path / "emulator")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of the program that runs in place of the emulator. It contains RESPONDING until a test overwrites it."""
    path = tmp_path / "program.py"
    path.write_text(RESPONDING)
    monkeypatch.setattr(background, "COMMAND", [sys.executable, str(path)])
    return path


def write_state(directory: Path, state: State) -> None:
    """Write the emulator's state file."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "emulator.json").write_text(json.dumps(asdict(state)))


def test_started_emulator_is_recorded_and_responds(directory: Path, program: Path) -> None:
    # WHEN
    state = start(directory)
    # THEN
    assert read_state(directory) == state
    assert running(directory) == state
    assert (directory / "emulator.log").read_text().startswith("sagelocal is ready at ")


def test_start_passes_options_to_the_server(directory: Path, program: Path) -> None:
    # GIVEN a program that prints its arguments and fails, so that the error contains them
    program.write_text("import sys; print(sys.argv[1:]); sys.exit(1)")
    # WHEN / THEN
    with pytest.raises(SagelocalError, match=r"\['--port', '1'\]$"):
        start(directory, arguments=["--port", "1"])


def test_start_keeps_a_running_emulator_and_its_files(directory: Path, program: Path, tmp_path: Path) -> None:
    # GIVEN
    first = start(directory)
    terraform_state = tmp_path / "terraform.tfstate"
    terraform_state.write_text("{}")
    # WHEN
    second = start(directory, invalidate=[terraform_state])
    # THEN
    assert second == first
    assert terraform_state.exists()


def test_start_deletes_invalidated_files(directory: Path, program: Path, tmp_path: Path) -> None:
    # GIVEN
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "state").touch()
    file.touch()
    # WHEN
    start(directory, invalidate=[folder, file, tmp_path / "missing"])
    # THEN
    assert not folder.exists()
    assert not file.exists()


def test_start_replaces_an_emulator_that_has_ended(directory: Path, program: Path) -> None:
    # GIVEN a state file with a process that has ended
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_state(directory, State(ended.pid, "1", "http://127.0.0.1:9"))
    # WHEN
    state = start(directory)
    # THEN
    assert state.pid != ended.pid
    assert running(directory) == state


def test_start_does_not_end_another_process_with_the_recorded_id(directory: Path, program: Path) -> None:
    # GIVEN a state file with the ID of another process, which started at another time
    other = subprocess.Popen([sys.executable, "-c", SILENT])
    write_state(directory, State(other.pid, "an earlier start time", "http://127.0.0.1:9"))
    try:
        # WHEN
        state = start(directory)
        # THEN
        assert state.pid != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_start_terminates_an_emulator_that_does_not_respond(directory: Path, program: Path) -> None:
    # GIVEN a state file with a running process that does not respond
    silent = subprocess.Popen([sys.executable, "-c", SILENT])
    write_state(directory, State(silent.pid, start_time(silent.pid) or "", None))
    # WHEN
    state = start(directory)
    # THEN
    assert silent.wait(timeout=10) != 0
    assert running(directory) == state


def test_emulator_is_not_running_if_another_process_responds_at_its_address(directory: Path) -> None:
    # GIVEN a state file with this process, and a server at the recorded address that reports another process ID
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"pid": 1}')

        def log_message(self, format: str, *args: object) -> None:
            """Write no log."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state = State(os.getpid(), start_time(os.getpid()) or "", f"http://127.0.0.1:{server.server_port}")
    write_state(directory, state)
    # WHEN / THEN
    try:
        with pytest.raises(SagelocalError, match="no emulator is running"):
            running(directory)
    finally:
        server.shutdown()
        server.server_close()
        (directory / "emulator.json").unlink()  # because the fixture would terminate this process


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"unknown": 1}', "null"])
def test_invalid_state_file_is_ignored(directory: Path, program: Path, text: str) -> None:
    # GIVEN
    directory.mkdir()
    (directory / "emulator.json").write_text(text)
    # WHEN / THEN
    assert start(directory) == running(directory)


def test_failed_start_reports_the_last_line_of_the_log(directory: Path, program: Path) -> None:
    # GIVEN
    program.write_text(FAILING)
    # WHEN / THEN
    message = r"the emulator ended before it responded; see .*emulator\.log: port 1 is in use$"
    with pytest.raises(SagelocalError, match=message):
        start(directory)
    assert read_state(directory) is None


def test_start_without_a_response_fails_and_leaves_no_state_file(
    directory: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    program.write_text(SILENT)
    monkeypatch.setattr(background, "START_TIMEOUT", 0.2)
    # WHEN / THEN
    with pytest.raises(SagelocalError, match="did not respond within"):
        start(directory)
    assert read_state(directory) is None


def test_stop_ends_the_process_and_returns_false_if_none_runs(directory: Path, program: Path) -> None:
    # GIVEN
    state = start(directory)
    # WHEN / THEN
    assert stop(directory) is True
    assert start_time(state.pid) is None
    assert stop(directory) is False
    assert stop(directory / "never") is False


def test_emulator_is_ended_if_its_state_file_cannot_be_written(
    directory: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a full disk, and a list of the processes that `start` launches
    processes: list[subprocess.Popen[bytes]] = []
    launch = background.launch

    def record(log: Path, arguments: Any) -> "subprocess.Popen[bytes]":
        processes.append(launch(log, arguments))
        return processes[0]

    def fail(directory: Path, state: State) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(directory))

    monkeypatch.setattr(background, "launch", record)
    monkeypatch.setattr(background, "_write", fail)
    # WHEN
    with pytest.raises(OSError, match="No space left on device"):
        start(directory)
    # THEN
    assert processes[0].poll() is not None
