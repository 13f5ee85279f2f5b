"""Error responses, in AWS's format, for operations that are not supported or that fail inside the emulator."""

import io
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel
from moto.core.exceptions import ServiceException
from moto.core.model import ServiceModel
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from sagelocal.core.routing import ApiCall, api_call

# moto warns about error codes that a service's model does not contain, such as NotImplemented
warnings.filterwarnings("ignore", message=r"Exception\(_Fault\)")

# The AWS SDKs and the Terraform AWS provider retry the statuses 500, 502, 503 and 504 for minutes, but not 501.
STATUS = "501 Not Implemented"


@dataclass(frozen=True)
class _Response:
    headers: list[tuple[str, str]]
    body: bytes


class _Fault(ServiceException):
    """An error whose code the service's model does not contain.

    `ServiceException` itself cannot be used: for an exception class in `moto.<name>`, moto also loads the model of the
    service `<name>`, which fails for `moto.core`. For a class outside moto, moto skips this step.
    """


class ErrorResponses:
    """WSGI middleware around moto that returns AWS error responses for exceptions and unsupported operations."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass a request to moto, and return its response or an error response."""
        form = _read_form(environ)
        head: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            head[:] = [status, headers]

        try:
            body: Iterable[bytes] = self._application(environ, begin)
        except NotImplementedError as error:
            return _send(start_response, _unsupported(environ, form, str(error)))
        except Exception as error:
            return _send(start_response, _failed(environ, form, error))
        if _is_unrouted(*head):
            return _send(start_response, _unsupported(environ, form, ""))
        start_response(*head)
        return body


def _read_form(environ: dict[str, Any]) -> str:
    """Return the body of a form request, which contains the operation, or an empty string for any other request.

    moto can still read the body afterwards.
    """
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return ""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body.decode("utf-8", "replace")


def _is_unrouted(status: str, headers: list[tuple[str, str]]) -> bool:
    """Return whether a response is a 404 or 405 of the web framework, and not of a service."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return status[:3] in {"404", "405"} and types[:1] == ["text/html; charset=utf-8"] and lengths[:1] != ["0"]


def _unsupported(environ: dict[str, Any], form: str, detail: str) -> _Response:
    call = api_call(environ, form)
    message = f"sagelocal does not support {call}"
    if detail and "action has not been implemented" not in detail:
        message += f": {detail}"
    print(message, file=sys.stderr, flush=True)
    return _error(environ, call, "NotImplemented", message)


def _failed(environ: dict[str, Any], form: str, error: Exception) -> _Response:
    call = api_call(environ, form)
    message = f"sagelocal failed in {call}: {type(error).__name__}: {error}"
    print(message, file=sys.stderr)
    traceback.print_exception(error)
    sys.stderr.flush()
    return _error(environ, call, "InternalFailure", message)


def _send(start_response: Any, response: _Response) -> list[bytes]:
    start_response(STATUS, [*response.headers, ("Content-Length", str(len(response.body)))])
    return [response.body]


def _error(environ: dict[str, Any], call: ApiCall, code: str, message: str) -> _Response:
    """Return an error response in the protocol of the request, serialized by moto."""
    model = _model(call.service)
    protocol = _protocol(environ, model)
    serializer = get_serializer_class(model.service_name, protocol)(OperationModel({}, model, call.operation))
    serialized = serializer.serialize(_Fault(code, message))
    headers = {**serialized["headers"], "x-amzn-RequestId": str(uuid4())}
    body = serialized["body"]
    return _Response(list(headers.items()), body if isinstance(body, bytes) else body.encode())


def _model(service: str) -> ServiceModel:
    try:
        return get_service_model(service)
    except UnknownServiceError:
        # an unknown service gets Lambda's model, which is only used to select the error format
        return get_service_model("lambda")


def _protocol(environ: dict[str, Any], model: ServiceModel) -> str:
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    try:
        return determine_request_protocol(model, environ.get("CONTENT_TYPE"))
    except NotImplementedError:
        return str(model.protocol)
