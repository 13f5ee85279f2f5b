"""Tear-down is not misled by what AWS lists for some time after its end."""

from typing import Any

import boto3
import pytest

from deployment import unmanaged_resources as leftovers

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


class FakeTags:
    """Lists resources by their tag: one answer a look, the last one for ever."""

    def __init__(self, *looks: list[str]) -> None:
        self._looks = list(looks)

    def get_paginator(self, _: str) -> "FakeTags":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        listed = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return [{"ResourceTagMappingList": [{"ResourceARN": arn} for arn in listed]}]


def tagged(monkeypatch: pytest.MonkeyPatch, tags: FakeTags, *destroyed: str) -> list[str]:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: tags)
    return leftovers.UnmanagedResources("dev", "us-east-1").tagged(destroyed)


def test_what_is_listed_no_more_after_a_while_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PAUSE", 0)
    assert tagged(monkeypatch, FakeTags([TOPIC], [TOPIC], [])) == []


def test_records_of_jobs_that_have_ended_are_nothing_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    job = "arn:aws:sagemaker:us-east-1:123456789012:training-job/scones-dev-vehicles-1"
    assert tagged(monkeypatch, FakeTags([job])) == []


def test_what_stays_listed_is_told_in_the_end_but_what_was_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "SETTLING", 0)
    assert tagged(monkeypatch, FakeTags([TOPIC, "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"]), TOPIC) == [
        "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"
    ]
