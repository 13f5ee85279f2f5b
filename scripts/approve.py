"""Approve the newest registered model that waits for a person, so that the next deployment takes it."""

import boto3

from scripts.command import Environment, OperatorError, run_command
from scripts.registry import put_in_use


class NothingPendingError(OperatorError):
    """No model waits for approval."""


def main(environment: Environment) -> None:
    """Approve, and point Terraform at it.

    Raises
    ------
    NothingPendingError
        No version of the model package group waits for approval.
    """
    stack = environment.stack
    sagemaker = boto3.client("sagemaker", region_name=stack.region)
    pending = sagemaker.list_model_packages(
        ModelPackageGroupName=stack.model_package_group,
        ModelApprovalStatus="PendingManualApproval",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    if not pending:
        raise NothingPendingError(f"no model of {stack.model_package_group} waits for approval: `make train` makes one")
    arn = pending[0]["ModelPackageArn"]
    put_in_use(stack, arn, reason="approved by a person")
    print(f"{arn} is approved: `make deploy ENV={stack.environment}` puts it behind the endpoint")


if __name__ == "__main__":
    run_command(main, __doc__)
