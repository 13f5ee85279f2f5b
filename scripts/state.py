"""Keep an environment's Terraform state in the bucket that `make bootstrap` made, locked while it is worked on.

What was kept beside the configuration is moved there. In a new clone the same command finds it again.
"""

import boto3
from botocore.exceptions import ClientError

from deployment.terraform import Terraform
from scripts.command import Environment, OperatorError, run_command

ANY_REGION = "us-east-1"  # to ask for the account, and for the bucket's own region


class StateMissingError(OperatorError):
    """There is no bucket to keep a state in."""


def main(environment: Environment) -> None:
    """Move the state, and say where it is."""
    keep(environment.terraform, environment.name)


def keep(terraform: Terraform, name: str) -> None:
    """Keep a state under `<name>.tfstate`, unless that is where it is.

    Raises
    ------
    StateMissingError
        The bucket is not there.
    """
    if terraform.backend_file.is_file():
        return
    backend = find_backend(name)
    terraform.keep_state_in(backend)
    print(f"state of {name}: s3://{backend['bucket']}/{backend['key']}")


def find_backend(name: str) -> dict[str, str]:
    """Settings of Terraform's backend `s3`.

    The bucket's name is made up here as terraform/bootstrap makes it up, not read: the state that would tell is in it.
    """
    place = boto3.Session().region_name or ANY_REGION
    account = boto3.client("sts", region_name=place).get_caller_identity()["Account"]
    bucket = f"scones-state-{account}"
    try:
        region = boto3.client("s3", region_name=place).head_bucket(Bucket=bucket)["BucketRegion"]
    except ClientError as error:
        raise StateMissingError(
            f"there is no bucket {bucket} for Terraform's state, or you may not see it: "
            "`make bootstrap REPOSITORY=owner/name` makes it"
        ) from error
    return {"bucket": bucket, "key": f"{name}.tfstate", "region": region, "use_lockfile": "true"}


if __name__ == "__main__":
    run_command(main, __doc__)
