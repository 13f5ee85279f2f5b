"""Keep Terraform's state in the S3 bucket that `make bootstrap` creates."""

from botocore.exceptions import ClientError

from common.aws import Clients
from common.errors import OperatorError
from common.names import state_bucket
from deployment.terraform import Terraform


class StateBucketMissingError(OperatorError):
    """The account has no bucket for Terraform's state."""


def move_state(terraform: Terraform, name: str, clients: Clients) -> None:
    """Move a state to `<name>.tfstate` in the account's state bucket, unless it is there already.

    In a new clone this makes Terraform use the state in the bucket.

    Raises
    ------
    StateBucketMissingError
        The bucket does not exist, or the caller may not access it.
    TerraformError
        The state cannot be moved.
    """
    if terraform.backend_file.is_file():
        return
    backend = find_backend(name, clients)
    terraform.move_state(backend)
    print(f"Terraform state of {name}: s3://{backend['bucket']}/{backend['key']}")


def find_backend(name: str, clients: Clients) -> dict[str, str]:
    """Return the settings of Terraform's backend `s3` for a state.

    Raises
    ------
    StateBucketMissingError
        The bucket does not exist, or the caller may not access it.
    """
    account = clients("sts").get_caller_identity()["Account"]
    bucket = state_bucket(account)
    try:
        # another account may own a bucket of this predictable name
        region = clients("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account)["BucketRegion"]
    except ClientError as error:
        raise StateBucketMissingError(
            f"bucket {bucket} for Terraform's state does not exist, or you may not access it: "
            "run `make bootstrap REPOSITORY=owner/name`"
        ) from error
    return {"bucket": bucket, "key": f"{name}.tfstate", "region": region, "use_lockfile": "true"}
