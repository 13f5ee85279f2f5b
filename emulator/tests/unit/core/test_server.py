"""The HTTP server: its port, responses and threads."""

import errno
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from sagelocal.core.errors import SagelocalError
from sagelocal.core.server import ADDED_THREADS, THREADS, _bind

from ...waiting import eventually

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("headers", [[("Content-Length", "10")], []], ids=["known-length", "chunked"])
def test_response_headers_and_body_are_sent_in_one_write(headers: list[tuple[str, str]]) -> None:
    # GIVEN an application whose response has two parts
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [b"first", b"last."]

    server = _bind(0)
    server.wsgi_app = application
    client, accepted = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # each datagram is one write
    try:
        client.send(REQUEST)
        # WHEN
        server.ConnectionClass(server, accepted).communicate()
        # THEN
        response = client.recv(4096)
        assert response.startswith(b"HTTP/1.1 200 OK")
        assert b"first" in response
        assert b"last." in response
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(4096)
    finally:
        client.close()
        accepted.close()
        server.stop()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        pytest.param(errno.EADDRINUSE, "port 80 of 127.0.0.1 is in use: choose another port", id="port-in-use"),
        pytest.param(errno.EACCES, "port 80 of 127.0.0.1 requires privileges: choose another port", id="privileged"),
        pytest.param(errno.EMFILE, "cannot listen on 127.0.0.1: Too many open files", id="other-error"),
    ],
)
def test_error_says_why_the_server_cannot_listen(monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    # GIVEN
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("cheroot.server.HTTPServer.bind", fail)

    # WHEN / THEN
    with pytest.raises(SagelocalError, match=message):
        _bind(80)


def test_error_for_a_port_in_use_names_the_port() -> None:
    # GIVEN
    server = _bind(0)
    try:
        # WHEN / THEN
        with pytest.raises(SagelocalError, match=f"port {server.bind_addr[1]} of 127.0.0.1 is in use"):
            _bind(server.bind_addr[1])
    finally:
        server.stop()


def test_most_added_threads_end_after_a_burst_of_requests() -> None:
    # GIVEN a server that has added threads for a burst of requests
    server = _bind(0)
    pool = server.requests
    try:
        pool.grow(4 * ADDED_THREADS)
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("CP Server")]

        def remaining() -> int:
            pool.shrink_if_unused()
            return sum(thread.is_alive() for thread in threads)

        # WHEN the threads are unused, THEN only some of the added threads remain, for later requests
        eventually(lambda: remaining() == THREADS + ADDED_THREADS)
        assert remaining() == THREADS + ADDED_THREADS
    finally:
        server.stop()
