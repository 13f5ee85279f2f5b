"""Move the environment's Terraform state to the S3 bucket that `make bootstrap` creates.

Terraform locks the state in the bucket during each command. In a new clone, this command makes Terraform use the state
in the bucket.
"""

from functools import partial

from common import aws
from deployment.remote_state import move_state
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def main(environment: Environment) -> None:
    """Move the state."""
    with environment.lock("state"):
        move_state(environment.terraform, environment.name, partial(aws.client, region=aws.default_region()))


if __name__ == "__main__":
    run_command(main, __doc__)
