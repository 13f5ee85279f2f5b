"""A launch: found again by its fingerprint, refused with what to do, forgotten once it has ended."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from training import launch
from training.algorithms import ALGORITHMS, Data
from training.launch import TrainingJobConfig, explain, forget, input_channels


def test_a_quota_says_what_to_do() -> None:
    # GIVEN
    message = "The account-level service limit 'ml.g4dn.xlarge for training job usage' is 0 Instances."
    error = ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": message}}, "CreateTrainingJob")

    # WHEN
    line = explain(error)

    # THEN
    assert "ml.g4dn.xlarge" in line
    assert "Service Quotas" in line
    assert "training_instance_type" in line


class FakeJobs:
    """Jobs that were begun before, by name: status and fingerprint."""

    def __init__(self, **jobs: tuple[str, str]) -> None:
        self._jobs = jobs

    def list_training_jobs(self, **request: Any) -> dict[str, Any]:
        found = [{"TrainingJobName": name, "TrainingJobStatus": status} for name, (status, _) in self._jobs.items()]
        return {"TrainingJobSummaries": [job for job in found if request["NameContains"] in job["TrainingJobName"]]}

    def describe_training_job(self, **request: Any) -> dict[str, Any]:
        return {"Environment": {launch.FINGERPRINT: self._jobs[request["TrainingJobName"]][1]}}


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param({"scones_1": ("InProgress", "same")}, "scones_1", id="one that is under way is taken up"),
        pytest.param({"scones_1": ("Completed", "same")}, "scones_1", id="one that is done is not done again"),
        pytest.param({"scones_1": ("Failed", "same")}, None, id="one that failed is tried again"),
        pytest.param({"scones_1": ("Completed", "other")}, None, id="one from other data or code is none"),
        pytest.param({"other_1": ("Completed", "same")}, None, id="one of another environment is none"),
    ],
)
def test_nothing_is_trained_twice(jobs: dict[str, tuple[str, str]], expected: str | None) -> None:
    assert launch.find("scones", "same", sagemaker=FakeJobs(**jobs)) == expected


def config(**changes: Any) -> TrainingJobConfig:
    known: dict[str, Any] = {
        "image": "registry/image:1",
        "role_arn": "arn:aws:iam::123456789012:role/training",
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/some-key",
        "bucket": "bucket",
        "region": "us-east-1",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "spot": False,
        "name": "scones-local-vehicles",
        "tags": {"Stack": "scones-local"},
    }
    return TrainingJobConfig(**{**known, **changes})


def test_shards_are_dealt_out_among_our_own_hosts() -> None:
    # GIVEN
    data = Data(classes=("a", "b"), rows=9000, data_format="recordio", shards=9, size=32, others=False)

    # WHEN
    channels = input_channels(ALGORITHMS["pytorch"], config(instance_count=2), data, {})

    few = input_channels(ALGORITHMS["pytorch"], config(instance_count=2), replace(data, shards=1), {})

    # THEN
    dealt = {each.channel_name: each.data_source.s3_data_source.s3_data_distribution_type for each in channels}
    assert dealt == {"train": "ShardedByS3Key", "validation": "FullyReplicated"}
    assert {each.data_source.s3_data_source.s3_data_distribution_type for each in few} == {"FullyReplicated"}


class FakeS3:
    """Keys of a bucket."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)

    def get_paginator(self, name: str) -> "FakeS3":
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.keys if key.startswith(request["Prefix"])]}]

    def delete_objects(self, **request: Any) -> None:
        gone = {each["Key"] for each in request["Delete"]["Objects"]}
        self.keys = [key for key in self.keys if key not in gone]


def test_only_the_job_s_own_checkpoints_are_forgotten() -> None:
    # GIVEN
    s3 = FakeS3("checkpoints/same/training.pt", "checkpoints/same2/training.pt", "models/a")

    # WHEN
    forget("bucket", "same", s3=s3)

    # THEN
    assert s3.keys == ["checkpoints/same2/training.pt", "models/a"]
