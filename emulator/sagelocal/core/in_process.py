"""Call the WSGI application for requests of the emulator's own boto3 clients, without a network connection.

The application runs in the client's thread. boto3 sends no request if a handler of its event `before-send` returns a
response. Sources: https://docs.aws.amazon.com/boto3/latest/guide/events.html and botocore's `endpoint.py`
"""

import io
import re
import sys
from collections.abc import Callable, Iterable
from contextvars import Context
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3 import HTTPHeaderDict, HTTPResponse

Application = Callable[[dict[str, Any], Any], Any]  # WSGI
QUOTED_SLASH = re.compile("%2[fF]")


def respond(application: Application, request: AWSPreparedRequest) -> AWSResponse:
    """Return the application's response to a request."""
    # an empty context, as in a server thread, because context variables of the caller must not affect the request
    status, headers, body = Context().run(_call, application, environment(request))
    raw = HTTPResponse(
        io.BytesIO(body),
        headers=HTTPHeaderDict([*headers, ("Date", formatdate(usegmt=True))]),
        status=status,
        preload_content=False,
        request_method=request.method,
    )
    return AWSResponse(request.url, status, raw.headers, raw)


def environment(request: AWSPreparedRequest) -> dict[str, Any]:
    """Return the WSGI environment that the server would create for a request."""
    url = urlsplit(request.url)
    content = _content(request.body)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": _text(value) for name, value in request.headers.items()}
    content_type = headers.pop("HTTP_CONTENT_TYPE", "")
    for name in ("HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"):
        headers.pop(name, None)
    raw_uri = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return {
        **headers,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(content)),
        "HTTP_HOST": url.netloc,
        # encoded slashes stay encoded, as in cheroot
        "PATH_INFO": "%2F".join(unquote_to_bytes(part).decode("latin-1") for part in QUOTED_SLASH.split(url.path)),
        "QUERY_STRING": url.query,
        "RAW_URI": raw_uri,
        "REMOTE_ADDR": url.hostname or "",
        "REQUEST_METHOD": request.method,
        "REQUEST_URI": raw_uri,
        "SCRIPT_NAME": "",
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "moto.preserved_header_names": preserved_names(request.headers.keys()),
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(content),
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": url.scheme,
        "wsgi.version": (1, 0),
    }


def preserved_names(headers: Iterable[str]) -> dict[str, str]:
    """Return the original names, by WSGI name, of the S3 metadata headers that contain underscores.

    A WSGI name has an underscore for both a dash and an underscore, so the original name cannot be derived from it.
    """
    return {
        f"HTTP_{name.upper().replace('-', '_')}": name
        for name in headers
        if "_" in name and name.lower().startswith("x-amz-meta-")
    }


def _call(application: Application, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    head: list[Any] = []
    parts = application(environ, lambda *status_and_headers: head.append(status_and_headers))
    try:
        body = b"".join(parts)
    finally:
        getattr(parts, "close", lambda: None)()
    status, headers = head[-1][:2]
    return int(status.split()[0]), headers, body


def _content(body: Any) -> bytes:
    content = body.read() if hasattr(body, "read") else body or b""
    return content.encode() if isinstance(content, str) else bytes(content)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
