"""Find actions that the policies of terraform/bootstrap do not allow, and policy statements that allow too much."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

from tests.support.project import ROOT

BOOTSTRAP = ROOT / "terraform" / "bootstrap"
# Prefixes of IAM actions, for services whose name in the provider's log differs from the prefix
PREFIXES = {
    "Application Auto Scaling": "application-autoscaling",
    "CloudWatch Logs": "logs",
    "EventBridge": "events",
    "SFN": "states",
}
# IAM actions by the API operation that they allow, where the two names differ:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and
# https://docs.aws.amazon.com/cost-management/latest/userguide/billing-permissions-ref.html
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:DescribeSubscribersForNotification": "budgets:ViewBudget",
}
# Actions that policies may allow on the resource `*`, and the reason for each:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    "ec2:Describe*": "lists have no resource",
    "cloudwatch:PutMetricData": "metrics have a namespace, which a condition restricts",
    "ecr:GetAuthorizationToken": "a token is valid for every registry that its owner may read",
    "xray:*": "traces have no resource",
    "logs:*LogDelivery": "log deliveries have no resource",
    "logs:ListLogDeliveries": "log deliveries have no resource",
    "logs:PutResourcePolicy": "required: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
    "logs:DescribeResourcePolicies": "as above",
    "logs:DescribeLogGroups": "as above, and lists have no resource",
}
# Actions that the policies of the roles that plan and deploy may allow on the resource `*`
WITHOUT_RESOURCE_FOR_DEPLOYERS = {
    **WITHOUT_RESOURCE,
    "application-autoscaling:Describe*": "Describe operations have no resource",
    "cloudwatch:DescribeAlarms": "AWS may deny DescribeAlarms with AlarmNames if the policy names resources",
    "kms:ListAliases": "lists have no resource",
    "kms:CreateKey": "a new key has no ARN yet; a condition requires the environment's tag",
    "kms:TagResource": "as above: https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html",
    "sagemaker:List*": "lists have no resource",
    "servicequotas:ListAWSDefaultServiceQuotas": "lists have no resource",
    "servicequotas:ListServiceQuotas": "lists have no resource",
    "sns:GetSubscriptionAttributes": "the action does not support subscriptions as resources",
    "ssm:DescribeParameters": "lists have no resource",
    "states:ValidateStateMachineDefinition": "a definition is not a resource",
    "sts:GetCallerIdentity": "every caller may read its own identity",
    "tag:GetResources": "lists have no resource",
}


def requested_actions(log: Path, start: int = 0) -> set[str]:
    """Return the actions of the requests in the provider's log from byte `start` on, such as `s3:GetBucketPolicy`."""
    lines = log.read_bytes()[start:].splitlines()
    requests = [json.loads(line) for line in lines if b'"HTTP Request Sent"' in line]
    operations = {
        f"{PREFIXES.get(service, service.lower())}:{request['rpc.method']}"
        for request in requests
        for service in [request["rpc.service"]]
    }
    assert operations, f"no request found in {log}: has the format of the provider's log changed?"
    return {ACTIONS.get(operation, operation) for operation in operations}


def missing_actions(actions: set[str], policy: str) -> set[str]:
    """Return the actions that a policy of terraform/bootstrap (`deploy`, `plan` or `boundary`) does not allow."""
    patterns = allowed_actions(policy)
    return {action for action in actions if not matches(action, patterns)}


def allowed_actions(policy: str) -> set[str]:
    """Return the patterns of actions that a policy of terraform/bootstrap and its source policies allow."""
    document = policy_documents()[policy]
    sources = re.findall(r"aws_iam_policy_document\.(\w+)", str(document.get("source_policy_documents")))
    found = {
        action.strip('"')
        for statement in document["statement"]
        if statement.get("effect") != '"Deny"'
        for action in statement["actions"]
    }
    return found.union(*(allowed_actions(source) for source in sources))


@cache
def policy_documents() -> dict[str, dict[str, Any]]:
    """Return the policy documents in terraform/bootstrap by name."""
    return {
        name.strip('"'): document
        for path in BOOTSTRAP.glob("*.tf")
        for data in hcl2.loads(path.read_text()).get("data", [])
        for name, document in data.get('"aws_iam_policy_document"', {}).items()
    }


def matches(value: str, patterns: Iterable[str]) -> bool:
    """Return whether a value matches one of the patterns; `*` is a wildcard, as in IAM policies."""
    return any(fnmatch(value, pattern) for pattern in patterns)


def role_policies(iam: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of the inline policies of each of this project's roles, by role name."""
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("scones-")]
    return {
        role: [
            statement
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for statement in statements(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        ]
        for role in roles
    }


def statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a policy's statements, and convert single actions and resources to lists of length one."""
    for statement in as_list(document["Statement"]):
        yield {
            name: as_list(value) if name in ("Action", "NotAction", "Resource") else value
            for name, value in statement.items()
        }


def as_list(value: Any) -> list[Any]:
    """Return a list unchanged, and any other value as a list of length one."""
    return value if isinstance(value, list) else [value]


def is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement's principal is `*`, or contains `*` as an account, service or federated user."""
    principal = statement["Principal"]
    named = principal.values() if isinstance(principal, dict) else [principal]
    return any("*" in as_list(each) for each in named)


def too_broad(found: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]) -> set[str]:
    """Return the actions that a policy allows too broadly.

    These are the action `*`, and actions that are allowed on the resource `*` although `reasons` has no entry for them.

    Parameters
    ----------
    found : statements of the policy
    reasons : patterns of the actions that may be allowed on the resource `*`, with the reason for each
    """
    return {
        action
        for statement in found
        if statement["Effect"] == "Allow"
        for action in statement.get("Action", ["all actions except those in NotAction"])
        if action == "*" or ("*" in statement["Resource"] and not matches(action, reasons))
    }
