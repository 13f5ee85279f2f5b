"""Resource policies of functions, versions and aliases.

moto stores one policy for each version, but no policies for aliases.
Source: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html (Qualifier)
"""

from typing import Any
from urllib.parse import unquote

from moto.awslambda import models
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse

from sagelocal.core.patching import replace


def install() -> None:
    """Keep a separate policy for the function, for each version and for each alias."""

    def add_permission(backend: Any, function_name: str, qualifier: str | None, raw: str) -> dict[str, Any]:
        policy = _policy(backend, function_name, qualifier)
        statement, _ = policy.add_statement(raw, _qualifier(function_name, qualifier))
        return dict(statement)

    def get_policy(backend: Any, function_name: str, qualifier: str | None = None) -> str:
        return str(_policy(backend, function_name, qualifier).wire_format())

    def remove_permission(request: Any) -> tuple[int, dict[str, Any], str]:
        *_, name, _, sid = unquote(request.path.split("?")[0]).split("/")
        query = {key: values[0] for key, values in request.querystring.items()}
        _policy(request.backend, name, query.get("Qualifier")).del_statement(sid, query.get("RevisionId", ""))
        return 204, {"status": 204}, "{}"

    def delete_function(backend: Any, function_name: str, qualifier: str | None = None) -> None:
        name, version = backend.get_function(function_name).function_name, _qualifier(function_name, qualifier)
        original(backend, function_name, qualifier)
        policies = _policies(backend)
        for key in [key for key in policies if key[0] == name and version in (None, key[1])]:
            del policies[key]

    replace(models.LambdaBackend, "add_permission", add_permission, parameters=("function_name", "qualifier", "raw"))
    replace(models.LambdaBackend, "get_policy", get_policy, parameters=("function_name", "qualifier"))
    replace(LambdaResponse, "remove_permission", remove_permission)
    original = replace(
        models.LambdaBackend, "delete_function", delete_function, parameters=("function_name", "qualifier")
    )


def _policy(backend: Any, name: str, parameter: str | None) -> Any:
    """Return the resource policy of a function, or of one version or alias.

    Parameters
    ----------
    name
        Function name or ARN, with or without a qualifier (the version or the alias).
    parameter
        Value of the request parameter `Qualifier`, which is used if `name` has no qualifier.
    """
    qualifier = _qualifier(name, parameter)
    backend.get_function(name, parameter)  # an unknown version or alias is an error
    function = backend.get_function(name.split(":function:")[-1].partition(":")[0])
    if qualifier is None:
        return function.policy
    key = (function.function_name, qualifier)
    return _policies(backend).setdefault(key, Policy(function))


def _policies(backend: Any) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = backend.__dict__.setdefault("qualified_policies", {})
    return found


def _qualifier(name: str, parameter: str | None) -> str | None:
    return name.split(":function:")[-1].partition(":")[2] or parameter
