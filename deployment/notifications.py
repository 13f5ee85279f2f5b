"""Check whether somebody receives the notifications of an environment."""

from typing import Any

# Values that SNS returns instead of a subscription's ARN if the subscription is not confirmed or was deleted:
# https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
INACTIVE = {"PendingConfirmation", "Deleted"}


def has_subscriber(topic_arn: str, *, sns: Any) -> bool:
    """Return whether an SNS topic has a confirmed subscription."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return any(each["SubscriptionArn"] not in INACTIVE for page in pages for each in page["Subscriptions"])


def missing_subscriber_warning(environment: str, topic_arn: str, *, sns: Any) -> str | None:
    """Return a warning if an environment's SNS topic has no confirmed subscription, or None if it has one."""
    if has_subscriber(topic_arn, sns=sns):
        return None
    return (
        f"warning: nobody is subscribed to {topic_arn}, to which the budget and the alarms publish: set failure_email "
        f"in terraform/environments/{environment}.tfvars, run `make up ENV={environment}`, and confirm the e-mail"
    )
