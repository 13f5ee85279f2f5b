"""Lay an account's config, once: a bucket for Terraform's state, roles for GitHub's workflows, and their boundary.

The same command brings it up to date later, also from another clone: its own state is in the bucket that it makes.
"""

import argparse
import contextlib
import os

from common.paths import DIRECTORY
from deployment.terraform import Terraform
from scripts.command import Environment, run_command
from scripts.state import StateMissingError, keep

STATE = "bootstrap"  # the name of its state in the bucket


def options(parser: argparse.ArgumentParser) -> None:
    """Whose workflows may deploy."""
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME", help="on GitHub")


def main(environment: Environment) -> None:
    """Apply terraform/bootstrap, and say where its outputs belong."""
    os.environ["TF_VAR_repository"] = environment.options.repository  # noqa: SIM112 (its name)
    logs = environment.directory / "bootstrap"
    terraform = Terraform(environment.name, logs=logs, directory=DIRECTORY / "bootstrap")
    with contextlib.suppress(StateMissingError):  # then this is the first time
        keep(terraform, STATE)
    planned = terraform.plan()
    print(planned.summary)
    terraform.apply(planned)
    keep(terraform, STATE)
    outputs = terraform.outputs()
    print(f"Terraform's state: bucket {outputs['state_bucket']}; `make state ENV={environment.name}` moves it there")
    for name, arn in sorted(outputs["permissions_boundaries"].items()):
        print(f'permissions_boundary = "{arn}"   in terraform/environments/{name}.tfvars')
    print("on GitHub, under Settings, Secrets and variables, Actions, Variables:")
    print(f"  of the repository: PLAN_ROLE_ARN = {outputs['plan_role_arn']}")
    for name, arn in sorted(outputs["deploy_role_arns"].items()):
        print(f"  of its environment {name}: DEPLOY_ROLE_ARN = {arn}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
