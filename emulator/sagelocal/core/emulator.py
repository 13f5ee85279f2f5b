"""The running emulator's address, scratch directory, clients and configuration, for use by the services."""

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from sagelocal.core import in_process
from sagelocal.core.backlog import Backlog
from sagelocal.core.container_commands import Images
from sagelocal.core.deliveries import Deliveries
from sagelocal.core.quotas import Quotas

Application = Callable[[dict[str, Any], Any], Any]  # WSGI


@dataclass
class Emulator:
    """One running emulator.

    Attributes
    ----------
    url
        Endpoint URL of all services, `http://127.0.0.1:PORT`.
    directory
        Scratch directory, deleted when the emulator stops.
    child_environment
        Environment variables that point the AWS SDKs of a child process at the emulator. A child process gets them in
        addition to `os.environ`, from which the server removes the user's AWS settings when it starts.
    images
        Local commands that run in place of container images.
    quotas
        Service quotas of the account.
    watch
        Function that registers a child process, by process id. A registered process is killed when the emulator ends.
    routes
        Pairs of a regular expression and the WSGI application that handles the requests that match it, such as
        `POST /endpoints/name/invocations`. These requests bypass moto's web framework, which takes longer for a request
        than a fast model takes for a prediction.
    backlog
        Counter of the Lambda invocations that wait because too many invocations are running.
    application
        WSGI application of all services. Requests of a client from `client()` call this application in the thread of
        the caller, without a network connection. None until the services are installed.
    """

    url: str
    directory: Path
    child_environment: dict[str, str]
    images: Images
    quotas: Quotas = field(default_factory=Quotas)
    watch: Callable[[int], None] = lambda pid: None
    backlog: Backlog = field(default_factory=Backlog, repr=False)
    routes: list[tuple[re.Pattern[str], Application]] = field(default_factory=list, repr=False)
    application: Application | None = field(default=None, repr=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _callbacks: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def route(self, environ: dict[str, Any]) -> Application | None:
        """Return the application in `routes` that handles a request, or None if no regular expression matches."""
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        return next((application for pattern, application in self.routes if pattern.fullmatch(request)), None)

    def client(self, service: str, region: str) -> Any:
        """Return the boto3 client that all threads share for a service and region."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._create_client(service, region)
            return self._clients[key]

    def _create_client(self, service: str, region: str) -> Any:
        client = boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=self.child_environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.child_environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                inject_host_prefix=False,
                max_pool_connections=64,
                read_timeout=900,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                user_agent="sagelocal",  # by default, boto3 assembles a user agent for each request
            ),
        )
        client.meta.events.register("before-send", self._respond)
        return client

    def _respond(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        return None if self.application is None else in_process.respond(self.application, request)

    @cached_property
    def deliveries(self) -> Deliveries:
        """The queue and threads that deliver events; the threads start at the first access."""
        deliveries = Deliveries()
        self.on_stop(deliveries.stop)
        return deliveries

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Register a callback for the stop of the emulator. Callbacks run in reverse order of registration."""
        self._callbacks.append(callback)

    def stop(self) -> None:
        """Stop all services and delete the scratch directory."""
        while self._callbacks:
            self._callbacks.pop()()
        shutil.rmtree(self.directory, ignore_errors=True)
