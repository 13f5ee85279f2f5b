"""Plan, apply, compare and destroy what Terraform manages.

plan     save a plan, and show what it would change
apply    apply the saved plan
up       plan, and apply that plan
deploy   the same for the approved model: fail if there is none, or if the endpoint does not serve it
drift    fail if the live stack differs from the configuration, other than by an endpoint whose lifetime has ended
down     destroy everything, including what the workflow created outside Terraform
"""

import argparse
import contextlib
from functools import partial

from common import aws
from common.errors import OperatorError
from deployment import provisioning
from deployment.endpoint_lifetime import EndpointLifetime
from deployment.existing_resources import plan_with_imports
from deployment.read_stack import StackMissingError, read_stack
from deployment.remote_state import check_state_is_moved
from deployment.terraform import Plan
from registry import endpoint
from scripts.command import Environment, run_command


def plan(environment: Environment) -> Plan:
    """Save a plan, and print its summary."""
    saved = plan_with_imports(environment.terraform, aws.client)
    print(saved.summary)
    return saved


def apply(environment: Environment) -> None:
    """Apply the saved plan."""
    saved = environment.terraform.saved_plan()
    environment.terraform.init()
    provisioning.apply(environment.terraform, saved, lambda: check_endpoint(environment))


def up(environment: Environment) -> None:
    """Save a plan and apply it."""
    await_endpoint(environment)
    provisioning.apply(environment.terraform, plan(environment), lambda: check_endpoint(environment))


def await_endpoint(environment: Environment) -> None:
    """Wait for an endpoint that a killed command was creating or updating."""
    with contextlib.suppress(StackMissingError):
        stack = read_stack(environment.terraform)  # not `environment.stack`, which the apply may change
        endpoint.await_endpoint(stack.endpoint_name, sagemaker=aws.client("sagemaker", stack.region))


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
    print(endpoint_lifetime(environment).describe())


def endpoint_lifetime(environment: Environment) -> EndpointLifetime:
    """Return the lifetime of the environment's endpoint."""
    stack = environment.stack
    return EndpointLifetime(stack.endpoint_name, stack.endpoint_schedule, scheduler=environment.client("scheduler"))


def drift(environment: Environment) -> None:
    """Check that the live stack does not differ from the configuration, and otherwise write how to `drift.txt`."""
    report = environment.directory / provisioning.DRIFT_FILE
    report.unlink(missing_ok=True)
    if not environment.terraform.outputs():
        print(f"{environment.name} is not deployed: there is nothing to compare")
        return
    provisioning.check_drift(environment.terraform, plan(environment), report, lambda: endpoint_lifetime(environment))


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
