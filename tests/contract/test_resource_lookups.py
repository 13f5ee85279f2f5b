"""The roles that plan and deploy may send the requests that find existing resources."""

import boto3

from deployment.resource_lookups import LOOKUPS
from tests.contract.permissions import ACTIONS, missing_actions

# Types of resources that only `make bootstrap` creates
BOOTSTRAP_TYPES = {"aws_iam_openid_connect_provider", "aws_iam_policy"}


def test_roles_that_plan_and_deploy_may_send_the_lookup_requests() -> None:
    # GIVEN
    actions = set()
    for name in LOOKUPS.keys() - BOOTSTRAP_TYPES:
        lookup = LOOKUPS[name]
        client = boto3.client(lookup.service, region_name="us-east-1")
        prefix = client.meta.service_model.signing_name
        prefix = {"monitoring": "cloudwatch"}.get(prefix, prefix)
        actions.add(f"{prefix}:{client.meta.method_to_api_mapping[lookup.operation]}")
    actions = {ACTIONS.get(action, action) for action in actions}

    # THEN
    for role in ("plan", "deploy"):
        assert missing_actions(actions, role) == set(), role
