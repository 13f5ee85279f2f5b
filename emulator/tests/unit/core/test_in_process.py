"""Requests that the emulator's own clients send to the WSGI application, without a network connection."""

import io
from contextvars import ContextVar
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest

from sagelocal.core.in_process import environment, respond

URL = "http://127.0.0.1:5000"
variable: ContextVar[str] = ContextVar("variable", default="unset")


def request(path: str = "/", method: str = "PUT", data: Any = b"", headers: dict[str, str] | None = None) -> Any:
    """Return a prepared request of botocore."""
    return AWSRequest(method, URL + path, headers or {}, data).prepare()


def test_wsgi_environment_has_the_values_that_the_server_would_set() -> None:
    # GIVEN a request with an encoded path, a query and metadata whose name contains an underscore
    headers = {"Content-Type": "text/plain", "x-amz-meta-a_b": "c", "X-Amz-Target": b"Service.Operation"}
    sent = request("/bucket/a%20b%2Fc%C3%A9?list-type=2", headers=headers)  # type: ignore[arg-type]

    # WHEN the WSGI environment for it is created
    environ = environment(sent)

    # THEN the path is decoded except for encoded slashes, and the headers have the names that WSGI and moto define
    assert environ["PATH_INFO"] == "/bucket/a b%2Fc\xc3\xa9"
    assert environ["RAW_URI"] == "/bucket/a%20b%2Fc%C3%A9?list-type=2"
    assert (environ["QUERY_STRING"], environ["HTTP_HOST"]) == ("list-type=2", "127.0.0.1:5000")
    assert (environ["CONTENT_TYPE"], environ["HTTP_X_AMZ_TARGET"]) == ("text/plain", "Service.Operation")
    assert environ["moto.preserved_header_names"] == {"HTTP_X_AMZ_META_A_B": "x-amz-meta-a_b"}


@pytest.mark.parametrize("data", [b"body", "body", io.BytesIO(b"body")], ids=["bytes", "text", "file"])
def test_application_receives_the_body_and_its_length(data: Any) -> None:
    # GIVEN an application that responds with the request's body
    def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

    # WHEN a request has a body
    response = respond(echo, request(data=data))

    # THEN the application receives it
    assert (response.status_code, response.content) == (201, b"body")
    assert response.headers["content-type"] == "text/plain"


def test_response_to_a_head_request_has_a_length_but_no_body() -> None:
    # GIVEN an application that responds to HEAD with the length of the object
    def head(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "1000")])
        return []

    # WHEN a HEAD request is sent
    response = respond(head, request(method="HEAD"))

    # THEN reading the response does not fail
    assert (response.content, response.headers["Content-Length"]) == (b"", "1000")


def test_context_variables_of_caller_and_application_are_separate() -> None:
    # GIVEN a caller that has set a context variable
    read_values = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        read_values.append(variable.get())
        variable.set("changed")
        start_response("200 OK", [])
        return []

    variable.set("caller's")

    # WHEN the caller sends a request to an application that reads and changes this variable
    respond(application, request())

    # THEN the application does not read the caller's value, and the caller keeps its value
    assert (read_values, variable.get()) == (["unset"], "caller's")
