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
        Endpoint URL of every service, `http://127.0.0.1:PORT`.
    directory
        Scratch directory, deleted when the emulator stops.
    child_environment
        Variables that point the AWS SDKs of a child process at the emulator, in addition to `os.environ`. The
        server removes the user's AWS settings from `os.environ` when it starts.
    images
        The command that runs in place of each container image.
    quotas
        Service quotas of the account.
    watch
        Registers a child process that must not outlive the emulator.
    routes
        WSGI applications that bypass moto's web framework, which takes longer than a fast model. Each has a pattern
        for the method and the path, such as `POST /endpoints/name/invocations`.
    backlog
        The function invocations that wait for an execution environment.
    application
        The WSGI application of all services, which handles the requests of this class's clients in their own thread.
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
        """Return the WSGI application of `routes` for a request, or None."""
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        return next((application for pattern, application in self.routes if pattern.fullmatch(request)), None)

    def client(self, service: str, region: str) -> Any:
        """Return the boto3 client for a service and region, which all threads share."""
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
                user_agent="sagelocal",  # boto3 would assemble its own for each request
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
        """Register a callback that runs when the emulator stops, in reverse order of registration."""
        self._callbacks.append(callback)

    def stop(self) -> None:
        """Stop all services and delete the scratch directory."""
        while self._callbacks:
            self._callbacks.pop()()
        shutil.rmtree(self.directory, ignore_errors=True)
