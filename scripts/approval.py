"""Approve, reject or roll back registered models.

approve   put a model into use: the version MODEL, or the newest version that is pending manual approval
reject    exclude the version MODEL from use, with a REASON
rollback  return to the model that was in use before the current one

The model in use is the version that the next `make deploy` deploys. Until then, the endpoint may serve another version.
"""

import argparse

from common.errors import OperatorError
from registry import approval
from registry.endpoint import deployed_model_package
from registry.model_registry import version_number
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def approve(environment: Environment) -> None:
    """Approve a model and put it into use."""
    chosen = environment.options
    reason = approval.with_author(chosen.reason or "approved", sts=environment.client("sts"))
    before = approval.approve(environment.model_registry, chosen.model, reason)
    if before.status == "Rejected":
        print(f"{before.name} was rejected before: {before.approval_reason or before.gate_reason}")
    print(f"{before.name} is approved: run `make deploy ENV={environment.name}` to deploy it")


def reject(environment: Environment) -> None:
    """Reject a model."""
    chosen, stack = environment.options, environment.stack
    if not chosen.model or not chosen.reason:
        raise OperatorError(
            f"a rejection needs a model and a reason: run `make reject ENV={environment.name} MODEL=3 REASON='...'`"
        )
    version = approval.reject(
        environment.model_registry,
        chosen.model,
        approval.with_author(chosen.reason, sts=environment.client("sts")),
        deployed=deployed_model_package(stack.endpoint_name, sagemaker=environment.client("sagemaker")),
    )
    print(f"{version.name} is rejected")


def rollback(environment: Environment) -> None:
    """Put the model that was in use before the current one into use again."""
    registry = environment.model_registry
    replaced = registry.arn_in_use()
    version = approval.roll_back(registry)
    print(f"{version.name} is in use again: run `make deploy ENV={environment.name}` to deploy it")
    number = version_number(str(replaced))
    advice = f"make deploy reject MODEL={number} REASON='...' ENV={environment.name}"
    print(f"v{number} is still approved: if it must not be used again, run `{advice}`")


ACTIONS = {"approve": approve, "reject": reject, "rollback": rollback}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action, the model and the reason."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--model", default="", help="a version (3, v3 or its ARN)")
    parser.add_argument("--reason", default="", help="reason for the decision, which the registry stores")


def main(environment: Environment) -> None:
    """Run the chosen action."""
    ACTIONS[environment.options.action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
