"""Bootstrap an AWS account: create a bucket for Terraform states, and roles and boundaries for GitHub workflows.

To update these resources, run the command again from any clone: their own Terraform state is in the same bucket.
"""

import argparse
import contextlib
from functools import partial

from common import aws
from common.paths import TERRAFORM_DIRECTORY
from deployment.existing_resources import plan_with_imports
from deployment.remote_state import StateBucketMissingError, move_state
from deployment.terraform import Terraform
from scripts.command.environment import Environment
from scripts.command.runner import run_command

STATE = "bootstrap"  # name of the bootstrap resources' state in the bucket


def options(parser: argparse.ArgumentParser) -> None:
    """Add the repository."""
    parser.add_argument(
        "--repository", required=True, metavar="OWNER/NAME", help="GitHub repository whose workflows may deploy"
    )


def main(environment: Environment) -> None:
    """Apply `terraform/bootstrap`, and print the settings that the operator must enter in files and on GitHub."""
    terraform = Terraform(
        environment.name,
        logs=environment.directory / "bootstrap",
        directory=TERRAFORM_DIRECTORY / "bootstrap",
        variables={"repository": environment.options.repository},
    )
    clients = partial(aws.client, region=aws.default_region())
    with environment.lock("bootstrap", "bootstrap"):
        with contextlib.suppress(StateBucketMissingError):  # the first run creates the bucket
            move_state(terraform, STATE, clients)  # in a new clone, use the existing state
        plan, _ = plan_with_imports(terraform, aws.client)
        print(plan.summary)
        terraform.apply(plan)
        move_state(terraform, STATE, clients)
    outputs = terraform.outputs()
    move = f"`make state ENV={environment.name}` moves the state there"
    print(f"bucket for Terraform's state: {outputs['state_bucket']} ({move})")
    print("set in the environments' files:")
    for name, arn in sorted(outputs["permissions_boundaries"].items()):
        print(f'  terraform/environments/{name}.tfvars: permissions_boundary = "{arn}"')
    print("set on GitHub, under Settings, Secrets and variables, Actions, Variables:")
    print(f"  repository: PLAN_ROLE_ARN = {outputs['plan_role_arn']}")
    for name, arn in sorted(outputs["deploy_role_arns"].items()):
        print(f"  environment {name}: DEPLOY_ROLE_ARN = {arn}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
