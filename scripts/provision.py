"""Plan, apply, compare and destroy what Terraform manages.

plan     save a plan, and list the resources that it would change
apply    apply the saved plan
up       restore functions whose code was replaced outside Terraform, plan, and apply that plan
deploy   the same for the approved model: fail if there is none, or if the endpoint does not serve it
drift    fail if the live stack differs from the configuration, other than by an endpoint whose lifetime has ended
down     destroy everything, including what the workflow created outside Terraform
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
from scripts.command import Environment, run_command


def plan(environment: Environment) -> None:
    """Save a plan, and print which resources it changes."""
    _, content = save_plan(environment, deployed_stack(environment))
    for line in plan_content.list_changes(content):
        print(line)
    print(f"the whole plan: {environment.terraform.logs / 'terraform-plan.log'}")


def save_plan(environment: Environment, stack: Stack | None) -> tuple[Plan, Mapping[str, Any]]:
    """Save a plan, print its summary, and return it with its content, which is empty if the plan is.

    Raises
    ------
    SettingsError
        The environment's file sets an unknown or an invalid value.
    ClassesDifferError
        The plan deploys a model that was trained on other classes; it is deleted, so that nobody applies it.
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
    """Return the stack before an apply, which may change it; None before the first."""
    try:
        return read_stack(environment.terraform)
    except StackMissingError:
        return None


def live_variables(stack: Stack | None) -> dict[str, int]:
    """Return the variable that makes a deployment keep the number of instances to which the endpoint is scaled."""
    count = stack and live_instance_count(stack)
    return {"endpoint_live_instance_count": count} if count else {}


def live_instance_count(stack: Stack) -> int | None:
    """Return the number of instances of the stack's endpoint; None if it does not exist or is serverless."""
    return endpoint.instance_count(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))


def apply(environment: Environment) -> None:
    """Apply the saved plan."""
    saved = environment.terraform.saved_plan()
    environment.terraform.init()
    content, stack = environment.terraform.show(saved), deployed_stack(environment)
    check_instance_count(environment.name, content, stack)
    prepare(content, stack)
    provisioning.apply(environment.terraform, saved, lambda: check_endpoint(environment))
    warn_without_subscriber(environment)


def check_instance_count(environment: str, content: Mapping[str, Any], stack: Stack | None) -> None:
    """Check that a saved plan does not deploy fewer instances than those to which the endpoint has scaled meanwhile.

    Raises
    ------
    OperatorError
        It does.
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
    """Save a plan and apply it."""
    stack = deployed_stack(environment)
    if stack:
        # a command that was killed may have left an endpoint that is being updated
        endpoint.await_endpoint(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))
        restore_code(stack)
    saved, content = save_plan(environment, stack)
    if not saved.empty:
        prepare(content, stack)
    provisioning.apply(environment.terraform, saved, lambda: check_endpoint(environment))
    warn_without_subscriber(environment)


def prepare(content: Mapping[str, Any], stack: Stack | None) -> None:
    """Check what would make the apply of a plan fail half-way: the quota for a deployment, and an endpoint that failed.

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
    """Return the code of the stack's functions."""
    awslambda = aws.client("lambda", stack.region)
    return FunctionCode(stack.environment, stack.function_code_sha256, awslambda=awslambda)


def restore_code(stack: Stack) -> None:
    """Deploy the built code of functions whose code was replaced outside Terraform."""
    code = function_code(stack)
    for name in code.replaced():
        print(f"restoring the code of {name}, which was replaced outside Terraform")
        code.restore(name)


def warn_without_subscriber(environment: Environment) -> None:
    """Print a warning if nobody receives what the budget and the alarms report."""
    topic, sns = environment.stack.failures_topic_arn, environment.client("sns")
    if warning := missing_subscriber_warning(environment.name, topic, sns=sns):
        print(warning, file=sys.stderr)


def check_endpoint(environment: Environment) -> None:
    """Check that the endpoint serves the planned configuration, if there is a model to serve."""
    stack = environment.stack
    if stack.endpoint_config_name is None:
        return
    advice = (
        f"the model in use is still the planned one: run `make rollback deploy ENV={environment.name}` to return to "
        "the previous one, then `make reject`"
    )
    endpoint.check_endpoint(
        stack.endpoint_name, stack.endpoint_config_name, advice=advice, sagemaker=environment.client("sagemaker")
    )


def deploy(environment: Environment) -> None:
    """Deploy the approved model."""
    print("a new model receives a part of the traffic first, and all of it unless an alarm goes into ALARM")
    up(environment)
    stack = environment.stack
    if stack.endpoint_config_name is None:
        raise OperatorError(
            f"{environment.name} has no approved model: run `make train ENV={environment.name}`, "
            "`make approve` if it requires manual approval, then `make deploy`"
        )
    print(f"endpoint {stack.endpoint_name} serves {stack.endpoint_config_name}")
    print(environment.endpoint_lifetime.describe())


def drift(environment: Environment) -> None:
    """Check that the live stack does not differ from the configuration, and otherwise write how to `drift.txt`."""
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
    """Check that no function's code was replaced outside Terraform, which a plan reports as an error and not as drift.

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
    # checked first: Terraform would fail at the protected data only after it has destroyed half of the rest
    if is_protected(environment):
        raise OperatorError(
            f"nothing was destroyed, because the data of {environment.name} are protected: set `protected = false` in "
            f"terraform/environments/{environment.name}.tfvars, run `make up ENV={environment.name}`, then try again"
        )
    provisioning.destroy(environment.terraform, aws.client)


def is_protected(environment: Environment) -> bool:
    """Return whether the environment is deployed with protected data."""
    try:
        return environment.stack.protected
    except StackMissingError:  # a first apply that failed leaves resources but no outputs
        return False


ACTIONS = {"plan": plan, "apply": apply, "up": up, "deploy": deploy, "drift": drift, "down": down}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action and the confirmation."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--confirm", default="", help="name of the environment, required to destroy prod")


def main(environment: Environment) -> None:
    """Run the action."""
    action, terraform = environment.options.action, environment.terraform
    with environment.lock(action):
        check_state_is_moved(terraform, environment.name, partial(aws.client, region=aws.default_region()))
        if not terraform.backend_file.is_file():
            terraform.local_state.restore()
        ACTIONS[action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
