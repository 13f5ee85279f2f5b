"""Lambda's Runtime API, the HTTP API from which the process of an execution environment receives its invocations.

Each environment has its own server, because a client does not say in its requests to which environment it belongs.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/2018-06-01/runtime/"
CLOSE_INTERVAL = 0.5  # maximum number of seconds until the server notices a shutdown


@dataclass
class Invocation:
    """A pending invocation.

    When `done` is set, the invocation has a `response` or an `error`, or neither if the process has ended.

    Attributes
    ----------
    payload
        The event, as JSON.
    arn
        Function ARN in the request.
    timeout
        Time limit in seconds.
    response
        The handler's return value, as JSON.
    error
        AWS's error document, as JSON.
    """

    payload: bytes
    arn: str
    timeout: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    response: bytes | None = None
    error: bytes | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def headers(self) -> dict[str, str]:
        """Return the headers of the response that contains this invocation, with a deadline that counts from now."""
        now = time.time()
        root, parent = uuid.uuid4().hex, uuid.uuid4().hex
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + self.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{root[:24]};Parent={parent[:16]};Sampled=0",
        }


class RuntimeApi:
    """The HTTP server that the process of an execution environment calls.

    Attributes
    ----------
    address
        Address of the server, `host:port`, for the environment variable AWS_LAMBDA_RUNTIME_API.
    ready
        Event that is set when the process waits for its first invocation or has failed.
    init_error
        AWS's error document if the initialization has failed, otherwise None.
    """

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.init_error: bytes | None = None
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(CLOSE_INTERVAL,), daemon=True).start()

    def submit(self, invocation: Invocation) -> None:
        """Pass an invocation to the process, which must have completed the previous invocation."""
        self._current = invocation
        self._waiting.put(invocation)

    def abandon(self) -> None:
        """Release all waiting threads after the process has ended."""
        self.ready.set()
        if self._current:
            self._current.done.set()

    def close(self) -> None:
        """Stop the server, within CLOSE_INTERVAL."""
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> Invocation | None:
        """Wait for the next invocation and return it. Return None if the server stops."""
        self.ready.set()
        return self._waiting.get()

    def report(self, request_id: str, kind: str, body: bytes) -> None:
        """Store the result of the current invocation. Ignore a report on any other invocation.

        Parameters
        ----------
        request_id
            ID of the invocation.
        kind
            `response` or `error`.
        body
            The handler's return value or AWS's error document, as JSON.
        """
        invocation = self._current
        if invocation is None or invocation.request_id != request_id:
            return
        if kind == "response":
            invocation.response = body
        else:
            invocation.error = body
        self._current = None
        invocation.done.set()

    def fail_init(self, body: bytes) -> None:
        """Store the error of a failed initialization."""
        self.init_error = body
        self.ready.set()


class _Server(ThreadingHTTPServer):
    api: RuntimeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of a process that was killed during a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        invocation = self.server.api.take() if self.path == f"{PREFIX}invocation/next" else None
        if invocation is None:
            self._respond(HTTPStatus.GONE)
        else:
            self._respond(HTTPStatus.OK, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = self.path.removeprefix(PREFIX).split("/")
        # respond first, so that the process requests the next invocation before the environment is reused
        self._respond(HTTPStatus.ACCEPTED, b'{"status":"OK"}', {"Content-Type": "application/json"})
        if parts == ["init", "error"]:
            self.server.api.fail_init(body)
        elif len(parts) == 3 and parts[0] == "invocation":
            self.server.api.report(parts[1], parts[2], body)

    def _respond(self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""
