"""A model server: a child process that answers `/ping` and `/invocations`.

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
from sagelocal.services.sagemaker.logs import LogStream
from sagelocal.services.sagemaker.objects import MissingObjectError, UnsafeKeyError, download, extract_archive
from sagelocal.services.sagemaker.processes import Process, Processes, child_environment

START_LIMIT = 120.0  # seconds to the first healthy ping
PING_INTERVAL = 0.05
PING_LIMIT = 2.0  # seconds that SageMaker waits for the answer to a ping
ANSWER_LIMIT = 60.0  # seconds that SageMaker waits for a model's answer
GRACE = 5.0
TAIL = 2000  # characters of a server's log that are kept for a failure
QUOTED = 400  # of which the failure quotes the last
# In a container nothing but the image is there to be imported; here the stand-in for AWS's image is
MODULES = str(Path(__file__).parents[3])


class HostingError(Exception):
    """A model cannot be served; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Answer:
    """What a model server answered."""

    status: int
    content_type: str
    body: bytes
    custom_attributes: str | None = None


class ModelServer:
    """One running model.

    Parameters
    ----------
    container
        `Image`, `ModelDataUrl` and `Environment`, as a model or a model package has them.
    log
        Where the server's output goes.

    Raises
    ------
    HostingError
        There is no command for the image, no model data, or the server does not become healthy.
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
        """Whether its process runs."""
        return self._process is not None and self._process.alive

    def ends_within(self, seconds: float) -> bool:
        """Whether its process has ended, or does so in this time: its connections are closed before it is gone."""
        if self._process is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):  # it lives
            self._process.wait(seconds)
        return not self._process.alive

    def ping(self) -> bool:
        """Whether it says that it is healthy."""
        try:
            connection, _ = self._connection()
            if connection.sock:
                connection.sock.settimeout(PING_LIMIT)
            return self._request(connection, "GET", "/ping", None, {}).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post to `/invocations`.

        Raises
        ------
        OSError, http.client.HTTPException
            The server is gone, or does not answer in time.
        """
        connection, kept = self._connection()
        try:
            return self._request(connection, "POST", "/invocations", body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            # a kept connection may have been closed by the server meanwhile; a new one has no such excuse
            if not kept or not self.alive:
                raise
        return self._request(self._connect(), "POST", "/invocations", body, headers)

    def stop(self) -> None:
        """End it and remove its files."""
        if self._process:
            self._processes.end(self._process, grace=GRACE)
        while not self._connections.empty():
            self._connections.get().close()
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self, emulator: Emulator, container: Mapping[str, Any], region: str) -> Process:
        image = container.get("Image", "")
        command = emulator.images.command(image, "serve")
        if command is None:
            raise HostingError(f"No command stands in for the image {image}: name one for `serve` in the images file.")
        model = self._root / "model"
        model.mkdir()
        _bring_model(emulator.client("s3", region), container, model)
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
            "PYTHONPATH": os.pathsep.join(filter(None, (MODULES, environment.get("PYTHONPATH")))),
        }
        try:
            return self._processes.start(
                command, directory=self._root, environment=child_environment(variables), output=self._take
            )
        except OSError as error:
            raise HostingError(f"The container cannot be started: {error}") from error

    def _take(self, line: str) -> None:
        self._log.write(line)
        self._tail = (self._tail + line)[-TAIL:]

    def _wait_until_healthy(self, process: Process) -> None:
        until = time.monotonic() + START_LIMIT
        while not self.ping():
            if not process.alive:
                process.finish()  # its last lines are in the tail then
            if not process.alive or time.monotonic() > until:
                raise HostingError(
                    "The primary container for production variant did not pass the ping health check. "
                    f"Please check CloudWatch logs for this endpoint. Its log ends: {self._tail.strip()[-QUOTED:]}"
                )
            time.sleep(PING_INTERVAL)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before."""
        try:
            return self._connections.get_nowait(), True
        except Empty:
            return self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_LIMIT)
        connection.connect()
        # a request is two packets, and the second must not wait for the first one's receipt
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _request(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            answer = Answer(
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
            connection.sock.settimeout(ANSWER_LIMIT)
            self._connections.put(connection)
        return answer


def _bring_model(s3: Any, container: Mapping[str, Any], folder: Path) -> None:
    """Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3ModelDataSource.html."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    uri = container.get("ModelDataUrl") or source.get("S3Uri")
    if not uri:
        return
    try:
        if source.get("CompressionType") == "None":
            download(s3, uri, folder)
        else:
            extract_archive(s3, uri, folder)
    except (MissingObjectError, UnsafeKeyError) as error:
        raise HostingError(str(error)) from error
    except (ArchiveError, ClientError) as error:
        raise HostingError(f"Failed to download model data from URL: {uri}: {error}") from error


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
