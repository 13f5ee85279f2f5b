"""Apply plans, detect drift, and destroy an environment."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from common.errors import OperatorError
from deployment.endpoint_lifetime import EndpointLifetime
from deployment.existing_resources import import_into_state
from deployment.read_stack import StackMissingError
from deployment.terraform import Plan, Terraform, TerraformError
from deployment.unmanaged_resources import UnmanagedResources, remove_all
from registry.endpoint import EndpointMissingError

DRIFT_FILE = "drift.txt"  # file in `build/<environment>/` that shows how the live stack differs from the configuration

ENDPOINT = "module.endpoint.aws_sagemaker_endpoint."  # prefix of the endpoint's address
# Address prefixes of the resources that a plan changes after the schedule has deleted the endpoint: the endpoint, its
# scaling, and the resources that define its lifetime, which begins anew in the next apply
ENDPOINT_RESOURCES = (
    ENDPOINT,
    "module.scaling.aws_appautoscaling_",
    "module.cost_control.aws_ssm_parameter.lifetime",
    "module.cost_control.aws_scheduler_schedule.",
    "module.cost_control.aws_iam_role_policy.",
)


def apply(terraform: Terraform, plan: Plan, check_endpoint: Callable[[], object]) -> None:
    """Apply a plan, then check the endpoint.

    Raises
    ------
    TerraformError
        The apply failed. If `check_endpoint` finds that SageMaker rolled back the deployment or has not ended it, its
        error is raised instead, because Terraform does not report the reason for the rollback, and waits for a
        deployment for one hour at most.
    """
    try:
        terraform.apply(plan)
    except TerraformError:
        with contextlib.suppress(StackMissingError, EndpointMissingError, ClientError):
            check_endpoint()
        raise
    check_endpoint()


def check_drift(
    terraform: Terraform,
    plan: Plan,
    content: Mapping[str, Any],
    report: Path,
    lifetime: Callable[[], EndpointLifetime],
) -> None:
    """Check that a plan changes nothing, except an endpoint that was deleted at the end of its lifetime.

    Parameters
    ----------
    plan : saved plan; its file is deleted, so that nobody applies it
    content : content of the plan, as `Terraform.show` returns it
    report : path of the file that is written if the live stack differs from the configuration
    lifetime : returns the lifetime of the deployed endpoint

    Raises
    ------
    OperatorError
        The plan changes anything else, or the endpoint still exists after the end of its lifetime.
    """
    changes = changed_resources(content)
    plan.path.unlink(missing_ok=True)
    if plan.empty:
        return
    ended = changes and all(address.startswith(ENDPOINT_RESOURCES) for address in changes) and lifetime().has_ended()
    if ended and any(address.startswith(ENDPOINT) and changes[address] == ["create"] for address in changes):
        print(lifetime().describe())
        return
    shutil.copy(terraform.logs / "terraform-plan.log", report)
    if ended:
        raise OperatorError(lifetime().describe())
    raise OperatorError(
        f"the live stack differs from the configuration: {plan.summary}. "
        f"Read {report}, then run `make up ENV={terraform.environment}` or change the configuration"
    )


def changed_resources(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return Terraform's actions (such as `create`) by the address of each resource that a plan changes."""
    actions = {change["address"]: change["change"]["actions"] for change in plan.get("resource_changes", [])}
    return {address: names for address, names in actions.items() if set(names) - {"no-op", "read"}}


def check_confirmation(environment: str, confirmation: str) -> None:
    """Check that the confirmation to destroy an environment is the environment's name.

    Only `prod` requires a confirmation; for other environments, it may be empty.

    Raises
    ------
    OperatorError
        The confirmation for `prod` is missing, or the confirmation is not the environment's name.
    """
    if environment == "prod" and not confirmation:
        raise OperatorError("this destroys the production environment: to confirm, add CONFIRM=prod")
    if confirmation not in ("", environment):
        raise OperatorError(
            f"nothing was destroyed: CONFIRM={confirmation} does not match the environment {environment}"
        )


def destroy(terraform: Terraform, client: Callable[..., Any]) -> None:
    """Destroy an environment, and delete the resources that its workflow created outside Terraform.

    Parameters
    ----------
    client : returns an AWS client, given `service` and `region`

    Raises
    ------
    OperatorError
        Resources that this function does not delete still have the environment's tag.
    """
    environment = terraform.environment
    # if the plan that imports resources fails, for example because a setting is invalid, destroy the other resources
    with contextlib.suppress(TerraformError):
        import_into_state(terraform, client)
    plan = terraform.plan(destroy=True)
    content = terraform.show(plan)
    # read from the plan, because an environment whose first apply failed has no outputs
    region = content["variables"]["region"]["value"]
    unmanaged = UnmanagedResources(environment, partial(client, region=region))
    remove_all(unmanaged.before_destroy())
    terraform.apply(plan)
    remove_all(unmanaged.after_destroy())
    if remaining := unmanaged.remaining_arns(destroyed_arns(content)):
        raise OperatorError(
            f"these resources still have the tag of {environment}: {' '.join(remaining)}. "
            "AWS lists some resources for hours after their deletion. Delete those that still exist"
        )
    print(f"{environment} is destroyed")


def destroyed_arns(plan: Mapping[str, Any]) -> set[str]:
    """Return the ARNs of the resources that a plan destroys."""
    changes = (change["change"] for change in plan.get("resource_changes", []))
    return {
        change["before"]["arn"] for change in changes if "delete" in change["actions"] and "arn" in change["before"]
    }
