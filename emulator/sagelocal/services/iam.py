"""IAM: the policy simulator, by which the SageMaker SDK looks at a role. Roles are not enforced here."""

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add


def install(emulator: Emulator) -> None:
    """Add SimulatePrincipalPolicy; it allows everything, as the emulator does."""
    add(IamResponse, "simulate_principal_policy", _simulate_principal_policy)


def _simulate_principal_policy(request: Any) -> ActionResult:
    resources = request._get_param("ResourceArns") or ["*"]
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
        for action in request._get_param("ActionNames") or []
        for resource in resources
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
