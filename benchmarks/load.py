"""Clients that ask a server as fast as it answers."""

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

SECONDS = 3.0


class LoadError(Exception):
    """The server refused a request."""


@dataclass(frozen=True)
class Load:
    """How a server held out.

    Attributes
    ----------
    clients : that each asked again once it was answered
    rate : answers a second, of all together
    p50, p99 : milliseconds from a request to its answer
    """

    clients: int
    rate: float
    p50: float
    p99: float


def ask(url: str, body: bytes, headers: Mapping[str, str], *, clients: int, seconds: float = SECONDS) -> Load:
    """Post `body` to `url` by several clients, each on a connection of its own that it keeps.

    Raises
    ------
    LoadError
        An answer was not 200.
    """
    taken: list[list[float]] = [[] for _ in range(clients)]
    refused: list[str] = []
    begun = time.perf_counter()

    def run(mine: list[float]) -> None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < begun + seconds and not refused:
            sent = time.perf_counter()
            connection.request("POST", address.path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != http.client.OK:
                refused.append(f"{answer.status}: {content[:200]!r}")
            mine.append(time.perf_counter() - sent)
        connection.close()

    threads = [threading.Thread(target=run, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise LoadError(f"{url} answers {refused[0]}")
    all_of_them = np.concatenate([np.array(mine) for mine in taken]) * 1000
    p50, p99 = np.percentile(all_of_them, [50, 99])
    return Load(clients, len(all_of_them) / (time.perf_counter() - begun), float(p50), float(p99))
