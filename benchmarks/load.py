"""Measure the throughput and latency of a server under concurrent clients."""

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

SECONDS = 3.0  # default duration of a measurement


class LoadError(Exception):
    """The server did not start, a request failed, or the status of a response is not 200."""


@dataclass(frozen=True)
class Load:
    """The throughput and latency of a server under a number of clients.

    Attributes
    ----------
    clients : number of concurrent clients, each of which waits for a response before its next request
    rate : responses per second, over all clients
    p50, p99 : latency in milliseconds
    """

    clients: int
    rate: float
    p50: float
    p99: float


def measure_load(url: str, body: bytes, headers: Mapping[str, str], *, clients: int, seconds: float = SECONDS) -> Load:
    """Post `body` to `url` from several clients, each on its own persistent connection, and measure the responses.

    Raises
    ------
    LoadError
        A request failed, or the status of a response is not 200.
    """
    durations: list[list[float]] = [[] for _ in range(clients)]
    errors: list[str] = []
    started = time.perf_counter()

    def run(own: list[float]) -> None:
        try:
            send_requests(own)
        except (OSError, http.client.HTTPException) as error:
            errors.append(f"request to {url} failed: {error or type(error).__name__}")

    def send_requests(own: list[float]) -> None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < started + seconds and not errors:
            sent = time.perf_counter()
            connection.request("POST", address.path, body, dict(headers))
            response = connection.getresponse()
            content = response.read()
            if response.status != http.client.OK:
                errors.append(f"{url} responded {response.status}: {content[:200]!r}")
            own.append(time.perf_counter() - sent)
        connection.close()

    threads = [threading.Thread(target=run, args=(own,)) for own in durations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise LoadError(errors[0])
    milliseconds = np.concatenate([np.array(own) for own in durations]) * 1000
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return Load(clients, len(milliseconds) / (time.perf_counter() - started), float(p50), float(p99))
