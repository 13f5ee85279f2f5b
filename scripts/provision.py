"""Plan, apply, compare and destroy what Terraform declares.

plan     show what an apply would change, and keep it as a saved plan
apply    what the last `plan` kept, and nothing but it
up       plan, and apply exactly that
deploy   the same, for the approved model: fails where there is none, or where the endpoint keeps another
drift    fail unless a plan against the live stack is empty, but for an endpoint that its time to live has ended
down     destroy everything, and what jobs and endpoints left outside Terraform
"""

import argparse
import contextlib
import shutil
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from common.errors import TerraformError
from common.stack import Stack
from deployment.read_stack import StackMissingError
from deployment.terraform import Plan
from deployment.unmanaged_resources import UnmanagedResources, remove
from registry import endpoint
from scripts.command import Environment, OperatorError, run_command
from scripts.lifetime import end, is_over, lifetime


class DriftError(OperatorError):
    """The live stack is not what the code declares."""


class PlanMissingError(OperatorError):
    """There is no saved plan to apply."""


class ModelMissingError(OperatorError):
    """There is no approved model to deploy."""


class ProtectedError(OperatorError):
    """Production is destroyed only by an explicit word, and protected data not at all."""


class LeftoversError(OperatorError):
    """Something of the environment is left that nobody here made."""


def plan(environment: Environment) -> Plan:
    """Plan, and print what would change."""
    planned = environment.terraform.plan()
    print(planned.summary)
    return planned


def apply(environment: Environment) -> None:
    """Apply the plan that was saved.

    Raises
    ------
    PlanMissingError
        None was saved.
    """
    saved = environment.terraform.saved_plan
    if not saved.path.is_file():
        raise PlanMissingError(f"there is no {saved.path}: run `make plan ENV={environment.name}` first")
    environment.terraform.init()
    carry_out(environment, saved)


def up(environment: Environment) -> None:
    """Apply a fresh plan."""
    carry_out(environment, plan(environment))


def carry_out(environment: Environment, planned: Plan) -> None:
    """Apply a plan, then hold the live endpoint against it.

    Raises
    ------
    registry.endpoint.EndpointError
        The endpoint serves another configuration than the planned one.
    """

    def check() -> None:
        stack = environment.stack
        check_endpoint(stack, boto3.client("sagemaker", region_name=stack.region))

    try:
        environment.terraform.apply(planned)
    except TerraformError:
        # then Terraform's own error says more
        with contextlib.suppress(StackMissingError, endpoint.EndpointMissingError, ClientError):
            check()
        raise
    check()


def deploy(environment: Environment) -> None:
    """Deploy the approved model.

    Raises
    ------
    ModelMissingError
        None is approved yet.
    registry.endpoint.EndpointError
        The endpoint serves another configuration than the planned one.
    """
    print("a new model gets a part of the traffic first, and all of it unless an alarm goes off meanwhile")
    up(environment)
    stack = environment.stack
    if stack.endpoint_config_name is None:
        raise ModelMissingError(
            f"no model is approved in {stack.environment}: run `make train` "
            f"(and `make approve` where approval is a person's), then `make deploy`"
        )
    print(f"{stack.endpoint_name} serves {stack.endpoint_config_name}")
    print(lifetime(stack, end(boto3.client("scheduler", region_name=stack.region), stack)))


def check_endpoint(stack: Stack, sagemaker: Any) -> None:
    """Compare the live endpoint with the planned one.

    The provider reports an update that SageMaker rolled back as a success
    (terraform-provider-aws, issues 46663 and 48997), and never SageMaker's reason.

    Raises
    ------
    registry.endpoint.EndpointError
        It serves another configuration, or is not in service.
    """
    if stack.endpoint_config_name is None:
        return
    advice = (
        f"the model in use is still the planned one: run `make rollback deploy ENV={stack.environment}` to go back, "
        "then `make reject`"
    )
    endpoint.check_endpoint(stack.endpoint_name, stack.endpoint_config_name, advice=advice, sagemaker=sagemaker)


DRIFT = "drift.txt"  # how the live stack differs, in the environment's folder

# What is gone with an endpoint that its time to live has ended, and comes back with it
OF_THE_ENDPOINT = (
    "module.endpoint.aws_sagemaker_endpoint.",
    "module.scaling.aws_appautoscaling_",
    "module.cost_control.terraform_data.endpoint",
    "module.cost_control.aws_scheduler_schedule.",
    "module.cost_control.aws_iam_role_policy.",
)


def drift(environment: Environment) -> None:
    """Fail unless the live stack is what the code declares, and keep in `drift.txt` how it differs.

    An endpoint that its time to live has ended is as declared, and so is an environment that is not deployed.

    Raises
    ------
    DriftError
        A plan against it has something else.
    """
    kept = environment.directory / DRIFT
    kept.unlink(missing_ok=True)
    if not environment.terraform.outputs():
        print(f"{environment.name} is not deployed, and nothing can differ")
        return
    planned = plan(environment)
    changed = changes(environment.terraform.show(planned))
    planned.path.unlink(missing_ok=True)
    if planned.empty:
        return
    stack = environment.stack
    ends = end(boto3.client("scheduler", region_name=stack.region), stack)
    if is_over(ends) and changed and all(address.startswith(OF_THE_ENDPOINT) for address in changed):
        print(lifetime(stack, ends))
        return
    shutil.copy(environment.directory / "terraform-plan.log", kept)
    raise DriftError(f"the live stack differs: {planned.summary} Read {kept}, then `make up` or mend the code")


def changes(content: Mapping[str, Any]) -> list[str]:
    """The addresses of what a plan changes."""
    found = content.get("resource_changes", [])
    return [each["address"] for each in found if set(each["change"]["actions"]) - {"no-op", "read"}]


def down(environment: Environment) -> None:
    """Destroy the environment.

    Raises
    ------
    ProtectedError
        It is production, and the word is missing; or another is given; or its data are protected, which a destruction
        would otherwise find out only after it has taken half of the rest down.
    LeftoversError
        Something that no step of the workflow makes bears the environment's tag.
    """
    confirmed = environment.options.confirm
    if environment.name == "prod" and not confirmed:
        raise ProtectedError("this destroys production: say `make down ENV=prod CONFIRM=prod` if you mean it")
    if confirmed not in ("", environment.name):
        raise ProtectedError(
            f"nothing was destroyed: CONFIRM={confirmed} is another name than the environment's, {environment.name}"
        )
    try:
        stack = environment.stack
    except StackMissingError:
        stack = None  # an apply that broke off has resources but no outputs
    if stack and stack.protected:
        raise ProtectedError(
            f"the data of {environment.name} are protected, and nothing was destroyed: set `protected = false` in "
            f"terraform/environments/{environment.name}.tfvars, run `make up ENV={environment.name}`, then this again"
        )
    planned = environment.terraform.plan(destroy=True)
    content = environment.terraform.show(planned)
    leftovers = UnmanagedResources(environment.name, content["variables"]["region"]["value"])
    remove(leftovers.in_the_way())
    environment.terraform.apply(planned)
    remove(leftovers.left())
    if tagged := leftovers.tagged(destroyed(content)):
        raise LeftoversError(
            f"these still bear the tag of {environment.name}; AWS lists some for hours after their end, remove by hand "
            f"those that are there: {' '.join(tagged)}"
        )
    print(f"nothing of {environment.name} is left")


def destroyed(content: Mapping[str, Any]) -> set[str]:
    """The ARNs of what a plan destroys."""
    changed = (each["change"] for each in content.get("resource_changes", []))
    return {
        change["before"]["arn"] for change in changed if "delete" in change["actions"] and "arn" in change["before"]
    }


ACTIONS = {"plan": plan, "apply": apply, "up": up, "deploy": deploy, "drift": drift, "down": down}


def options(parser: argparse.ArgumentParser) -> None:
    """The action, and the word that production asks for."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--confirm", default="", help="the environment's name, to destroy prod")


def main(environment: Environment) -> None:
    """Do what was asked."""
    ACTIONS[environment.options.action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
