"""Stands in for awslambdaric's C extension of this name where no wheel has it (macOS, Windows).

The four functions that awslambdaric calls, over one kept-alive connection. Standard library only: it runs in
the function's process.
"""

import http.client
import os

RUNTIME = "/2018-06-01/runtime/invocation"

_connection: http.client.HTTPConnection | None = None
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    """Remember how to present itself."""
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:
    """Wait for the next invocation: its payload and headers."""
    status, headers, body = _request("GET", f"{RUNTIME}/next")
    if status != http.HTTPStatus.OK:
        raise RuntimeError(f"the runtime API answered {status}")
    given: dict[str, str | int] = dict(headers.items())
    given["Lambda-Runtime-Deadline-Ms"] = int(given.get("Lambda-Runtime-Deadline-Ms", 0))
    return body, given


def post_invocation_result(
    invoke_id: str, data: bytes, content_type: str = "application/json", invocation_id: str | None = None
) -> None:
    """Hand in what the handler returned."""
    _request("POST", f"{RUNTIME}/{invoke_id}/response", data, {"Content-Type": content_type})


def post_error(invoke_id: str, data: str, xray_fault: str = "", invocation_id: str | None = None) -> None:
    """Hand in what the handler raised."""
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
