"""Launching a training job: channels, the quota error, earlier jobs with the same fingerprint, and checkpoints."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.training.configs import make_config
from training import launch
from training.algorithms import ALGORITHMS, StagedData
from training.launch import (
    delete_checkpoints,
    explain,
    find_training_job,
    input_channels,
)


def test_error_for_an_exceeded_quota_says_what_to_do() -> None:
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
    """SageMaker with training jobs.

    Parameters
    ----------
    jobs : status and fingerprint of each training job, by name
    """

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
        pytest.param({"scones_1": ("InProgress", "same")}, "scones_1", id="running"),
        pytest.param({"scones_1": ("Completed", "same")}, "scones_1", id="completed"),
        pytest.param({"scones_1": ("Failed", "same")}, None, id="failed"),
        pytest.param({"scones_1": ("Completed", "other")}, None, id="different fingerprint"),
        pytest.param({"other_1": ("Completed", "same")}, None, id="different environment"),
    ],
)
def test_running_or_completed_job_with_the_same_fingerprint_is_found(
    jobs: dict[str, tuple[str, str]], expected: str | None
) -> None:
    assert find_training_job("scones", "same", sagemaker=FakeJobs(**jobs)) == expected


def test_shards_are_divided_among_hosts_only_if_each_host_receives_a_shard() -> None:
    # GIVEN nine training shards
    data = StagedData(
        classes=("a", "b"),
        training_images=9000,
        validation_images=1000,
        data_format="recordio",
        shards=9,
        image_size=32,
        has_pretraining_data=False,
    )

    # WHEN two hosts train on nine shards, and on one shard
    channels = input_channels(ALGORITHMS["pytorch"], make_config(instance_count=2), data, {})
    one_shard = input_channels(ALGORITHMS["pytorch"], make_config(instance_count=2), replace(data, shards=1), {})

    # THEN
    distribution = {each.channel_name: each.data_source.s3_data_source.s3_data_distribution_type for each in channels}
    assert distribution == {"train": "ShardedByS3Key", "validation": "FullyReplicated"}
    assert {each.data_source.s3_data_source.s3_data_distribution_type for each in one_shard} == {"FullyReplicated"}


class FakeS3:
    """A bucket in which objects can be listed and deleted.

    Parameters
    ----------
    keys : keys of the objects
    """

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)

    def get_paginator(self, name: str) -> "FakeS3":
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.keys if key.startswith(request["Prefix"])]}]

    def delete_objects(self, **request: Any) -> None:
        deleted = {each["Key"] for each in request["Delete"]["Objects"]}
        self.keys = [key for key in self.keys if key not in deleted]


def test_only_checkpoints_with_the_same_fingerprint_are_deleted() -> None:
    # GIVEN checkpoints with the fingerprints `same` and `same2`, and a model
    s3 = FakeS3("checkpoints/same/training.pt", "checkpoints/same2/training.pt", "models/a")

    # WHEN
    delete_checkpoints(make_config(), "same", s3=s3)

    # THEN
    assert s3.keys == ["checkpoints/same2/training.pt", "models/a"]
