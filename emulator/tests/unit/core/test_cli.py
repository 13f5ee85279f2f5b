"""The command line `sagelocal`: commands, exit statuses and one-line error messages."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagelocal.cli import main
from sagelocal.core import background
from sagelocal.core.environment import STATUS_PATH
from sagelocal.core.process import start_time


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `sagelocal` with additional environment variables, until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "sagelocal", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """The directory of a running emulator; this process, with an HTTP server, takes the emulator's place."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == STATUS_PATH else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"pid": os.getpid()}).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Write no log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state = {"pid": os.getpid(), "started": start_time(os.getpid()), "url": f"http://127.0.0.1:{server.server_port}"}
    (tmp_path / "emulator.json").write_text(json.dumps(state))
    yield tmp_path
    server.shutdown()
    server.server_close()


def url(directory: Path) -> str:
    """Return the URL of the emulator."""
    return str(background.running(directory).url)


def test_exec_sets_the_environment_variables_of_aws_sdks(directory: Path) -> None:
    # WHEN a command runs in an environment that points to another endpoint, profile and proxy
    ended = run(
        *("exec", "--directory", str(directory), "--"),
        *(sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"),
        AWS_PROFILE="mine",
        AWS_CA_BUNDLE="/ca.pem",
        AWS_ENDPOINT_URL_S3="http://elsewhere",
        AWS_REGION="eu-west-1",
        HTTP_PROXY="http://proxy:1",
        no_proxy="internal",
    )
    # THEN its SDKs call the emulator without a proxy, and the region is kept
    variables = json.loads(ended.stdout)
    assert variables["AWS_ENDPOINT_URL"] == url(directory)
    assert variables["AWS_REGION"] == "eu-west-1"
    assert variables["AWS_DISABLE_HOST_PREFIX_INJECTION"] == variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert variables["no_proxy"] == "internal,127.0.0.1,localhost"
    assert not {"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3"} & set(variables)


def test_exec_returns_the_exit_status_of_the_command(directory: Path) -> None:
    # WHEN
    ended = run("exec", "--directory", str(directory), "--", sys.executable, "-c", "raise SystemExit(7)")
    # THEN
    assert ended.returncode == 7


def test_exec_reports_an_unknown_command_in_one_line(directory: Path) -> None:
    # WHEN
    ended = run("exec", "--directory", str(directory), "--", "no-such-command")
    # THEN
    assert (ended.returncode, ended.stderr) == (1, "error: command not found: no-such-command\n")


def test_exec_reports_a_file_that_is_not_a_program(directory: Path, tmp_path: Path) -> None:
    # GIVEN an executable file without an interpreter line
    script = tmp_path / "script"
    script.write_text("true\n")
    script.chmod(0o755)
    # WHEN
    ended = run("exec", "--directory", str(directory), "--", str(script))
    # THEN
    assert (ended.returncode, ended.stderr) == (1, f"error: cannot run {script}: Exec format error\n")


@pytest.mark.parametrize("arguments", [["status"], ["exec", "true"]], ids=["status", "exec"])
def test_command_that_needs_an_emulator_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    # GIVEN
    monkeypatch.chdir(tmp_path)
    # WHEN
    status = main(arguments)
    # THEN
    assert status == 1
    assert capsys.readouterr().err == (
        "error: no emulator is running: start one with `sagelocal start --directory .sagelocal`\n"
    )


def test_status_prints_address_process_and_log(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    status = main(["status", "--directory", str(directory)])
    # THEN
    assert status == 0
    assert capsys.readouterr().out == (
        f"emulator at {url(directory)} (process {os.getpid()}, log {directory}/emulator.log)\n"
    )


def test_start_passes_its_options_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    calls: list[tuple[Path, dict[str, Any]]] = []

    def start(directory: Path, **options: Any) -> background.State:
        calls.append((directory, options))
        return background.State(1, "", "http://127.0.0.1:5000")

    monkeypatch.setattr(background, "start", start)
    # WHEN
    arguments = ["--port", "5000", "--images", "i.json", "--quotas", "q.json"]
    status = main(["start", *arguments, "--directory", str(tmp_path), "--invalidate", "a", "b"])
    # THEN
    assert calls == [(tmp_path, {"arguments": arguments, "invalidate": [Path("a"), Path("b")]})]
    assert status == 0
    assert capsys.readouterr().out.startswith("emulator at http://127.0.0.1:5000 ")


def test_stop_without_an_emulator_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    status = main(["stop", "--directory", str(tmp_path)])
    # THEN
    assert (status, capsys.readouterr().out) == (0, "no emulator was running\n")


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_invalid_port_is_reported_with_its_value(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN / THEN
    with pytest.raises(SystemExit):
        main(["serve", f"--port={port}"])
    assert f"must be a number from 0 to 65535 (got '{port}')" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["serve", "start", "status", "exec", "stop"])
def test_every_command_has_a_help_text(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    with pytest.raises(SystemExit) as caught:
        main([action, "--help"])
    # THEN
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: sagelocal {action} ")


def test_help_names_the_environment_variable_for_the_emulator_url() -> None:
    # WHEN
    ended = run("--help")
    # THEN
    assert ended.returncode == 0
    assert "AWS_ENDPOINT_URL" in ended.stdout


def test_version_option_prints_the_version_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    with pytest.raises(SystemExit):
        main(["--version"])
    # THEN
    assert capsys.readouterr().out == "sagelocal 0.1.0\n"


def test_command_line_imports_no_heavy_module() -> None:
    # WHEN
    listing = subprocess.run(
        [sys.executable, "-c", "import sagelocal.cli, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    # THEN
    assert not {"boto3", "botocore", "moto", "cheroot", "requests"} & set(listing.stdout.split())


def test_directory_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    # GIVEN
    file = tmp_path / "file"
    file.touch()
    # WHEN
    ended = run("start", "--directory", str(file / "emulator"))
    # THEN
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: Not a directory: {file / 'emulator'}: free disk space, or choose another directory with --directory\n"
    )


def test_interrupted_start_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(background, "await_url", interrupt)
    # WHEN
    status = main(["start", "--directory", str(tmp_path)])
    # THEN
    assert status == 130
    assert capsys.readouterr().err == "interrupted: run the same command again\n"
    assert not (tmp_path / "emulator.json").exists()
