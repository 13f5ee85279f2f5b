"""`make doctor` on the emulator."""

from functools import partial

import pytest

from common import aws
from deployment.doctor import Account, check_all, check_names
from deployment.settings import read_settings
from tests.support.emulator import Emulator
from tests.support.terraform import Deployment

pytestmark = pytest.mark.xdist_group("local")


def findings(deployment: Deployment) -> dict[str, str]:
    """Return the status of each check."""
    account = Account("local", read_settings("local"), partial(aws.client, region="us-east-1"))
    return {finding.check: finding.status for finding in check_all(account, deployment.terraform)}


def test_deployed_environment_passes_every_check_that_has_an_answer(local: Deployment) -> None:
    # the emulator has neither quotas nor cost allocation tags
    assert findings(local) == {
        "Terraform": "ok",
        "credentials": "ok",
        "region": "ok",
        "quotas": "no answer",
        "notifications": "ok",
        "cost allocation tag": "no answer",
        "names": "ok",
    }


def test_untagged_bucket_role_and_log_group_are_found(emulator: Emulator) -> None:
    # GIVEN names that the environment will use
    names = ("scones-taken-data-123456789012", "/aws/lambda/scones-taken-filter", "scones-taken-training")
    emulator.client("s3").create_bucket(Bucket=names[0])
    emulator.client("logs").create_log_group(logGroupName=names[1])
    emulator.client("iam").create_role(RoleName=names[2], AssumeRolePolicyDocument="{}")

    # WHEN
    (found,) = check_names(Account("taken", read_settings("local"), emulator.client))

    # THEN
    assert (found.status, found.text) == ("FAILED", f"without the tag Stack=scones-taken: {', '.join(names)}")
