"""What Terraform asked AWS for, what the roles of terraform/bootstrap may do, and how a policy is read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import hcl2

BOOTSTRAP = Path(__file__).resolve().parents[2] / "terraform" / "bootstrap"
ASKED = re.compile(r'rpc\.method=(\w+) .*?rpc\.service=(?:"([^"]+)"|(\w+))')
# Services whose actions have another prefix than the provider's name for them
PREFIXES = {"Application Auto Scaling": "application-autoscaling", "CloudWatch Logs": "logs", "SFN": "states"}
# Operations whose action has another name:
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
# What may stand beside the resource `*`, and why:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = {
    "ec2:Describe*": "a list has no resource",
    "cloudwatch:PutMetricData": "metrics have a namespace, which a condition names",
    "ecr:GetAuthorizationToken": "a token is for every registry that its owner may read",
    "xray:*": "traces have no resource",
    "logs:*LogDelivery": "deliveries have no resource",
    "logs:ListLogDeliveries": "deliveries have no resource",
    "logs:PutResourcePolicy": "so Step Functions asks for it: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
    "logs:DescribeResourcePolicies": "as above",
    "logs:DescribeLogGroups": "as above, and a list has no resource",
}
# The same for those who plan and deploy
WITHOUT_RESOURCE_ON_THE_GROUND = {
    **WITHOUT_RESOURCE,
    "application-autoscaling:Describe*": "what is to be described is no resource",
    "cloudwatch:DescribeAlarms": "what is asked for by name, it may refuse where only names are allowed",
    "kms:ListAliases": "a list has no resource",
    "kms:CreateKey": "what is yet to be made has no name; a condition asks for the environment's tag",
    "kms:TagResource": "as above: https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html",
    "sagemaker:List*": "a list has no resource",
    "sns:GetSubscriptionAttributes": "a subscription is no resource",
    "states:ValidateStateMachineDefinition": "a definition is no resource",
    "sts:GetCallerIdentity": "whoever asks may know who they are",
    "tag:GetResources": "a list has no resource",
}


def asked(trace: Path) -> set[str]:
    """The actions behind the operations in the provider's log, such as `s3:GetBucketPolicy`."""
    operations = {
        f"{PREFIXES.get(quoted or plain, (quoted or plain).lower())}:{method}"
        for method, quoted, plain in ASKED.findall(trace.read_text())
    }
    assert operations, f"the provider no longer logs as this expects: {trace}"
    return {ACTIONS.get(operation, operation) for operation in operations}


def refused(actions: set[str], policy: str) -> set[str]:
    """Those of the actions that a policy, of the role `deploy` or `plan` or the `boundary`, allows in no statement."""
    return {action for action in actions if not is_one_of(action, allowed(policy))}


def allowed(policy: str) -> set[str]:
    """The patterns of actions that a policy of terraform/bootstrap, or one that it builds on, allows."""
    documents = {
        name.strip('"'): document
        for path in BOOTSTRAP.glob("*.tf")
        for data in hcl2.loads(path.read_text()).get("data", [])
        for name, document in data.get('"aws_iam_policy_document"', {}).items()
    }
    document = documents[policy]
    sources = re.findall(r"aws_iam_policy_document\.(\w+)", str(document.get("source_policy_documents")))
    found = {
        action.strip('"')
        for statement in document["statement"]
        if statement.get("effect") != '"Deny"'
        for action in statement["actions"]
    }
    return found.union(*(allowed(source) for source in sources))


def is_one_of(action: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern of IAM's, with `*`, has the action."""
    return any(fnmatch(action, pattern) for pattern in patterns)


def statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A policy's statements, with lists where IAM lets one text stand."""
    for statement in listed(document["Statement"]):
        yield {
            name: listed(value) if name in ("Action", "NotAction", "Resource") else value
            for name, value in statement.items()
        }


def listed(value: Any) -> list[Any]:
    """A list, also of one."""
    return value if isinstance(value, list) else [value]


def everybody(statement: Mapping[str, Any]) -> bool:
    """Whether a statement speaks of everybody: `*`, or `*` as an account, a service or a federation."""
    principal = statement["Principal"]
    named = principal.values() if isinstance(principal, dict) else [principal]
    return any("*" in listed(each) for each in named)


def too_wide(found: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]) -> set[str]:
    """The actions that are allowed on the resource `*` with no reason, and those that are everything of everything."""
    return {
        action
        for statement in found
        if statement["Effect"] == "Allow"
        for action in statement.get("Action", ["everything but what is named"])
        if action == "*" or ("*" in statement["Resource"] and not is_one_of(action, reasons))
    }
