"""How the emulator answers on the wire."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest
from sagelocal.core.server import _bind

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("headers", [[("Content-Length", "10")], []], ids=["of known length", "chunked"])
def test_head_and_body_of_an_answer_leave_together(headers: list[tuple[str, str]]) -> None:
    # GIVEN
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [b"first", b"last."]

    server = _bind(0)
    server.wsgi_app = application
    client, accepted = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # a datagram is what one call sent
    try:
        client.send(REQUEST)
        # WHEN
        server.ConnectionClass(server, accepted).communicate()
        # THEN
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"first" in answer
        assert b"last." in answer
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(4096)
    finally:
        client.close()
        accepted.close()
        server.stop()
