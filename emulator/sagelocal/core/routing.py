"""Which operation of which service a request calls, for any of AWS's protocols."""

import functools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel

# Signing names that differ from the name of the service's model.
SIGNED_AS = {
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


@dataclass(frozen=True)
class Called:
    """A service by the name of its model, and an operation."""

    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def called(environ: dict[str, Any], form: str) -> Called:
    """The operation that a WSGI request calls; `form` is its body where that is a form."""
    service = _service(environ)
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return Called(service, target.rpartition(".")[2])
    action = parse_qs(form).get("Action") or parse_qs(environ.get("QUERY_STRING", "")).get("Action")
    if action:
        return Called(service, action[0])
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    operation = re.fullmatch(r"/service/[^/]+/operation/([^/]+)", path)
    if operation:
        return Called(service, operation[1])
    return Called(service, _by_path(service, method, path, environ.get("QUERY_STRING", "")) or f"{method} {path}")


def _service(environ: dict[str, Any]) -> str:
    scope = re.search(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    name = scope[1].lower() if scope else "s3"
    return SIGNED_AS.get(name, name)


def _by_path(service: str, method: str, path: str, query: str) -> str | None:
    given = set(parse_qs(query, keep_blank_values=True))
    fitting = [
        (len(required), literal, name)
        for name, verb, pattern, required, literal in _routes(service)
        if verb == method and required <= given and pattern.fullmatch(path)
    ]
    return max(fitting)[2] if fitting else None


@functools.cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], frozenset[str], int]]:
    """Per operation: name, method, pattern of the path, query parameters, number of literal characters."""
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
