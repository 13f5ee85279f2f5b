"""The server: serves moto's patched services on the loopback interface, with cheroot."""

import errno
import io
import json
import os
import re
import signal
import tempfile
import threading
import urllib.request
from functools import lru_cache
from pathlib import Path
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.workers.threadpool import ThreadPool
from cheroot.wsgi import Gateway_10, Server

from sagelocal.core import garbage_collection
from sagelocal.core.container_commands import Images
from sagelocal.core.emulator import Emulator
from sagelocal.core.environment import READY, STATUS_PATH, sdk_variables, without_aws_settings
from sagelocal.core.errors import SagelocalError
from sagelocal.core.in_process import preserved_names
from sagelocal.core.quotas import Quotas
from sagelocal.core.watchdog import Watchdog

HOST = "127.0.0.1"
THREADS = 32
MIN_IDLE_THREADS = 8  # with fewer idle threads, the server starts ADDED_THREADS more
ADDED_THREADS = 32
SHRINK_INTERVAL = 5.0  # seconds between checks that end ADDED_THREADS threads if they were not needed
SEND_BUFFER = 1 << 16  # bytes
PORT_ERRORS = {errno.EADDRINUSE: "is in use", errno.EACCES: "requires privileges"}
KEEP_ALIVE = 3600  # seconds until an unused connection is closed


class _Workers(ThreadPool):
    """A thread pool that grows with the number of concurrent requests, and shrinks after a burst of them.

    A request may wait for other requests to this server: a request that invokes a Lambda function waits for the
    function's own requests. With a fixed number of threads, all threads could wait for requests that no thread is free
    to handle.
    """

    def __init__(self, server: Server, *, min: int) -> None:
        super().__init__(server, min=min)
        self._least_free = 0
        self._stopped = threading.Event()
        self._shrinking = threading.Lock()

    def start(self) -> None:
        """Start the threads."""
        super().start()
        threading.Thread(target=self._shrink_regularly, name="idle server threads", daemon=True).start()

    def stop(self, timeout: int = 5) -> None:
        """End all threads."""
        self._stopped.set()
        with self._shrinking:
            super().stop(timeout)

    def put(self, connection: HTTPConnection) -> None:
        """Queue a connection, after adding threads if few are idle."""
        free = self.idle - self.qsize
        self._least_free = min(self._least_free, free)
        if free < MIN_IDLE_THREADS:
            self.grow(ADDED_THREADS)
        super().put(connection)

    def shrink_if_unused(self) -> None:
        """End ADDED_THREADS threads if no request since the last call needed them.

        A thread ends when it takes a stop entry from the queue of connections. Enough threads stay idle, so the stop
        entries in the queue do not make `put` add threads again.
        """
        self.shrink(0)  # removes ended threads from the pool's list
        if self._least_free >= MIN_IDLE_THREADS + 2 * ADDED_THREADS:
            self.shrink(ADDED_THREADS)
        self._least_free = self.idle - self.qsize

    def _shrink_regularly(self) -> None:
        while not self._stopped.wait(SHRINK_INTERVAL):
            with self._shrinking:
                if not self._stopped.is_set():
                    self.shrink_if_unused()


class _Request(HTTPRequest):
    """A request whose response is sent in one write.

    AWS's SDK for Go sometimes closes its connection when the head of a response arrives. If the body arrives later, the
    SDK cannot read it and retries the request (aws-sdk-go-v2, issues 1825 and 2737), so that Terraform creates a
    resource twice. If the body arrives with the head, the SDK has already read up to 4096 bytes of it.
    """

    def respond(self) -> None:
        """Send head and body in one write."""
        wire = self.conn.wfile
        buffer = io.BufferedWriter(wire, SEND_BUFFER)
        self.conn.wfile = buffer
        try:
            super().respond()
        finally:
            self.conn.wfile = wire
            buffer.detach()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class _Gateway(Gateway_10):
    """A WSGI gateway that adds details of the raw request, which moto needs."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        """Return the WSGI environment with moto's additional keys."""
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ["RAW_URI"] = environ["REQUEST_URI"]
        environ["wsgi.input_terminated"] = True  # a chunked body has no Content-Length, and is read to its end
        names = (name.decode("latin-1") for name in self.req.inheaders)
        environ["moto.preserved_header_names"] = preserved_names(names)
        return environ


def serve(*, port: int, images: Images, quotas: Quotas) -> None:
    """Run the emulator until SIGINT or SIGTERM raises KeyboardInterrupt, then end all child processes.

    Parameters
    ----------
    port
        Port on the loopback interface; 0 selects a free port.
    images
        Local commands that run in place of container images.
    quotas
        Service quotas of the account.

    Raises
    ------
    SagelocalError
        The port cannot be used, or the installed release of moto differs from the release that the patches expect.
    """
    server = _bind(port)
    url = f"http://{HOST}:{server.bind_addr[1]}"
    directory = Path(tempfile.mkdtemp(prefix="sagelocal-"))
    watchdog = Watchdog(directory)
    emulator = Emulator(url, directory, sdk_variables(url), images, quotas, watchdog.watch)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _prepare_environment(url)
        with garbage_collection.paused():
            server.wsgi_app = emulator.application = _application(emulator)
        threading.Thread(target=_announce, args=(url,), daemon=True).start()
        server.serve()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        emulator.stop()
        watchdog.stop()


def _bind(port: int) -> Server:
    server = Server((HOST, port), None, request_queue_size=256, timeout=KEEP_ALIVE)
    server.ConnectionClass = _Connection
    server.gateway = _Gateway
    server.keep_alive_conn_limit = 1024
    server.requests = _Workers(server, min=THREADS)
    try:
        server.prepare()
    except OSError as error:
        raise SagelocalError(_describe_bind_error(error, port)) from None
    return server


def _describe_bind_error(error: OSError, port: int) -> str:
    found = re.search(r"\[Errno (\d+)\] ([^)]*)", str(error))  # only the message of cheroot's error has the number
    number, text = (int(found[1]), found[2]) if found else (None, str(error))
    if number not in PORT_ERRORS:
        return f"cannot listen on {HOST}: {text}"
    advice = "choose another port with --port, or omit --port to use a free one"
    return f"port {port} of {HOST} {PORT_ERRORS[number]}: {advice}"


def _prepare_environment(url: str) -> None:
    """Remove the user's AWS settings, and set the variables that moto's modules read when they are imported."""
    variables = without_aws_settings(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    os.environ["MOTO_PORT"] = url.rsplit(":", 1)[1]
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"


def _application(emulator: Emulator) -> Any:
    """Import moto, and return the WSGI application, which installs each emulated service before its first request."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from sagelocal.core import request_cost
    from sagelocal.core.error_responses import ErrorResponses
    from sagelocal.core.install import AT_START, Services

    request_cost.install()
    services = Services(emulator)
    services.install(AT_START)

    def create(backend: Any) -> Any:
        if backend is None:  # moto does not have the service
            raise NotImplementedError
        with garbage_collection.paused():
            services.prepare(backend)
            flask = create_backend_app(backend)
        flask.debug = False  # in debug mode, Flask checks each request's form for files
        flask.config["PROPAGATE_EXCEPTIONS"] = True  # `ErrorResponses` handles them
        return flask

    moto = DomainDispatcherApplication(create)
    # cached, because moto would list a folder and try the URL patterns of all services for each request
    moto.get_backend_for_host = lru_cache(moto.get_backend_for_host)  # type: ignore[method-assign]

    def dispatch(environ: dict[str, Any], start_response: Any) -> Any:
        # routes are searched again, because `get_application` registers a service's routes at its first request
        application = emulator.route(environ) or moto.get_application(environ)
        return (emulator.route(environ) or application)(environ, start_response)

    respond = ErrorResponses(dispatch)
    status = json.dumps({"pid": os.getpid(), "url": emulator.url}).encode()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == STATUS_PATH:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(status)))])
            return [status]
        return respond(environ, start_response)

    return application


def _announce(url: str) -> None:
    """Print the URL once the server responds."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + STATUS_PATH):
        print(f"{READY}{url}", flush=True)
