"""The one process: moto's services behind cheroot on loopback, changed in place by each emulated service."""

import io
import json
import os
import signal
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.workers.threadpool import ThreadPool
from cheroot.wsgi import Gateway_10, Server

from sagelocal.core.container_commands import Images
from sagelocal.core.emulator import Emulator
from sagelocal.core.environment import STATUS_PATH, neutral, pointing_at
from sagelocal.core.quotas import Quotas

HOST = "127.0.0.1"
THREADS = 32
IDLE_THREADS = 8  # with fewer left, GROWTH more are started
GROWTH = 32
ANSWER = 1 << 16  # bytes that are sent at once
KEEP_ALIVE = 3600  # seconds that a client may leave a connection unused


class PortInUseError(Exception):
    """The port asked for is taken."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} of {HOST} is in use: choose another with --port, or none for a free one")


class _Workers(ThreadPool):
    """As many threads as there are requests under way.

    A request may wait for others that come to this same server (a state machine's task, a function that calls
    AWS), so with a fixed number of threads all of them could wait for each other.
    """

    def put(self, connection: HTTPConnection) -> None:
        """Queue a connection; one thread at least is left to take it."""
        if self.idle - self.qsize < IDLE_THREADS:
            self.grow(GROWTH)
        super().put(connection)


class _Request(HTTPRequest):
    """A request that is answered in one piece.

    Now and then AWS's SDK for Go closes its own connection when the head of an answer comes, cannot read a body that
    comes later, and asks again (aws-sdk-go-v2, issues 1825 and 2737): Terraform then creates what exists already.
    What arrives with the head, up to 4096 bytes, it has read by then.
    """

    def respond(self) -> None:
        """Answer; head and body leave together."""
        wire = self.conn.wfile
        answer = io.BufferedWriter(wire, ANSWER)
        self.conn.wfile = answer
        try:
            super().respond()
        finally:
            self.conn.wfile = wire
            answer.detach()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class _Gateway(Gateway_10):
    """WSGI with what moto needs to know of the request as it was sent."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        """The WSGI environment."""
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ["RAW_URI"] = environ["REQUEST_URI"]
        environ["wsgi.input_terminated"] = True  # a chunked body has no Content-Length
        names = [name.decode("latin-1") for name in self.req.inheaders]
        # moto's own server does the same: S3 metadata may have underscores, which WSGI folds with dashes
        environ["moto.preserved_header_names"] = {
            "HTTP_" + name.upper().replace("-", "_"): name
            for name in names
            if "_" in name and name.lower().startswith("x-amz-meta-")
        }
        return environ


def serve(*, port: int, images: Images, quotas: Quotas) -> None:
    """Run the emulator until SIGINT or SIGTERM raises KeyboardInterrupt; end all children before returning.

    Parameters
    ----------
    port
        Port on loopback; 0 for a free one.
    images
        Which command stands in for which container image.
    quotas
        How many instances the account may use.

    Raises
    ------
    PortInUseError
        If the port is taken.
    MotoChangedError
        If the installed moto is not the one that the emulator was written for.
    """
    server = _bind(port)
    url = f"http://{HOST}:{server.bind_addr[1]}"
    emulator = Emulator(url, Path(tempfile.mkdtemp(prefix="emulator-")), pointing_at(url), images, quotas)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _prepare_environment(url)
        server.wsgi_app = _application(emulator)
        threading.Thread(target=_announce, args=(url,), daemon=True).start()
        server.serve()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        emulator.stop()


def _bind(port: int) -> Server:
    server = Server((HOST, port), None, request_queue_size=256, timeout=KEEP_ALIVE)
    server.ConnectionClass = _Connection
    server.gateway = _Gateway
    server.keep_alive_conn_limit = 1024
    server.requests = _Workers(server, min=THREADS)
    try:
        server.prepare()
    except OSError:
        raise PortInUseError(port) from None
    return server


def _prepare_environment(url: str) -> None:
    """Must come before moto is imported: some of its modules read these once."""
    mine = neutral(os.environ)
    os.environ.clear()
    os.environ.update(mine)
    os.environ["MOTO_PORT"] = url.rsplit(":", 1)[1]
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"


def _application(emulator: Emulator) -> Any:
    """The WSGI application; moto is imported here and changed by every emulated service."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from sagelocal.core.errors import Faults, ServiceMissingError
    from sagelocal.core.install import install

    def create(service: Any) -> Any:
        if service is None:
            raise ServiceMissingError
        return create_backend_app(service)

    install(emulator)
    moto = DomainDispatcherApplication(create)

    def dispatch(environ: dict[str, Any], start_response: Any) -> Any:
        called = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        direct = (application for form, application in emulator.routes if form.fullmatch(called))
        return next(direct, moto)(environ, start_response)

    answer = Faults(dispatch)
    status = json.dumps({"pid": os.getpid(), "url": emulator.url}).encode()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == STATUS_PATH:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(status)))])
            return [status]
        return answer(environ, start_response)

    return application


def _announce(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + STATUS_PATH):
        print(f"AWS on {url}", flush=True)
