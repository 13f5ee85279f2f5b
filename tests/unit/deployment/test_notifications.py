"""A warning says that nobody is subscribed to the SNS failures topic."""

from typing import Any

import pytest

from deployment.notifications import missing_subscriber_warning

TOPIC = "arn:aws:sns:us-east-1:123456789012:scones-dev-failures"


class FakeSns:
    """An SNS client with the subscriptions of one topic, one on each page."""

    def __init__(self, *arns: str) -> None:
        self.arns = arns

    def get_paginator(self, operation: str) -> "FakeSns":
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, TopicArn: str) -> Any:  # noqa: N803 (boto3's name)
        assert TopicArn == TOPIC
        return [{"Subscriptions": [{"SubscriptionArn": arn}]} for arn in self.arns]


@pytest.mark.parametrize("arns", [(), ("PendingConfirmation",), ("Deleted", "PendingConfirmation")])
def test_warning_names_a_topic_without_a_confirmed_subscription(arns: tuple[str, ...]) -> None:
    warning = missing_subscriber_warning("dev", TOPIC, sns=FakeSns(*arns))
    assert warning is not None
    assert TOPIC in warning
    assert "set failure_email in terraform/environments/dev.tfvars" in warning


def test_there_is_no_warning_if_a_subscription_is_confirmed() -> None:
    assert missing_subscriber_warning("dev", TOPIC, sns=FakeSns("PendingConfirmation", f"{TOPIC}:1234")) is None
