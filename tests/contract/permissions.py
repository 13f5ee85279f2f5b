"""What Terraform asked AWS for, and what the roles of terraform/bootstrap may do."""

import re
from fnmatch import fnmatch
from pathlib import Path

import hcl2

POLICIES = Path(__file__).resolve().parents[2] / "terraform" / "bootstrap" / "policies.tf"
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


def asked(trace: Path) -> set[str]:
    """The actions behind the operations in the provider's log, such as `s3:GetBucketPolicy`."""
    operations = {
        f"{PREFIXES.get(quoted or plain, (quoted or plain).lower())}:{method}"
        for method, quoted, plain in ASKED.findall(trace.read_text())
    }
    assert operations, f"the provider no longer logs as this expects: {trace}"
    return {ACTIONS.get(operation, operation) for operation in operations}


def refused(actions: set[str], policy: str) -> set[str]:
    """Those of the actions that a policy, of the role `deploy` or `plan` or the `boundary`, has in no statement."""
    patterns = allowed(policy)
    return {action for action in actions if not any(fnmatch(action, pattern) for pattern in patterns)}


def allowed(policy: str) -> set[str]:
    """The patterns of actions in a policy."""
    with POLICIES.open() as stream:
        content = hcl2.load(stream)
    (read,) = (block["read"] for block in content["locals"])
    (document,) = (
        data['"aws_iam_policy_document"'][f'"{policy}"']
        for data in content["data"]
        if f'"{policy}"' in data['"aws_iam_policy_document"']
    )
    return {
        action.strip('"')
        for statement in document["statement"]
        for action in (read if statement["actions"] == "${local.read}" else statement["actions"])
    }
