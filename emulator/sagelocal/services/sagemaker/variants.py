"""Production variants: a model server each, replaced when it dies, emptied before it ends."""

import http.client
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.services.sagemaker.logs import LogStream
from sagelocal.services.sagemaker.servers import Answer, HostingError, ModelServer

LOOK_INTERVAL = 0.5  # seconds between two looks at a server's process
PING_INTERVAL = 5.0  # seconds between two pings of a server that has nothing to do
REST_AFTER = 20.0  # seconds without a request after which a serverless model's server ends
DYING = 0.5  # seconds that a process may take to end after its connections are closed
PINGS = 3  # that may fail in a row


class RetiredError(Exception):
    """The variant takes no more requests: the endpoint has other servers by now."""


class Variant:
    """A model server of one production variant, its weight, and the requests that it is answering.

    Parameters
    ----------
    name, weight
        Of the production variant.
    image
        Of its container, as DescribeEndpoint shows it.
    log
        The servers' log; closed when the variant ends.
    start
        Starts a server.
    on_demand
        Whether the server ends where nothing is asked for a while, and starts with the next request: serverless.

    Raises
    ------
    HostingError
        The server does not come up.
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
        self._on_demand = on_demand
        self._busy = 0
        self._last_asked = time.monotonic()
        self._retired = False
        self._idle = threading.Condition()
        self._reviving = threading.Lock()
        self._ended = threading.Event()
        try:
            self._server = start()
        except Exception:
            log.close()
            raise
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask the model.

        Raises
        ------
        RetiredError
            The variant has been replaced.
        OSError, http.client.HTTPException
            The server is gone even after it was started anew, or does not answer in time.
        HostingError
            It cannot be started anew.
        """
        with self._idle:
            if self._retired:
                raise RetiredError
            self._busy += 1
            self._last_asked = time.monotonic()
        try:
            return self._invoke(body, headers)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    @property
    def busy(self) -> int:
        """Requests that it is answering."""
        return self._busy

    def leave(self) -> None:
        """Look after the server no more."""
        self._ended.set()

    def drain(self, limit: float) -> None:
        """Take no more requests, and end the server once it has answered those it has, at most `limit` seconds."""
        self.leave()
        with self._idle:
            self._retired = True
            self._idle.wait_for(lambda: self._busy == 0, timeout=limit)
        with self._reviving:
            self._server.stop()
        self._log.close()

    def _invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """A server that died under a request is asked again once it is back."""
        server = self._server
        try:
            return server.invoke(body, headers)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            self._revive(server)
        return self._server.invoke(body, headers)

    def _revive(self, server: ModelServer) -> None:
        """Start a server anew if it is dead; whoever asks meanwhile waits for the same one."""
        with self._reviving:
            if self._server is server and not self._retired and server.ends_within(DYING):
                self._server = self._start()
                server.stop()

    def _watch(self) -> None:
        failed, next_ping = 0, time.monotonic() + PING_INTERVAL
        while not self._ended.wait(LOOK_INTERVAL):
            if self._on_demand:
                self._rest()
                continue
            if self._server.alive and not self._busy and time.monotonic() > next_ping:
                failed, next_ping = self._failed_pings(failed), time.monotonic() + PING_INTERVAL
            if failed >= PINGS:  # it hangs
                self._server.stop()
            if not self._server.alive:
                failed = 0
                self._try_to_revive()

    def _rest(self) -> None:
        """End a server that nobody asks; whoever does meanwhile waits, and starts it anew."""
        with self._reviving:
            if self._server.alive and not self._busy and time.monotonic() - self._last_asked > REST_AFTER:
                self._server.stop()

    def _failed_pings(self, before: int) -> int:
        return 0 if self._server.ping() else before + 1

    def _try_to_revive(self) -> None:
        try:
            self._revive(self._server)
        except HostingError as error:
            print(f"{self._log.group}: {self.name} does not come up again: {error}", file=sys.stderr)


@dataclass(frozen=True)
class Fleet:
    """The servers of one endpoint configuration.

    Attributes
    ----------
    capture
        Its `DataCaptureConfig`.
    """

    variants: tuple[Variant, ...]
    capture: Mapping[str, Any]

    def choose(self, name: str | None) -> Variant | None:
        """The variant of this name, or one drawn by weight; None where there is none to choose."""
        if name:
            return next((variant for variant in self.variants if variant.name == name), None)
        weights = [variant.weight for variant in self.variants]
        if not any(weights):
            return None
        return random.choices(self.variants, weights)[0]  # noqa: S311 (traffic, not secrets)

    def drain(self, limit: float) -> None:
        """End all servers."""
        for variant in self.variants:
            variant.drain(limit)
