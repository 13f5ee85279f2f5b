"""A model server: a child process that answers `/ping` and `/invocations`.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import http.client
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from emulator.context import Emulator
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.objects import MissingObjectError, extract_archive
from emulator.sagemaker.processes import Processes, child_environment

START_LIMIT = 120.0  # seconds to the first healthy ping
PING_INTERVAL = 0.05
ANSWER_LIMIT = 60.0  # seconds that SageMaker waits for a model's answer
GRACE = 5.0
TAIL = 2000  # characters of a server's log that a failure quotes


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
        self._connections: LifoQueue[http.client.HTTPConnection] = LifoQueue()
        self._tail = ""
        self.port = _free_port()
        self._root = Path(tempfile.mkdtemp(prefix="model-", dir=emulator.directory))
        try:
            self._process = self._start(emulator, container, region)
            self._wait_until_healthy()
        except Exception:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post to `/invocations`.

        Raises
        ------
        OSError, http.client.HTTPException
            The server is gone, or does not answer in time.
        """
        reused = True
        try:
            connection = self._connections.get_nowait()
        except Empty:
            connection, reused = self._connect(), False
        try:
            return self._post(connection, body, headers)
        except (OSError, http.client.HTTPException):
            connection.close()
            if not reused or not self.alive:
                raise
        # a kept connection may have been closed by the server meanwhile; a new one has no such excuse
        return self._post(self._connect(), body, headers)

    def stop(self) -> None:
        """End it and remove its files."""
        process = getattr(self, "_process", None)
        if process is not None:
            self._processes.end(process, grace=GRACE)
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self, emulator: Emulator, container: Mapping[str, Any], region: str) -> subprocess.Popen[str]:
        image = container.get("Image", "")
        command = emulator.images.command(image, "serve")
        if command is None:
            raise HostingError(f"No command stands in for the image {image}: name one for `serve` in the images file.")
        model = self._root / "model"
        model.mkdir()
        if container.get("ModelDataUrl"):
            try:
                extract_archive(emulator.client("s3", region), container["ModelDataUrl"], model)
            except MissingObjectError as error:
                raise HostingError(str(error)) from error
        variables = {
            "SAGEMAKER_BASE_DIR": str(self._root),
            "SM_MODEL_DIR": str(model),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            **emulator.child_environment,
            **(container.get("Environment") or {}),
        }
        process = self._processes.start(
            command, directory=Path.cwd(), environment=child_environment(variables), output=subprocess.PIPE
        )
        threading.Thread(target=self._follow, args=(process,), daemon=True).start()
        return process

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 (it was asked to be a pipe)
        for line in process.stdout:
            self._log.write(line)
            self._tail = (self._tail + line)[-TAIL:]

    def _wait_until_healthy(self) -> None:
        until = time.monotonic() + START_LIMIT
        while not self._ping():
            if not self.alive or time.monotonic() > until:
                raise HostingError(
                    "The primary container for production variant did not pass the ping health check. "
                    f"Its log ends: {self._tail.strip()[-400:]}"
                )
            time.sleep(PING_INTERVAL)

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_LIMIT)
        connection.connect()
        # a request is two packets, and the second must not wait for the first one's receipt
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _post(self, connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection.request("POST", "/invocations", body, dict(headers))
        response = connection.getresponse()
        answer = Answer(
            response.status,
            response.getheader("Content-Type") or "application/octet-stream",
            response.read(),
            response.getheader("X-Amzn-SageMaker-Custom-Attributes"),
        )
        if response.will_close:
            connection.close()
        else:
            self._connections.put(connection)
        return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
