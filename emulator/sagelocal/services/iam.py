"""IAM: the policy simulator, which the SageMaker SDK calls to check a role."""

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add


def install(emulator: Emulator) -> None:
    """Add SimulatePrincipalPolicy. It allows every action, because the emulator does not enforce IAM policies."""
    add(IamResponse, "simulate_principal_policy", _simulate_principal_policy)


def _simulate_principal_policy(request: Any) -> ActionResult:
    resources = request._get_param("ResourceArns") or ["*"]
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
        for action in request._get_param("ActionNames") or []
        for resource in resources
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
