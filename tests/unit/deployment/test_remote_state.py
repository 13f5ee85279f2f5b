"""The S3 backend is the state bucket of the account."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.remote_state import StateBucketMissingError, find_backend

ACCOUNT = "123456789012"


class FakeAws:
    """STS and S3 clients of an account.

    Parameters
    ----------
    owner : ID of the account that owns the bucket with the name of the state bucket
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def __call__(self, service: str) -> "FakeAws":
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT}

    def head_bucket(self, **parameters: str) -> Any:
        assert parameters["Bucket"] == f"scones-state-{ACCOUNT}"
        if parameters.get("ExpectedBucketOwner", self.owner) != self.owner:
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")
        return {"BucketRegion": "eu-west-1"}


def test_backend_configuration_names_the_accounts_state_bucket() -> None:
    assert find_backend("dev", FakeAws(owner=ACCOUNT), "dev") == {
        "bucket": f"scones-state-{ACCOUNT}",
        "key": "dev.tfstate",
        "region": "eu-west-1",
        "use_lockfile": "true",
    }


def test_bucket_that_another_account_owns_is_refused() -> None:
    with pytest.raises(StateBucketMissingError, match="make bootstrap REPOSITORY=owner/name ENV=dev"):
        find_backend("dev", FakeAws(owner="999999999999"), "dev")
