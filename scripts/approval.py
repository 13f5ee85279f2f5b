"""A person's word on a registered model.

approve   put a version into use: the one named, else the newest that waits
reject    keep a version from ever being used
rollback  put the version into use that was in use before

What is in use reaches the endpoint with the next `make deploy`.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import boto3

from common.stack import Stack
from registry.model_registry import (
    Version,
    find_version,
    model_in_use,
    number_of,
    point_to,
    put_in_use,
    read_versions,
    served_model,
    used_before,
)
from registry.registration import reject as mark_rejected
from scripts.command import Environment, OperatorError, run_command

REASON_LENGTH = 1024  # characters that the registry keeps


class NothingPendingError(OperatorError):
    """No model waits for approval."""


class IncompleteError(OperatorError):
    """A rejection needs a version and a reason."""


class InUseError(OperatorError):
    """What answers requests cannot be rejected."""


class NothingToRollBackToError(OperatorError):
    """No version was in use before the one that is, or none of them may be used."""


def approve(environment: Environment) -> None:
    """Approve, and point Terraform at it."""
    stack, named = environment.stack, environment.options.model
    versions = read_versions(stack, boto3.client("sagemaker", region_name=stack.region))
    version = find_version(versions, named) if named else newest_pending(versions, stack)
    if version.status == "Rejected":
        print(f"{version.name} was rejected: {version.approval or version.judged}")
    put_in_use(stack, version.arn, reason=signed(environment.options.reason or "approved", stack))
    print(f"{version.name} is approved: `make deploy ENV={stack.environment}` puts it behind the endpoint")


def newest_pending(versions: Sequence[Version], stack: Stack) -> Version:
    """The version that a person is waited for with.

    Raises
    ------
    NothingPendingError
        There is none.
    """
    for version in versions:
        if version.status == "PendingManualApproval":
            return version
    raise NothingPendingError(f"no model of {stack.model_package_group} waits for approval: `make train` makes one")


def reject(environment: Environment) -> None:
    """Reject, with a reason."""
    stack, options = environment.stack, environment.options
    if not options.model or not options.reason:
        raise IncompleteError("say which model and why: make reject MODEL=version REASON='...'")
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    version = find_version(read_versions(stack, sagemaker), options.model)
    in_use = model_in_use(stack, boto3.client("ssm", region_name=stack.region))
    check_unused(version, in_use, served_model(stack, sagemaker), stack.environment)
    mark_rejected(version.arn, sagemaker=sagemaker, reason=signed(options.reason, stack))
    print(f"{version.name} is rejected")


def check_unused(version: Version, in_use: str | None, served: str | None, environment: str) -> None:
    """A rejected version must answer nothing, now or after the next deployment.

    Raises
    ------
    InUseError
        It does.
    """
    if version.arn == in_use:
        raise InUseError(
            f"{version.name} is in use: `make rollback ENV={environment}`, or approve another, before it is rejected"
        )
    if version.arn == served:
        raise InUseError(f"{version.name} is still behind the endpoint: `make deploy ENV={environment}` first")


def rollback(environment: Environment) -> None:
    """Go back to the version that was in use before.

    Raises
    ------
    NothingToRollBackToError
        No model is in use, or there is none to go back to.
    """
    stack = environment.stack
    ssm = boto3.client("ssm", region_name=stack.region)
    in_use = model_in_use(stack, ssm)
    if in_use is None:
        raise NothingToRollBackToError(f"no model is in use in {stack.environment}: there is nothing to roll back")
    versions = read_versions(stack, boto3.client("sagemaker", region_name=stack.region))
    version = version_before(versions, used_before(stack, ssm), stack.environment)
    point_to(stack, version.arn, "rolled back", ssm=ssm)
    print(
        f"{version.name} is in use again: `make deploy ENV={stack.environment}` puts it behind the endpoint "
        f"(v{number_of(in_use)} stays approved: `make reject` if it must not come back)"
    )


def version_before(versions: Sequence[Version], used: Sequence[str], environment: str) -> Version:
    """The last version in use that is there still, and approved.

    Parameters
    ----------
    used : ARNs of the versions that were in use before, the latest first

    Raises
    ------
    NothingToRollBackToError
        There is none.
    """
    approved = {version.arn: version for version in versions if version.status == "Approved"}
    for arn in used:
        if arn in approved:
            return approved[arn]
    raise NothingToRollBackToError(
        "no version that was in use before is approved: there is none to go back to "
        f"(`make models ENV={environment}` lists them, `make approve MODEL=...` puts one into use)"
    )


def signed(reason: str, stack: Stack) -> str:
    """A reason with the name of whom AWS takes this person for."""
    identity: Any = boto3.client("sts", region_name=stack.region).get_caller_identity()
    end = f" (by {identity['Arn']})"
    return reason[: REASON_LENGTH - len(end)] + end


ACTIONS = {"approve": approve, "reject": reject, "rollback": rollback}


def options(parser: argparse.ArgumentParser) -> None:
    """What to do, with which version, and why."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--model", default="", help="a version (3, v3 or its ARN)")
    parser.add_argument("--reason", default="", help="in words, kept in the registry")


def main(environment: Environment) -> None:
    """Do what was asked."""
    ACTIONS[environment.options.action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
