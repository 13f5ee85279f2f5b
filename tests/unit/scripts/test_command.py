"""Commands print expected errors in one line, or with a traceback in debug mode, and share a lock for Terraform."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from common.errors import OperatorError
from scripts.command.environment import Environment
from scripts.command.runner import run, run_command

ROOT = Path(__file__).resolve().parents[3]
# `package` is not included, because it uses only Python's standard library and does not catch errors
COMMANDS = [path for path in sorted((ROOT / "scripts").glob("*.py")) if path.stem not in ("__init__", "package")]


def fail(_: argparse.Namespace) -> None:
    """Fail with an expected error, whose message has two lines."""
    raise OperatorError("something is wrong:\n  run `make up`")


@pytest.fixture(autouse=True)
def arguments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of the command line, to which tests append options."""
    monkeypatch.delenv("DEBUG", raising=False)
    values = ["some-command"]
    monkeypatch.setattr(sys, "argv", values)
    return values


@pytest.mark.parametrize("debug", [None, "", "0"])
def test_expected_error_is_printed_in_one_line(debug: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if debug is not None:
        monkeypatch.setenv("DEBUG", debug)

    with pytest.raises(SystemExit) as ended:
        run(fail, None)
    assert ended.value.code == "error: something is wrong: run `make up`"


def test_debug_option_shows_the_traceback(arguments: list[str]) -> None:
    arguments.append("--debug")

    with pytest.raises(OperatorError):
        run(fail, None)


def test_debug_variable_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "1")

    with pytest.raises(OperatorError):
        run(fail, None)


def test_interruption_is_printed_in_one_line_or_raised_in_debug_mode(arguments: list[str]) -> None:
    def interrupt(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run(interrupt, None)
    assert ended.value.code == "interrupted: run the same command again to continue"

    arguments.append("--debug")
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, None)


def test_error_for_an_endpoint_that_does_not_respond_names_make_up(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    # GIVEN
    arguments.extend(["--env", "dev"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    def fail(_: Environment) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1/some")

    # WHEN / THEN
    with pytest.raises(SystemExit, match=r"nothing responds at http://127.0.0.1:1 .* Run `make up ENV=dev`"):
        run_command(fail, None)


def test_error_for_an_endpoint_on_another_machine_that_does_not_respond_asks_to_correct_the_variable(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    # GIVEN an endpoint URL of another machine, at which no emulator of this machine can run
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://endpoint.invalid")

    def fail(_: Environment) -> None:
        raise EndpointConnectionError(endpoint_url="http://endpoint.invalid/some")

    # WHEN / THEN
    with pytest.raises(SystemExit, match=r"nothing responds at http://endpoint.invalid .*: correct or unset"):
        run_command(fail, None)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://",
        "http://localhost:port",
        "http://[::1",
        "http://a b:1",
        "ftp://localhost:1",
        "http://some_host:1",
        "http://a..b:1",
        f"http://{'a' * 64}:1",
    ],
)
def test_invalid_endpoint_url_is_printed_as_an_expected_error(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], url: str
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)

    # WHEN / THEN
    with pytest.raises(SystemExit, match=r"^error: AWS_ENDPOINT_URL must be a URL such as .* \(got"):
        run_command(lambda _: None, None)


def test_error_names_an_unreadable_credentials_file(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    # GIVEN
    monkeypatch.setattr("common.aws.unreadable_files", lambda: [Path("some-file")])

    def fail(_: argparse.Namespace) -> None:
        raise NoCredentialsError

    # WHEN / THEN
    with pytest.raises(SystemExit, match="no AWS credentials, because some-file cannot be read"):
        run(fail, None)


def test_message_of_an_interruption_is_printed() -> None:
    def interrupt(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt("the job continues")

    with pytest.raises(SystemExit) as ended:
        run(interrupt, None)
    assert ended.value.code == "interrupted: the job continues"


def test_unexpected_error_is_raised_even_without_debug_mode() -> None:
    def fail_unexpectedly(_: argparse.Namespace) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(fail_unexpectedly, None)


def test_command_receives_its_environment_and_options(arguments: list[str]) -> None:
    # GIVEN
    arguments.extend(["--env", "dev", "--hours", "4"])
    environments: list[Environment] = []

    # WHEN
    run_command(environments.append, None, lambda parser: parser.add_argument("--hours", type=int))

    # THEN
    (environment,) = environments
    assert environment.name == "dev"
    assert environment.options.hours == 4


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_every_command_has_the_debug_option(path: Path) -> None:
    assert re.search(r"^    run(_command)?\(main, __doc__", path.read_text(), re.MULTILINE)


def test_traceback_in_debug_mode_names_the_file_that_failed(tmp_path: Path) -> None:
    # WHEN
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.github", "comment", "--env", "dev", "--debug"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    # THEN
    assert ended.returncode == 1
    assert "deployment/github.py" in ended.stderr
    assert "nothing to report" in ended.stderr.splitlines()[-1]


def test_commands_of_all_environments_share_one_terraform_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scripts.command.environment.LOCK_TIMEOUT_SECONDS", 0.0)
    dev, local = (Environment(name, argparse.Namespace()) for name in ("dev", "local"))

    # WHEN / THEN
    with dev.lock("up"), pytest.raises(OperatorError, match="`make up ENV=dev` has been running"), local.lock("plan"):
        pass


def test_no_error_is_printed_if_the_process_that_reads_the_output_has_ended() -> None:
    # GIVEN a command that prints more than the capacity of a pipe
    code = "from scripts.command.runner import run; run(lambda arguments: print(*['line'] * 99999, sep='\\n'), None)"

    # WHEN
    command = f'{sys.executable} -c "{code}" | head -n 1'
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)

    # THEN
    assert (result.stdout, result.stderr) == ("line\n", "")
