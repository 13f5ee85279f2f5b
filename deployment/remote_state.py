"""Keep Terraform's state in the S3 bucket that `make bootstrap` creates."""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from common.aws import Clients
from common.errors import OperatorError
from common.files import write
from common.names import state_bucket
from deployment.terraform import Terraform


class StateBucketMissingError(OperatorError):
    """The account has no bucket for Terraform's state."""


class StateConflictError(OperatorError):
    """S3 contains a different state with the environment's name."""


class StateNotMovedError(OperatorError):
    """The environment's state is in S3, but this clone of the repository does not use that state."""


def move_state(terraform: Terraform, name: str, clients: Clients) -> None:
    """Move a local state to `<name>.tfstate` in the account's state bucket, or finish a move that was interrupted.

    The backend file, which makes Terraform use the state in S3, is written only after the upload. If the move is
    interrupted earlier, Terraform therefore still uses the local state. In a new clone, which has no local state, the
    function only writes the backend file and runs `terraform init`.

    Raises
    ------
    StateBucketMissingError
        The bucket does not exist, or the caller may not access it.
    StateConflictError
        S3 contains a different state with this name. Terraform still uses the local state.
    """
    local, is_moved = terraform.local_state, terraform.backend_file.is_file()
    if is_moved and not local.path.is_file():
        print(f"Terraform state of {name} is in S3 already, see {terraform.backend_file}")
        return
    backend = find_backend(name, clients, terraform.environment)
    url = f"s3://{backend['bucket']}/{object_key(backend)}"
    content = local.read() if local.path.is_file() else {}
    if content.get("resources") and not upload(content, backend, clients("s3")):
        if is_moved:  # the local state file belongs to a different environment
            return
        raise StateConflictError(
            f"{url} and {local.path} are different states: move one of the files away, or select another workspace "
            "with `terraform workspace select`"
        )
    write(terraform.backend_file, "".join(f"{key} = {json.dumps(value)}\n" for key, value in backend.items()).encode())
    if content:  # if the local state kept its name, Terraform would use it again once the backend file is deleted
        local.put_aside()
    terraform.init()
    print(f"Terraform state of {name}: {url}")


def upload(state: Mapping[str, Any], backend: Mapping[str, str], s3: Any) -> bool:
    """Upload a state unless S3 has the same or a newer version of it.

    Return False, and upload nothing, if the object in S3 is a different state: one with another lineage.
    `terraform state push` is not used, because it would give the state a new lineage, which would no longer show that
    the state in S3 is a copy of the local state.
    """
    target = {"Bucket": backend["bucket"], "Key": object_key(backend)}
    try:
        response = s3.get_object(**target)
    except s3.exceptions.NoSuchKey:
        condition = {"IfNoneMatch": "*"}
    else:
        existing = json.loads(response["Body"].read())
        if existing["lineage"] != state["lineage"]:
            return False
        if existing["serial"] >= state["serial"]:
            return True
        condition = {"IfMatch": response["ETag"]}
    s3.put_object(**target, **condition, Body=json.dumps(state).encode(), ContentType="application/json")
    return True


def check_state_is_moved(terraform: Terraform, name: str, clients: Clients) -> None:
    """Check that this clone of the repository uses the environment's state in S3 if S3 contains one.

    Raises
    ------
    StateNotMovedError
        S3 contains a state that this clone does not use, so Terraform would create all resources a second time.
    """
    if terraform.backend_file.is_file():
        return
    with contextlib.suppress(StateBucketMissingError, ClientError):
        backend = find_backend(name, clients, terraform.environment)
        clients("s3").head_object(Bucket=backend["bucket"], Key=object_key(backend))
        raise StateNotMovedError(
            f"Terraform's state of {name} is in s3://{backend['bucket']}/{object_key(backend)}, and this clone does "
            f"not use it: run `make state ENV={terraform.environment}`"
        )


def object_key(backend: Mapping[str, str]) -> str:
    """Return the key of the state of the workspace in TF_WORKSPACE, or else of the default workspace.

    Source: https://developer.hashicorp.com/terraform/language/backend/s3
    """
    workspace = os.environ.get("TF_WORKSPACE", "default")
    return backend["key"] if workspace == "default" else f"env:/{workspace}/{backend['key']}"


def find_backend(name: str, clients: Clients, environment: str) -> dict[str, str]:
    """Return the settings of Terraform's S3 backend for a state.

    Parameters
    ----------
    name : name of the state, which is the name of the environment or `bootstrap`
    environment : name of the environment, for the error message

    Raises
    ------
    StateBucketMissingError
        The bucket does not exist, or the caller may not access it.
    """
    account = clients("sts").get_caller_identity()["Account"]
    bucket = state_bucket(account)
    try:
        # the bucket's name is predictable, so another account may own a bucket with this name
        region = clients("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account)["BucketRegion"]
    except ClientError as error:
        raise StateBucketMissingError(
            f"bucket {bucket} for Terraform's state does not exist, or you may not access it: "
            f"run `make bootstrap REPOSITORY=owner/name ENV={environment}`"
        ) from error
    return {"bucket": bucket, "key": f"{name}.tfstate", "region": region, "use_lockfile": "true"}
