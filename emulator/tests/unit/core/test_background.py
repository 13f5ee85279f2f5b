"""The emulator in the background: what is taken for running, and what is not."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sagelocal.core import background
from sagelocal.core.background import NotRunningError, StartError, State, main, read_state, running, start, stop
from sagelocal.core.environment import STATUS_PATH
from sagelocal.core.process import start_time

# In the place of `python -m emulator`: answers like it, and at once.
ANSWERING = f"""
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
print(f"AWS on http://127.0.0.1:{{server.server_port}}", flush=True)
server.serve_forever()
"""
ENDING = "import sys; print('error: port 1 is in use', file=sys.stderr); sys.exit(1)"
SILENT = "import time; time.sleep(600)"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where an emulator is started; what was started is ended."""
    yield tmp_path / "emulator"
    stop(tmp_path / "emulator")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The program that is started; change its text to have another one."""
    program = tmp_path / "program.py"
    program.write_text(ANSWERING)
    monkeypatch.setattr(background, "COMMAND", [sys.executable, str(program)])
    return program


def write_state(directory: Path, state: State) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "emulator.json").write_text(json.dumps(asdict(state)))


def test_a_new_one_is_written_down_and_answers(directory: Path, stand_in: Path) -> None:
    # WHEN
    state = start(directory)
    # THEN
    assert read_state(directory) == state
    assert running(directory) == state
    assert (directory / "emulator.log").read_text().startswith("AWS on ")


def test_one_that_answers_is_kept_with_all_that_describes_it(directory: Path, stand_in: Path, tmp_path: Path) -> None:
    # GIVEN
    first = start(directory)
    described = tmp_path / "terraform.tfstate"
    described.write_text("{}")
    # WHEN
    second = start(directory, forget=[described])
    # THEN
    assert second == first
    assert described.exists()


def test_what_describes_an_earlier_one_is_deleted(directory: Path, stand_in: Path, tmp_path: Path) -> None:
    # GIVEN
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "state").touch()
    file.touch()
    # WHEN
    start(directory, forget=[folder, file, tmp_path / "missing"])
    # THEN
    assert not folder.exists()
    assert not file.exists()


def test_a_dead_process_is_stale(directory: Path, stand_in: Path) -> None:
    # GIVEN
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_state(directory, State(ended.pid, "1", "http://127.0.0.1:9"))
    # WHEN
    state = start(directory)
    # THEN
    assert state.pid != ended.pid
    assert running(directory) == state


def test_another_process_of_the_same_id_is_stale_and_left_alone(directory: Path, stand_in: Path) -> None:
    # GIVEN
    other = subprocess.Popen([sys.executable, "-c", SILENT])
    write_state(directory, State(other.pid, "a start time long ago", "http://127.0.0.1:9"))
    try:
        # WHEN
        state = start(directory)
        # THEN
        assert state.pid != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_one_that_does_not_answer_is_ended(directory: Path, stand_in: Path) -> None:
    # GIVEN
    silent = subprocess.Popen([sys.executable, "-c", SILENT])
    write_state(directory, State(silent.pid, start_time(silent.pid) or "", None))
    # WHEN
    state = start(directory)
    # THEN
    assert silent.wait(timeout=10) != 0
    assert running(directory) == state


def test_an_address_at_which_another_process_answers_is_stale(directory: Path) -> None:
    # GIVEN this process, and a server that says it is another
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"pid": 1}')

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state = State(os.getpid(), start_time(os.getpid()) or "", f"http://127.0.0.1:{server.server_port}")
    write_state(directory, state)
    # WHEN / THEN
    try:
        with pytest.raises(NotRunningError):
            running(directory)
    finally:
        server.shutdown()
        server.server_close()
        (directory / "emulator.json").unlink()  # or the end of the test would end this process


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"surprise": 1}', "null"])
def test_a_broken_state_file_is_stale(directory: Path, stand_in: Path, text: str) -> None:
    # GIVEN
    directory.mkdir()
    (directory / "emulator.json").write_text(text)
    # WHEN / THEN
    assert start(directory) == running(directory)


def test_one_that_ends_at_once_is_reported_with_its_last_line(directory: Path, stand_in: Path) -> None:
    # GIVEN
    stand_in.write_text(ENDING)
    # WHEN / THEN
    with pytest.raises(StartError, match=r"ended as soon as it was started; its log is .*: port 1 is in use$"):
        start(directory)
    assert read_state(directory) is None


def test_one_that_never_answers_is_ended(directory: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    stand_in.write_text(SILENT)
    monkeypatch.setattr(background, "ANSWERS_WITHIN", 0.2)
    # WHEN / THEN
    with pytest.raises(StartError, match="did not answer"):
        start(directory)
    assert read_state(directory) is None


def test_stop_ends_it_and_may_be_repeated(directory: Path, stand_in: Path) -> None:
    # GIVEN
    state = start(directory)
    # WHEN / THEN
    assert stop(directory) is True
    assert start_time(state.pid) is None
    assert stop(directory) is False
    assert stop(directory / "never") is False


def test_status_fails_where_none_runs(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    status = main(["status", "--directory", str(directory)])
    # THEN
    assert status == 1
    assert capsys.readouterr().err == (
        "error: AWS on this machine is not running: start it with "
        f"`python -m sagelocal.core.background start --directory {directory}`\n"
    )


def run_in_background(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sagelocal.core.background", "exec", "--directory", str(directory), "--", *command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_command_gets_an_environment_that_points_there(directory: Path, stand_in: Path) -> None:
    # GIVEN
    state = start(directory)
    # WHEN
    ended = run_in_background(
        directory,
        *(sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"),
        AWS_PROFILE="mine",
        AWS_CA_BUNDLE="/ca.pem",
        AWS_ENDPOINT_URL_S3="http://elsewhere",
        AWS_REGION="eu-west-1",
        HTTP_PROXY="http://proxy:1",
        no_proxy="internal",
    )
    # THEN
    found = json.loads(ended.stdout)
    assert found["AWS_ENDPOINT_URL"] == state.url
    assert found["AWS_REGION"] == "eu-west-1"
    assert found["AWS_DISABLE_HOST_PREFIX_INJECTION"] == found["AWS_EC2_METADATA_DISABLED"] == "true"
    assert found["no_proxy"] == "internal,127.0.0.1,localhost"
    assert not {"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3"} & set(found)


def test_a_commands_exit_status_is_passed_on(directory: Path, stand_in: Path) -> None:
    # GIVEN
    start(directory)
    # WHEN / THEN
    assert run_in_background(directory, sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_a_command_that_is_missing_is_one_line(directory: Path, stand_in: Path) -> None:
    # GIVEN
    start(directory)
    # WHEN
    ended = run_in_background(directory, "no-such-command")
    # THEN
    assert (ended.returncode, ended.stderr) == (1, "error: no-such-command: no such command\n")


def test_a_command_without_an_emulator_is_one_line(directory: Path) -> None:
    # WHEN
    ended = run_in_background(directory, "true")
    # THEN
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: AWS on this machine is not running: start it with ")
    assert len(ended.stderr.splitlines()) == 1


def test_it_imports_nothing_slow() -> None:
    # WHEN
    listing = subprocess.run(
        [sys.executable, "-c", "import sagelocal.core.background, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    # THEN
    assert not {"boto3", "botocore", "moto", "cheroot", "requests"} & set(listing.stdout.split())
