"""IAM: adds the policy simulator, which the SageMaker SDK calls to check a role, and loads managed policies lazily."""

from collections import UserDict
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace


class ManagedPolicies(UserDict[str, Any]):
    """A dictionary of managed policies by ARN.

    AWS's managed policies are loaded at the first access instead of at the start, because parsing them takes a second.
    """

    def __init__(self, load: Callable[[], list[Any]]) -> None:
        self._load = load

    @cached_property
    def data(self) -> dict[str, Any]:  # type: ignore[override]  # UserDict stores its items in `data`
        """All managed policies by ARN."""
        return {policy.arn: policy for policy in self._load()}


def install(emulator: Emulator) -> None:
    """Add the operation SimulatePrincipalPolicy, and load AWS's managed policies lazily.

    SimulatePrincipalPolicy allows every action, because the emulator does not enforce IAM policies. The policies are
    loaded lazily, because moto creates a backend for each AWS partition at the first request, and each of these
    backends would load all policies.
    """
    add(IamResponse, "simulate_principal_policy", _simulate_principal_policy)
    load = replace(IAMBackend, "_init_aws_policies", lambda backend: [])
    replace(IAMBackend, "_init_managed_policies", lambda backend: ManagedPolicies(partial(load, backend)))


def _simulate_principal_policy(request: Any) -> ActionResult:
    resources = request._get_param("ResourceArns") or ["*"]
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
        for action in request._get_param("ActionNames") or []
        for resource in resources
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
