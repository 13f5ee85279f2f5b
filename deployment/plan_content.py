"""Read the content of a plan: the resources that it changes, and the model that it deploys."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deployment.cost import resources
from registry.model_registry import read_version
from registry.trained_classes import check_classes

# What `make plan` prints for Terraform's actions on a resource. "no-op" and "read" change nothing and are not printed:
# https://developer.hashicorp.com/terraform/internals/json-format#change-representation
ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("delete",): "destroy",
    ("forget",): "forget",
}
ORDER = ("import", "create", "update", "replace", "destroy", "forget")


def list_changes(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line with the action and the address for each resource that a plan changes, in the order of `ORDER`.

    Parameters
    ----------
    plan : content of a plan, as `terraform show -json` prints it
    """
    changes = [
        (action, each["address"], " (imported first)" if each["change"].get("importing") and action != "import" else "")
        for each in plan.get("resource_changes", ())
        if (action := action_of(each["change"]))
    ]
    for action, address, note in sorted(changes, key=lambda change: (ORDER.index(change[0]), change[1])):
        yield f"  {action:<8} {address}{note}"


def action_of(change: Mapping[str, Any]) -> str | None:
    """Return the action of a plan on a resource, or None if the plan does not change the resource.

    If a plan imports a resource and also updates or replaces it, the function returns `update` or `replace`.
    """
    return ACTIONS.get(tuple(change["actions"])) or ("import" if change.get("importing") else None)


def deployed_model_package(plan: Mapping[str, Any]) -> str | None:
    """Return the ARN of the model package that a plan deploys or keeps, or None if the plan contains no model."""
    for resource in resources(plan["planned_values"]["root_module"]):
        if resource["type"] == "aws_sagemaker_model":
            arn: str = resource["values"]["primary_container"][0]["model_package_name"]
            return arn
    return None


def check_model_classes(environment: str, plan: Mapping[str, Any], client: Callable[..., Any]) -> None:
    """Check that the model that a plan deploys was trained on the classes in the environment's settings.

    Parameters
    ----------
    client : returns an AWS client, given `service` and `region`

    Raises
    ------
    ClassesDifferError
        The model was trained on classes that differ from the settings.
    """
    arn = deployed_model_package(plan)
    if arn is None:
        return
    settings = {name: variable.get("value") for name, variable in plan["variables"].items()}
    check_classes(
        read_version(arn, sagemaker=client("sagemaker", region=settings["region"])),
        settings["classes"],
        where=f"terraform/environments/{environment}.tfvars",
        advice=(
            f"run `make stage train ENV={environment}` to train a model on these, `make approve ENV={environment}` if "
            f"it requires manual approval, and `make deploy ENV={environment}`, or set `classes` to the model's classes"
        ),
    )
