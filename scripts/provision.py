"""Plan, apply and destroy the resources that Terraform manages, and detect drift.

plan     save a plan, and list the resources that the plan would change
apply    apply the saved plan
up       restore functions whose code was replaced outside Terraform, save a plan and apply it
deploy   do what `up` does, but fail if no model is approved, or if the endpoint does not serve the approved model
drift    fail if the live stack differs from the configuration; an endpoint that was deleted at the end of its lifetime
         is not a difference
down     destroy all resources, including those that the workflow created outside Terraform
"""

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from common import aws
from common.errors import OperatorError
from common.files import write
from common.stack import Stack
from deployment import plan_content, provisioning
from deployment.deployment_quota import check_quota, planned_deployment
from deployment.existing_resources import plan_with_imports
from deployment.function_code import FunctionCode
from deployment.notifications import missing_subscriber_warning
from deployment.read_stack import StackMissingError, read_stack
from deployment.remote_state import check_state_is_moved
from deployment.settings import read_settings
from deployment.terraform import Plan
from registry import endpoint
from registry.trained_classes import ClassesDifferError
from scripts.command.environment import Environment
from scripts.command.runner import run_command

ENDPOINT = "aws_sagemaker_endpoint"


def plan(environment: Environment) -> None:
    """Save a plan, and print the resources that it changes."""
    _, content = save_plan(environment, deployed_stack(environment))
    for line in plan_content.list_changes(content):
        print(line)
    print(f"the whole plan: {environment.terraform.logs / 'terraform-plan.log'}")


def save_plan(environment: Environment, stack: Stack | None) -> tuple[Plan, Mapping[str, Any]]:
    """Save a plan, print its summary, and return the plan and its content; the content of an empty plan is empty.

    Raises
    ------
    SettingsError
        The environment's file sets an unknown variable or an invalid value.
    ClassesDifferError
        The plan deploys a model that was trained on other classes. The plan is deleted, so that nobody applies it.
    """
    read_settings(environment.name)
    saved, content = plan_with_imports(environment.terraform, aws.client, variables=live_variables(stack))
    if not saved.empty:
        try:
            plan_content.check_model_classes(environment.name, content, aws.client)
        except ClassesDifferError:
            saved.path.unlink()
            raise
    print(saved.summary)
    return saved, content


def deployed_stack(environment: Environment) -> Stack | None:
    """Return the currently deployed stack, which an apply may change, or None if the environment is not deployed."""
    try:
        return read_stack(environment.terraform)
    except StackMissingError:
        return None


def live_variables(stack: Stack | None) -> dict[str, int]:
    """Return the Terraform variable with the endpoint's current number of instances, which a deployment then keeps.

    The dictionary is empty if there is no endpoint, or if the endpoint is serverless.
    """
    count = stack and live_instance_count(stack)
    return {"endpoint_live_instance_count": count} if count else {}


def live_instance_count(stack: Stack) -> int | None:
    """Return the number of instances of the stack's endpoint; None if the endpoint does not exist or is serverless."""
    return endpoint.instance_count(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))


def apply(environment: Environment) -> None:
    """Apply the saved plan."""
    saved = environment.terraform.saved_plan()
    environment.terraform.init()
    content, stack = environment.terraform.show(saved), deployed_stack(environment)
    check_endpoint_exists(environment.name, content, stack)
    check_instance_count(environment.name, content, stack)
    prepare(content, stack)
    provisioning.apply(environment.terraform, saved, lambda: check_endpoint(environment))
    warn_without_subscriber(environment)


def check_endpoint_exists(environment: str, content: Mapping[str, Any], stack: Stack | None) -> None:
    """Check that the endpoint still exists if a saved plan keeps or updates it.

    The schedule may have deleted the endpoint since the plan was saved. Terraform would then not create it again, and
    an update would fail after other resources have changed.

    Raises
    ------
    OperatorError
        The plan keeps or updates an endpoint that does not exist or is being deleted.
    """
    is_kept = any(
        each["type"] == ENDPOINT and not {"create", "delete"} & set(each["change"]["actions"])
        for each in content.get("resource_changes", ())
    )
    if not (stack and is_kept):
        return
    if endpoint.remaining_status(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region)) is None:
        raise OperatorError(
            f"nothing was applied, because endpoint {stack.endpoint_name} was deleted after the plan was made, for "
            f"example at the end of its lifetime: run `make plan apply ENV={environment}`, or run the workflow again"
        )


def check_instance_count(environment: str, content: Mapping[str, Any], stack: Stack | None) -> None:
    """Check that a saved plan does not deploy fewer instances than the endpoint has now.

    The endpoint may have scaled out since the plan was saved.

    Raises
    ------
    OperatorError
        The plan deploys fewer instances than the endpoint has.
    """
    deployment = planned_deployment(content)
    maximum = content.get("variables", {}).get("endpoint_max_instance_count", {}).get("value")
    if not (stack and deployment and maximum):
        return
    current = min(live_instance_count(stack) or 0, maximum)
    if deployment.count < current:
        raise OperatorError(
            f"nothing was applied, because the endpoint has scaled to {current} instances since the plan was made, and "
            f"the plan deploys {deployment.count}: run `make plan apply ENV={environment}`, or run the workflow again"
        )


def up(environment: Environment) -> None:
    """Restore replaced function code, then save a plan and apply it."""
    stack = deployed_stack(environment)
    if stack:
        # a command that was killed may have started an update of the endpoint that is still in progress
        endpoint.await_endpoint(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))
        restore_code(stack)
    saved, content = save_plan(environment, stack)
    if not saved.empty:
        prepare(content, stack)
    provisioning.apply(environment.terraform, saved, lambda: check_endpoint(environment))
    warn_without_subscriber(environment)


def prepare(content: Mapping[str, Any], stack: Stack | None) -> None:
    """Check that the quota allows the planned deployment, and delete an endpoint whose creation failed.

    Otherwise, the apply would fail after it has changed resources.

    Raises
    ------
    OperatorError
        The quota is too low.
    """
    if stack is None:
        return
    if deployment := planned_deployment(content):
        check_quota(
            deployment, live_instance_count(stack) or 0, service_quotas=aws.client("service-quotas", stack.region)
        )
    endpoint.delete_failed_endpoint(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))


def function_code(stack: Stack) -> FunctionCode:
    """Return the code of the stack's Lambda functions."""
    awslambda = aws.client("lambda", stack.region)
    return FunctionCode(stack.environment, stack.function_code_sha256, awslambda=awslambda)


def restore_code(stack: Stack) -> None:
    """Deploy the built code of functions whose code was replaced outside Terraform."""
    code = function_code(stack)
    for name in code.replaced():
        print(f"restoring the code of {name}, which was replaced outside Terraform")
        code.restore(name)


def warn_without_subscriber(environment: Environment) -> None:
    """Print a warning if nobody receives the notifications of the budget and the alarms."""
    topic, sns = environment.stack.failures_topic_arn, environment.client("sns")
    if warning := missing_subscriber_warning(environment.name, topic, sns=sns):
        print(warning, file=sys.stderr)


def check_endpoint(environment: Environment) -> None:
    """Check that the endpoint serves the planned configuration; do nothing if no model is approved."""
    stack = environment.stack
    if stack.endpoint_config_name is None:
        return
    advice = (
        f"the model in use is still the planned one: run `make rollback deploy ENV={environment.name}` to return to "
        f"the previous one, then `make reject ENV={environment.name} MODEL=... REASON='...'`"
    )
    endpoint.check_endpoint(
        stack.endpoint_name, stack.endpoint_config_name, advice=advice, sagemaker=environment.client("sagemaker")
    )


def deploy(environment: Environment) -> None:
    """Deploy the approved model."""
    print("a new model first receives a part of the traffic, and then all of it unless an alarm goes into ALARM")
    up(environment)
    stack = environment.stack
    if stack.endpoint_config_name is None:
        raise OperatorError(
            f"{environment.name} has no approved model: run `make train ENV={environment.name}`, `make approve "
            f"ENV={environment.name}` if it requires manual approval, then `make deploy ENV={environment.name}`"
        )
    print(f"endpoint {stack.endpoint_name} serves {stack.endpoint_config_name}")
    print(environment.endpoint_lifetime.describe())


def drift(environment: Environment) -> None:
    """Check that the live stack does not differ from the configuration; write a difference to `drift.txt`."""
    report = environment.directory / provisioning.DRIFT_FILE
    report.unlink(missing_ok=True)
    if not environment.terraform.outputs():
        print(f"{environment.name} is not deployed: there is nothing to compare")
        return
    stack = deployed_stack(environment)
    check_function_code(environment.name, stack, report)
    saved, content = save_plan(environment, stack)
    provisioning.check_drift(environment.terraform, saved, content, report, lambda: environment.endpoint_lifetime)


def check_function_code(environment: str, stack: Stack | None, report: Path) -> None:
    """Check that no function's code was replaced outside Terraform.

    The check runs before the plan, because a plan fails if the code was replaced (`terraform/modules/functions`).

    Raises
    ------
    OperatorError
        The code of a function was replaced; `report` names the function.
    """
    if stack and (replaced := function_code(stack).replaced()):
        difference = f"the code of {' and '.join(replaced)} was replaced outside Terraform"
        write(report, f"{difference}\n".encode())
        raise OperatorError(
            f"the live stack differs from the configuration: {difference}. "
            f"Run `make up ENV={environment}`, which restores it"
        )


def down(environment: Environment) -> None:
    """Destroy the environment."""
    provisioning.check_confirmation(environment.name, environment.options.confirm)
    # checked first, because Terraform would fail at the protected data only after it has destroyed other resources
    if is_protected(environment):
        raise OperatorError(
            f"nothing was destroyed, because the data of {environment.name} are protected: set `protected = false` in "
            f"terraform/environments/{environment.name}.tfvars, run `make up ENV={environment.name}`, then try again"
        )
    provisioning.destroy(environment.terraform, aws.client)


def is_protected(environment: Environment) -> bool:
    """Return whether the deployed environment has the setting `protected`."""
    try:
        return environment.stack.protected
    except StackMissingError:  # after a first apply that failed, there are resources but no outputs
        return False


ACTIONS = {"plan": plan, "apply": apply, "up": up, "deploy": deploy, "drift": drift, "down": down}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action and the option `--confirm`."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--confirm", default="", help="name of the environment, required to destroy prod")


def main(environment: Environment) -> None:
    """Run the action while no other command uses Terraform."""
    action, terraform = environment.options.action, environment.terraform
    with environment.lock(action):
        check_state_is_moved(terraform, environment.name, partial(aws.client, region=aws.default_region()))
        if not terraform.backend_file.is_file():
            terraform.local_state.restore()
        ACTIONS[action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
