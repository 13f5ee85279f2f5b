"""A model server: a child process that serves `/ping` and `/invocations`.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from botocore.exceptions import ClientError

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.archives import ArchiveError
from sagelocal.services.sagemaker.child_processes import Process, Processes, child_environment
from sagelocal.services.sagemaker.errors import HostingError
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.s3_transfer import DataSourceError, MissingObjectError, download, extract_archive

START_TIMEOUT = 120.0  # seconds until the first successful ping
PING_INTERVAL = 0.05  # seconds between two pings while the server starts
PING_TIMEOUT = 2.0  # seconds; SageMaker's limit
RESPONSE_TIMEOUT = 60.0  # seconds; SageMaker's limit
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
TAIL = 2000  # characters of a server's log to keep in memory
QUOTED = 400  # characters of the log to quote in a FailureReason
# the folder that contains the package `sagelocal`; it is added to PYTHONPATH, so that the commands in the images file
# can run the modules of `sagelocal.containers`
PACKAGE_FOLDER = str(Path(__file__).parents[3])


@dataclass(frozen=True)
class ModelResponse:
    """A model server's response."""

    status: int
    content_type: str
    body: bytes
    custom_attributes: str | None = None


class ModelServer:
    """The server of one model.

    Parameters
    ----------
    container
        `Image`, `ModelDataUrl` and `Environment` of a model or a model package.
    log
        Log stream for the server's output.

    Raises
    ------
    HostingError
        If the image has no `serve` command, the model's files cannot be downloaded or unpacked, or the server does
        not start or does not become healthy.
    """

    def __init__(
        self,
        emulator: Emulator,
        processes: Processes,
        container: Mapping[str, Any],
        *,
        region: str,
        log: LogStream,
    ) -> None:
        self._processes = processes
        self._log = log
        self._process: Process | None = None
        self._connections: LifoQueue[http.client.HTTPConnection] = LifoQueue()
        self._tail = ""
        self._port = free_port()
        self._root = Path(tempfile.mkdtemp(prefix="model-", dir=emulator.directory))
        try:
            self._process = self._start(emulator, container, region)
            self._wait_until_healthy(self._process)
        except Exception:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.alive

    def ends_within(self, seconds: float) -> bool:
        """Wait up to `seconds` and return whether the process has ended.

        Called after a failed request: a server that shuts down closes its connections before its process ends.
        """
        if self._process is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):  # still running after `seconds`
            self._process.wait(seconds)
        return not self._process.alive

    def ping(self) -> bool:
        """Return whether `/ping` succeeds."""
        try:
            connection, _ = self._connection()
            if connection.sock:
                connection.sock.settimeout(PING_TIMEOUT)
            return self._request(connection, "GET", "/ping", None, {}).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ModelResponse:
        """Post a request to `/invocations`.

        Raises
        ------
        OSError, http.client.HTTPException
            If the server has ended or does not respond in time.
        """
        connection, reused = self._connection()
        try:
            return self._request(connection, "POST", "/invocations", body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            # the server may have closed an idle connection: try again with a new one
            if not reused or not self.alive:
                raise
        return self._request(self._connect(), "POST", "/invocations", body, headers)

    def stop(self) -> None:
        """End the process and delete the server's files."""
        if self._process:
            self._processes.end(self._process, grace=GRACE)
        while not self._connections.empty():
            self._connections.get().close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self, emulator: Emulator, container: Mapping[str, Any], region: str) -> Process:
        image = container.get("Image", "")
        command = emulator.images.command(image, "serve")
        if command is None:
            raise HostingError(f"The images file has no `serve` command for the image {image}: add one.")
        model = self._root / "model"
        model.mkdir()
        _download_model(emulator.client("s3", region), container, model)
        environment = container.get("Environment") or {}
        variables = {
            "SAGEMAKER_BASE_DIR": str(self._root),
            "SM_MODEL_DIR": str(model),
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "SAGEMAKER_REGION": region,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            **emulator.child_environment,
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, (PACKAGE_FOLDER, environment.get("PYTHONPATH")))),
        }
        try:
            return self._processes.start(
                command, directory=self._root, environment=child_environment(variables), output=self._write_log
            )
        except OSError as error:
            raise HostingError(f"The container cannot be started: {error}") from error

    def _write_log(self, line: str) -> None:
        self._log.write(line)
        self._tail = (self._tail + line)[-TAIL:]

    def _wait_until_healthy(self, process: Process) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ping():
            if not process.alive:
                process.finish()  # reads the last lines of the output
            if not process.alive or time.monotonic() > deadline:
                raise HostingError(
                    "The container did not pass the ping health check. The end of the container's log: "
                    f"{self._tail.strip()[-QUOTED:]}"
                )
            time.sleep(PING_INTERVAL)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection and whether it is reused."""
        try:
            return self._connections.get_nowait(), True
        except Empty:
            return self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=RESPONSE_TIMEOUT)
        connection.connect()
        # without this option, a request's body is sent only after the server has acknowledged the headers
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _request(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> ModelResponse:
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            result = ModelResponse(
                response.status,
                response.getheader("Content-Type") or "application/octet-stream",
                response.read(),
                response.getheader("X-Amzn-SageMaker-Custom-Attributes"),
            )
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if response.will_close or not connection.sock:
            connection.close()
        else:
            connection.sock.settimeout(RESPONSE_TIMEOUT)
            self._connections.put(connection)
        return result


def _download_model(s3: Any, container: Mapping[str, Any], folder: Path) -> None:
    """Download a model's files to a folder, or unpack the model's archive there; do nothing if the model has no data.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3ModelDataSource.html
    """
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    uri = container.get("ModelDataUrl") or source.get("S3Uri")
    if not uri:
        return
    try:
        if source.get("CompressionType") == "None":
            download(s3, uri, folder)
        else:
            extract_archive(s3, uri, folder)
    except (MissingObjectError, DataSourceError) as error:
        raise HostingError(str(error)) from error
    except (ArchiveError, ClientError) as error:
        raise HostingError(f"Failed to download model data from URL: {uri}: {error}") from error


def free_port() -> int:
    """Return a free port on the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
