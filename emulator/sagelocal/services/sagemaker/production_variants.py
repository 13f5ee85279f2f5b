"""Production variants: restart a failed model server, and finish pending requests before a model server stops."""

import http.client
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.services.sagemaker.errors import HostingError
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.model_server import ModelResponse, ModelServer

WATCH_INTERVAL = 0.5  # seconds between two checks of a server's process
PING_INTERVAL = 5.0  # seconds between two pings of an idle server
IDLE_LIMIT = 20.0  # seconds without a request after which a serverless variant's server stops
EXIT_LIMIT = 0.5  # seconds that a process may take to end after it has closed its connections
MAX_FAILED_PINGS = 3  # consecutive failed pings after which a server is restarted


class RetiredError(Exception):
    """The variant accepts no more requests, because the endpoint has been updated or deleted."""


class Variant:
    """One production variant: its weight, its model server and the number of requests in progress.

    Parameters
    ----------
    name
        Name of the production variant.
    weight
        Weight with which `Fleet.choose` selects the variant, relative to the weights of the endpoint's other variants.
    image
        URI of the container image, which DescribeEndpoint returns.
    log
        Log stream of the model server; closed when the variant is drained.
    start
        Function that starts a model server and returns it.
    on_demand
        Whether the variant is serverless: the model server stops when idle, and starts with the next request.

    Raises
    ------
    HostingError
        If the server does not start.
    """

    def __init__(
        self,
        name: str,
        weight: float,
        *,
        image: str,
        log: LogStream,
        start: Callable[[], ModelServer],
        on_demand: bool = False,
    ) -> None:
        self.name = name
        self.weight = weight
        self.image = image
        self._log = log
        self._start = start
        self.on_demand = on_demand
        self._busy = 0
        self._last_request = time.monotonic()
        self._retired = False
        self._idle = threading.Condition()
        self._restarting = threading.Lock()
        self._watch_stopped = threading.Event()
        try:
            self._server = start()
        except Exception:
            log.close()
            raise
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> ModelResponse:
        """Send a request to the model server.

        Raises
        ------
        RetiredError
            If the variant has been drained.
        OSError, http.client.HTTPException
            If the server fails again after a restart, or does not respond in time.
        HostingError
            If the server cannot be restarted.
        """
        with self._idle:
            if self._retired:
                raise RetiredError
            self._busy += 1
            self._last_request = time.monotonic()
        try:
            return self._invoke(body, headers)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    @property
    def busy(self) -> int:
        """The number of requests in progress."""
        return self._busy

    def stop_watching(self) -> None:
        """Stop checking and restarting the server."""
        self._watch_stopped.set()

    def drain(self, limit: float) -> None:
        """Accept no more requests, wait at most `limit` seconds for requests in progress, and stop the server."""
        self.stop_watching()
        with self._idle:
            self._retired = True
            self._idle.wait_for(lambda: self._busy == 0, timeout=limit)
        with self._restarting:
            self._server.stop()
        self._log.close()

    def _invoke(self, body: bytes, headers: Mapping[str, str]) -> ModelResponse:
        """Send a request; if the server dies, restart it and send the request again."""
        server = self._server
        try:
            return server.invoke(body, headers)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            self._restart(server)
        return self._server.invoke(body, headers)

    def _restart(self, server: ModelServer) -> None:
        """Restart a server if it is dead; concurrent callers wait for the same restart."""
        with self._restarting:
            if self._server is server and not self._retired and server.ends_within(EXIT_LIMIT):
                self._server = self._start()
                server.stop()

    def _watch(self) -> None:
        failed, next_ping = 0, time.monotonic() + PING_INTERVAL
        while not self._watch_stopped.wait(WATCH_INTERVAL):
            if self.on_demand:
                self._stop_if_idle()
                continue
            if self._server.alive and not self._busy and time.monotonic() > next_ping:
                failed, next_ping = self._failed_pings(failed), time.monotonic() + PING_INTERVAL
            if failed >= MAX_FAILED_PINGS:
                self._server.stop()
            if not self._server.alive:
                failed = 0
                self._try_restart()

    def _stop_if_idle(self) -> None:
        """Stop the server if it is idle; a request that arrives in the meantime waits, and then restarts the server."""
        with self._restarting:
            if self._server.alive and not self._busy and time.monotonic() - self._last_request > IDLE_LIMIT:
                self._server.stop()

    def _failed_pings(self, before: int) -> int:
        """Ping the server; return 0 if it responds, otherwise the number of failed pings, `before` plus 1."""
        return 0 if self._server.ping() else before + 1

    def _try_restart(self) -> None:
        try:
            self._restart(self._server)
        except HostingError as error:
            print(f"{self._log.group}: {self.name} cannot be restarted: {error}", file=sys.stderr)


@dataclass(frozen=True)
class Fleet:
    """The running variants of one endpoint configuration.

    Attributes
    ----------
    capture
        The `DataCaptureConfig` of the endpoint configuration; empty if there is none.
    """

    variants: tuple[Variant, ...]
    capture: Mapping[str, Any]

    def choose(self, name: str | None) -> Variant | None:
        """Return the variant `name`, or a random variant, chosen by weight, if `name` is None.

        Return None if there is no variant `name`, or if all weights are 0.
        """
        if name:
            return next((variant for variant in self.variants if variant.name == name), None)
        weights = [variant.weight for variant in self.variants]
        if not any(weights):
            return None
        return random.choices(self.variants, weights)[0]  # noqa: S311 (traffic, not secrets)

    def drain(self, limit: float) -> None:
        """Drain all variants."""
        for variant in self.variants:
            variant.drain(limit)
