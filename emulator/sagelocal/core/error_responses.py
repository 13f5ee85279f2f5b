"""What the emulator cannot do is answered at once, as AWS words errors, with the API's name in it."""

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

from sagelocal.core.routing import Called, called

# Moto warns that these codes are in no service's model: they are not AWS's, and meant so.
warnings.filterwarnings("ignore", message=r"Exception\(_Fault\)")

# AWS's SDKs and Terraform's provider repeat 500, 502, 503 and 504 for minutes. 501 is final for all of them.
STATUS = "501 Not Implemented"


@dataclass(frozen=True)
class _Answer:
    headers: list[tuple[str, str]]
    body: bytes


class _Fault(ServiceException):
    """An error that no service's model knows; moto takes the model from an exception's module, so not moto's own."""


class ServiceMissingError(Exception):
    """Moto has nothing of this service."""


class Faults:
    """WSGI middleware round moto: missing operations and its own failures become errors of the service."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        form = _keep_form(environ)
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun[:] = [status, headers]

        try:
            body: Iterable[bytes] = self._application(environ, begin)
        except (NotImplementedError, ServiceMissingError) as error:
            return _send(start_response, _missing(environ, form, str(error)))
        except Exception as error:
            return _send(start_response, _failed(environ, form, error))
        if _is_unrouted(*begun):
            return _send(start_response, _missing(environ, form, ""))
        start_response(*begun)
        return body


def _keep_form(environ: dict[str, Any]) -> str:
    """The body of a form, which names the operation; it can still be read by moto."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return ""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body.decode("utf-8", "replace")


def _is_unrouted(status: str, headers: list[tuple[str, str]]) -> bool:
    """Whether the web framework, and not a service, says that there is nothing at this path."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return status[:3] in {"404", "405"} and types[:1] == ["text/html; charset=utf-8"] and lengths[:1] != ["0"]


def _missing(environ: dict[str, Any], form: str, detail: str) -> _Answer:
    call = called(environ, form)
    message = f"the emulator has no {call}"
    if detail and "action has not been implemented" not in detail:
        message += f": {detail}"
    print(message, file=sys.stderr, flush=True)
    return _error(environ, call, "NotImplemented", message)


def _failed(environ: dict[str, Any], form: str, error: Exception) -> _Answer:
    call = called(environ, form)
    message = f"the emulator failed in {call}: {type(error).__name__}: {error}"
    print(message, file=sys.stderr)
    traceback.print_exception(error)
    sys.stderr.flush()
    return _error(environ, call, "InternalFailure", message)


def _send(start_response: Any, answer: _Answer) -> list[bytes]:
    start_response(STATUS, [*answer.headers, ("Content-Length", str(len(answer.body)))])
    return [answer.body]


def _error(environ: dict[str, Any], call: Called, code: str, message: str) -> _Answer:
    """An error in the protocol in which the service was asked, written by moto's own serializers."""
    model = _model(call.service)
    protocol = _protocol(environ, model)
    serializer = get_serializer_class(model.service_name, protocol)(OperationModel({}, model, call.operation))
    written = serializer.serialize(_Fault(code, message))
    headers = {**written["headers"], "x-amzn-RequestId": str(uuid4())}
    body = written["body"]
    return _Answer(list(headers.items()), body if isinstance(body, bytes) else body.encode())


def _model(service: str) -> ServiceModel:
    try:
        return get_service_model(service)
    except UnknownServiceError:
        # any service of the same protocol family words its errors the same way
        return get_service_model("lambda")


def _protocol(environ: dict[str, Any], model: ServiceModel) -> str:
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    try:
        return determine_request_protocol(model, environ.get("CONTENT_TYPE"))
    except NotImplementedError:
        return str(model.protocol)
