"""Find the service and operation that a request calls, for all AWS protocols."""

import functools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel

# Names of botocore's service models, for services whose signing name is different
MODEL_BY_SIGNING_NAME = {
    "aidevops": "devops-agent",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "elasticmapreduce": "emr",
    "email": "sesv2",
    "eventbridge": "events",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
# Further models that share a signing name; their operations are identified by the path
MODELS_WITH_PATHS = {
    "sagemaker": (
        "sagemaker-runtime",
        "sagemaker-metrics",
        "sagemaker-featurestore-runtime",
        "sagemaker-a2i-runtime",
    ),
}


@dataclass(frozen=True)
class ApiCall:
    """An operation of a service; `service` is the name of the service's model in botocore."""

    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def api_call(environ: dict[str, Any], form: str) -> ApiCall:
    """Return the operation that a WSGI request calls.

    Parameters
    ----------
    environ
        The WSGI environment.
    form
        Body of a form request; an empty string for any other content type.

    Returns
    -------
    ApiCall
        If the operation is unknown, `operation` contains the method and the path.
    """
    service = _service(environ)
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return ApiCall(service, target.rpartition(".")[2])
    action = parse_qs(form).get("Action") or parse_qs(environ.get("QUERY_STRING", "")).get("Action")
    if action:
        return ApiCall(service, action[0])
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    operation = re.fullmatch(r"/service/[^/]+/operation/([^/]+)", path)
    if operation:
        return ApiCall(service, operation[1])
    for model in (service, *MODELS_WITH_PATHS.get(service, ())):
        if name := _by_path(model, method, path, environ.get("QUERY_STRING", "")):
            return ApiCall(model, name)
    return ApiCall(service, f"{method} {path}")


def _service(environ: dict[str, Any]) -> str:
    scope = re.search(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    name = scope[1].lower() if scope else "s3"
    return MODEL_BY_SIGNING_NAME.get(name, name)


def _by_path(service: str, method: str, path: str, query: str) -> str | None:
    present = set(parse_qs(query, keep_blank_values=True))
    matches = [
        (len(required), literal, name)
        for name, verb, pattern, required, literal in _routes(service)
        if verb == method and required <= present and pattern.fullmatch(path)
    ]
    return max(matches)[2] if matches else None


@functools.cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], frozenset[str], int]]:
    """Return the name, method, path pattern, required query parameters and literal path length of each operation."""
    try:
        model = botocore.session.Session().get_service_model(service)
    except UnknownServiceError:
        return []
    return [_route(model.operation_model(name)) for name in model.operation_names]


def _route(operation: OperationModel) -> tuple[str, str, re.Pattern[str], frozenset[str], int]:
    path, _, query = operation.http.get("requestUri", "/").partition("?")
    required = {*parse_qs(query, keep_blank_values=True), *_required_in_query(operation)}
    literal = len(re.sub(r"\{[^}]+\}", "", path))
    return operation.name, operation.http.get("method", "POST"), _pattern(path), frozenset(required), literal


def _required_in_query(operation: OperationModel) -> list[str]:
    shape = operation.input_shape
    return [
        shape.members[name].serialization.get("name", name)
        for name in (shape.required_members if shape else ())
        if shape.members[name].serialization.get("location") == "querystring"
    ]


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path.rstrip("/"))
    translated = (
        re.escape(part) if not part.startswith("{") else (".+" if part.endswith("+}") else "[^/]+") for part in parts
    )
    return re.compile("".join(translated) + "/?")
