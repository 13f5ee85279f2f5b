"""The Lambda Runtime API, as AWS documents it, for one execution environment.

A loopback server of its own for each environment: the interface client knows nothing but an address.
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
CLOSE_INTERVAL = 0.5  # seconds in which the server notices that it is to close


@dataclass
class Invocation:
    """One invocation on its way; `done` is set when `response`, `error` or neither (the process died) is known."""

    payload: bytes
    arn: str
    timeout: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    response: bytes | None = None
    error: bytes | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def headers(self) -> dict[str, str]:
        """Headers that hand it over; the deadline counts from now."""
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
    """What an environment's process asks.

    Attributes
    ----------
    address
        `host:port`, for AWS_LAMBDA_RUNTIME_API.
    ready
        Set when the process waits for its first invocation, or will never do.
    init_error
        Error document of an initialization that failed.
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
        """Hand an invocation to the process; one at a time."""
        self._current = invocation
        self._waiting.put(invocation)

    def abandon(self) -> None:
        """The process is gone: nothing more will come from it."""
        self.ready.set()
        if self._current:
            self._current.done.set()

    def close(self) -> None:
        """Stop serving; needs up to CLOSE_INTERVAL."""
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> Invocation | None:
        """The next invocation, as soon as there is one; None when it closes."""
        self.ready.set()
        return self._waiting.get()

    def report(self, request_id: str, kind: str, body: bytes) -> None:
        """Take the outcome of an invocation; one that is no longer waited for is dropped."""
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
        """Take the error of a failed initialization."""
        self.init_error = body
        self.ready.set()


class _Server(ThreadingHTTPServer):
    api: RuntimeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that was killed in the middle of a request is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        invocation = self.server.api.take() if self.path == f"{PREFIX}invocation/next" else None
        if invocation is None:
            self._answer(HTTPStatus.GONE)
        else:
            self._answer(HTTPStatus.OK, invocation.payload, invocation.headers())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = self.path.removeprefix(PREFIX).split("/")
        # answered first, so that the process is back at `next` before its environment is used again
        self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}', {"Content-Type": "application/json"})
        if parts == ["init", "error"]:
            self.server.api.fail_init(body)
        elif len(parts) == 3 and parts[0] == "invocation":
            self.server.api.report(parts[1], parts[2], body)

    def _answer(self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests of the runtime are no news."""
