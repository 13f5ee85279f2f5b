"""Tagged resources that AWS still lists for a while after their deletion do not count as remaining."""

from typing import Any

import pytest

from deployment import unmanaged_resources
from deployment.unmanaged_resources import UnmanagedResources

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


class FakeTags:
    """The tagging API: returns the given lists one after the other, and repeats the last one."""

    def __init__(self, *lists: list[str]) -> None:
        self._lists = list(lists)

    def get_paginator(self, _: str) -> "FakeTags":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        arns = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        return [{"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]}]


def remaining(tags: FakeTags, *destroyed: str) -> list[str]:
    return UnmanagedResources("dev", lambda service: tags).remaining_arns(destroyed)


def test_resource_that_disappears_after_a_while_does_not_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmanaged_resources, "POLL_INTERVAL", 0)
    assert remaining(FakeTags([TOPIC], [TOPIC], [])) == []


def test_records_of_ended_jobs_do_not_remain() -> None:
    job = "arn:aws:sagemaker:us-east-1:123456789012:training-job/scones-dev-vehicles-1"
    assert remaining(FakeTags([job])) == []


def test_listed_resource_remains_unless_terraform_destroyed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmanaged_resources, "TAG_TIMEOUT", 0)
    vpc = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"
    assert remaining(FakeTags([TOPIC, vpc]), TOPIC) == [vpc]
