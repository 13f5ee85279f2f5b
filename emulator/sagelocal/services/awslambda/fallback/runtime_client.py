"""A substitute for awslambdaric's C extension `runtime_client`, which awslambdaric's wheels for macOS do not contain.

The module has the four functions that awslambdaric calls, and sends all requests on one connection. It imports only the
standard library, because it runs in the process of the function.
"""

import http.client
import os

RUNTIME = "/2018-06-01/runtime/invocation"

_connection: http.client.HTTPConnection | None = None
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    """Set the user agent of all requests."""
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:
    """Wait for the next invocation and return its payload and headers."""
    status, headers, body = _request("GET", f"{RUNTIME}/next")
    if status != http.HTTPStatus.OK:
        raise RuntimeError(f"the runtime API returned status {status}")
    metadata: dict[str, str | int] = dict(headers.items())
    metadata["Lambda-Runtime-Deadline-Ms"] = int(metadata.get("Lambda-Runtime-Deadline-Ms", 0))
    return body, metadata


def post_invocation_result(
    invoke_id: str, data: bytes, content_type: str = "application/json", invocation_id: str | None = None
) -> None:
    """Send the return value of the handler."""
    _request("POST", f"{RUNTIME}/{invoke_id}/response", data, {"Content-Type": content_type})


def post_error(invoke_id: str, data: str, xray_fault: str = "", invocation_id: str | None = None) -> None:
    """Send the error document of an exception that the handler raised."""
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": "Unhandled"}
    _request("POST", f"{RUNTIME}/{invoke_id}/error", data.encode(), headers)


def _request(
    method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    global _connection
    if _connection is None:
        _connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    _connection.request(method, path, body, {"User-Agent": _user_agent, **(headers or {})})
    response = _connection.getresponse()
    return response.status, response.headers, response.read()
