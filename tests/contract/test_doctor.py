"""`make doctor` on the emulator."""

from functools import partial

import pytest

from common import aws
from deployment.doctor import Account, check_all
from deployment.settings import read_settings
from tests.support.terraform import Deployment

pytestmark = pytest.mark.xdist_group("local")


def findings(deployment: Deployment) -> dict[str, str]:
    """Return the status of each check, by the check's name."""
    account = Account("local", read_settings("local"), partial(aws.client, region="us-east-1"))
    return {finding.check: finding.status for finding in check_all(account, deployment.terraform)}


def test_deployed_environment_passes_every_check_that_the_emulator_supports(local: Deployment) -> None:
    # the emulator supports neither the Service Quotas API nor cost allocation tags
    assert findings(local) == {
        "Terraform": "ok",
        "credentials": "ok",
        "region": "ok",
        "quotas": "no answer",
        "notifications": "ok",
        "cost allocation tag": "no answer",
        "names": "ok",
    }
