"""The server sends each response in one write."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest

from sagelocal.core.server import _bind

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("headers", [[("Content-Length", "10")], []], ids=["known-length", "chunked"])
def test_head_and_body_are_sent_in_one_write(headers: list[tuple[str, str]]) -> None:
    # GIVEN
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
