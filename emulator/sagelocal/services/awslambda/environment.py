"""Execution environments: processes, each of which runs one version of a function, one invocation at a time."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sagelocal.services.awslambda.function import Function, Result
from sagelocal.services.awslambda.log_lines import Usage, format_log
from sagelocal.services.awslambda.namespaces import OPT, TMP, command_prefix, interpreter_directories
from sagelocal.services.awslambda.runtime import import_paths, module_arguments
from sagelocal.services.awslambda.runtime_api import Invocation, RuntimeApi

INIT_TIMEOUT = 10.0  # AWS's limit on the duration of a function's initialization, in seconds
# The only variables that a function inherits from the emulator's environment
INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)


@dataclass(frozen=True)
class Directories:
    """Directories of a function's unpacked code, of its unpacked layers and of the Python runtime."""

    code: Path
    layers: Path
    runtime: Path


class ExecutionEnvironment:
    """A running execution environment of one function version.

    Parameters
    ----------
    function
        The function version that the environment runs.
    directories
        Directories of the function's code and layers, and of the runtime.
    isolated
        Whether the process has its own /tmp and /opt.
    aws
        Environment variables that direct AWS SDKs to the emulator.
    scratch
        Directory in which the environment creates its temporary directory. The path of the temporary directory is /tmp
        for the function if `isolated`. Otherwise only the variable TMPDIR contains the path.

    Attributes
    ----------
    idle_since
        End of the last invocation, as a value of `time.monotonic()`.
    retired
        Whether the environment must end after the current invocation, because the function has been updated or deleted
        or the emulator stops.
    log_stream
        Name of the environment's log stream in CloudWatch Logs.
    """

    def __init__(
        self,
        function: Function,
        *,
        directories: Directories,
        isolated: bool,
        aws: dict[str, str],
        scratch: Path,
    ) -> None:
        self.function = function
        self.idle_since = time.monotonic()
        self.retired = False
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self._api = RuntimeApi()
        self._directory = Path(tempfile.mkdtemp(prefix="environment-", dir=scratch))
        self._log = self._directory.with_suffix(".log").open("a+b")
        self._started = time.monotonic()
        self._init: float | None = None
        self._process = subprocess.Popen(
            self._command(directories, isolated=isolated),
            cwd=directories.code,
            env=self._variables(directories, aws, isolated=isolated),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the environment's process, which leads a session."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether the environment can run another invocation."""
        return not self.retired and self._process.poll() is None and self._api.init_error is None

    def wait_until_ready(self) -> None:
        """Wait until the process is ready for an invocation, has failed, or has exceeded the time to initialize."""
        # AWS repeats an initialization of more than INIT_TIMEOUT in the first invocation, within the function's timeout
        self._api.ready.wait(INIT_TIMEOUT + self.function.timeout)
        self._init = time.monotonic() - self._started

    def invoke(self, payload: bytes, arn: str) -> Result:
        """Run the function once and return the result.

        If the process ends during the invocation, `usable` is False afterwards.

        Parameters
        ----------
        payload
            The event, as JSON.
        arn
            Function ARN in the request, for the handler's context.
        """
        invocation = Invocation(payload, arn, self.function.timeout)
        init, self._init = self._init, None
        start, started = datetime.now(UTC), time.monotonic()
        document, failed = self._run(invocation)
        return Result(
            payload=document,
            failed=failed,
            log=self._take_log(invocation, start=start, seconds=time.monotonic() - started, init=init),
            log_stream=self.log_stream,
        )

    def kill(self) -> None:
        """Kill the process and its children, and delete its directory."""
        self._end_process()
        threading.Thread(target=self._api.close, daemon=True).start()
        self._log.close()
        Path(self._log.name).unlink(missing_ok=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end_process(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # the process has already ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _watch(self) -> None:
        self._process.wait()
        self._api.abandon()

    def _run(self, invocation: Invocation) -> tuple[bytes, bool]:
        if self._api.init_error is not None:
            return self._api.init_error, True
        if self._process.poll() is not None:
            return self._exit_error(invocation), True
        self._api.submit(invocation)
        if not invocation.done.wait(self.function.timeout):
            return self._time_out(invocation), True
        if invocation.response is not None:
            return invocation.response, False
        return invocation.error or self._exit_error(invocation), True

    def _time_out(self, invocation: Invocation) -> bytes:
        self._end_process()
        reason = f"Task timed out after {self.function.timeout:.2f} seconds"
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._log.write(f"{now} {invocation.request_id} {reason}\n\n".encode())
        return _error("Sandbox.Timedout", invocation, reason)

    def _exit_error(self, invocation: Invocation) -> bytes:
        code = self._process.wait()
        ending = f"exit status {code}" if code >= 0 else f"signal: {signal.strsignal(-code) or -code}".lower()
        return _error("Runtime.ExitError", invocation, f"Runtime exited with error: {ending}")

    def _take_log(self, invocation: Invocation, *, start: datetime, seconds: float, init: float | None) -> str:
        """Return the log of the invocation, and truncate the file to which the process appends its output.

        Parameters
        ----------
        start
            Time at which the invocation started.
        seconds
            Duration of the invocation.
        init
            Duration of the initialization in seconds; None for a warm start.
        """
        self._log.seek(0)
        written = self._log.read().decode("utf-8", "replace")
        self._log.truncate(0)
        if written and not written.endswith("\n"):
            written += "\n"
        usage = Usage(start, seconds, init, _peak_memory(self._process.pid))
        return format_log(self.function, invocation.request_id, written, usage)

    def _command(self, directories: Directories, *, isolated: bool) -> list[str]:
        module = module_arguments(self.function.handler)
        if not isolated:
            return [sys.executable, "-S", "-m", *module]
        kept = [directories.code, directories.runtime, *interpreter_directories()]
        return [*command_prefix(tmp=self._directory, opt=directories.layers, kept=kept), *module]

    def _variables(self, directories: Directories, aws: dict[str, str], *, isolated: bool) -> dict[str, str]:
        function = self.function
        opt = OPT if isolated else directories.layers
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        imports = [directories.code, *import_paths(opt), directories.runtime]
        return {
            **inherited,
            # Source: https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html (layer paths of all runtimes)
            "PATH": _join(inherited.get("PATH", os.defpath), opt / "bin"),
            "LD_LIBRARY_PATH": _join(inherited.get("LD_LIBRARY_PATH", ""), opt / "lib"),
            **aws,
            **dict(function.variables),
            **({"AWS_LAMBDA_LOG_LEVEL": function.logging.level} if function.logging.level else {}),
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": function.logging.format,
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logging.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_REGION": function.region,
            "LAMBDA_RUNTIME_DIR": str(directories.runtime),
            "LAMBDA_TASK_ROOT": str(directories.code),
            "LANG": "en_US.UTF-8",
            "PYTHONPATH": _join(*imports),
            "PYTHONUTF8": "1",
            "TMPDIR": str(TMP if isolated else self._directory),
            "TZ": ":UTC",
            "_HANDLER": function.handler,
        }


def _join(*paths: Path | str) -> str:
    return os.pathsep.join(str(path) for path in paths if path)


def _error(kind: str, invocation: Invocation, reason: str) -> bytes:
    document = {"errorType": kind, "errorMessage": f"RequestId: {invocation.request_id} Error: {reason}"}
    return json.dumps(document).encode()


def _peak_memory(pid: int) -> int:
    """Return a process's peak memory in MB, or 0 if the system does not report it or the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0]) // 1024 if peaks else 0
