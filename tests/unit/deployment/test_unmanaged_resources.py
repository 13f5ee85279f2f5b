"""Resources that Terraform does not manage are stopped and deleted, and the remaining resources are found."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.names import resource_prefix
from deployment import unmanaged_resources
from deployment.unmanaged_resources import UnmanagedResources, remove_all

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
UNKNOWN = "arn:aws:some:us-east-1:123456789012:kind/name"  # resource of a kind that cannot be described


class FakeTags:
    """A client of the Tagging API, which returns the given lists of ARNs in turn, and then repeats the last list."""

    def __init__(self, *lists: list[str]) -> None:
        self._lists = list(lists)

    def get_paginator(self, _: str) -> "FakeTags":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        arns = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        return [{"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]}]

    def get_topic_attributes(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "NotFound"}}, "GetTopicAttributes")


def remaining(tags: FakeTags, *destroyed: str) -> list[str]:
    """Return the ARNs that remain after Terraform has destroyed the ARNs `destroyed`."""
    return UnmanagedResources("dev", lambda service: tags).remaining_arns(destroyed)


def test_resource_that_the_tagging_api_no_longer_lists_does_not_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmanaged_resources, "POLL_INTERVAL", 0)
    assert remaining(FakeTags([UNKNOWN], [UNKNOWN], [])) == []


def test_deleted_resource_that_the_tagging_api_still_lists_does_not_remain() -> None:
    assert remaining(FakeTags([TOPIC])) == []


@pytest.mark.parametrize("kind", ["training-job", "processing-job"])
def test_records_of_ended_jobs_do_not_remain(kind: str) -> None:
    job = f"arn:aws:sagemaker:us-east-1:123456789012:{kind}/scones-dev-vehicles-1"
    assert remaining(FakeTags([job])) == []


def test_listed_resource_remains_unless_terraform_destroyed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmanaged_resources, "TAG_TIMEOUT", 0)
    assert remaining(FakeTags([UNKNOWN]), TOPIC) == [UNKNOWN]
    assert remaining(FakeTags([UNKNOWN]), UNKNOWN) == []


class FakeStates:
    """A Step Functions client with two listed state machines: one has a running execution, and one is deleted."""

    class exceptions:  # noqa: N801 (boto3's name)
        """The client's exceptions."""

        class StateMachineDoesNotExist(Exception):  # noqa: N818 (boto3's name)
            """The state machine does not exist."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def get_paginator(self, operation: str) -> "FakeStates":
        self._operation = operation
        return self

    def paginate(self, *, stateMachineArn: str = "", **_: Any) -> list[dict[str, Any]]:  # noqa: N803
        if self._operation == "get_resources":
            return [{"ResourceTagMappingList": [{"ResourceARN": "deleted"}, {"ResourceARN": "machine"}]}]
        if stateMachineArn == "deleted":
            raise self.exceptions.StateMachineDoesNotExist
        return [{"executions": [{"executionArn": "some-execution"}]}] if stateMachineArn else []

    def stop_execution(self, *, executionArn: str) -> None:  # noqa: N803
        self.stopped.append(executionArn)


def test_running_executions_are_stopped_before_terraform_destroys() -> None:
    # GIVEN
    states = FakeStates()

    # WHEN
    remove_all(UnmanagedResources("dev", lambda service: states).before_destroy())

    # THEN
    assert states.stopped == ["some-execution"]


class FakeJobs:
    """A SageMaker client with one training job.

    Parameters
    ----------
    statuses : statuses of the job; after each response that lists the job, the job has the next status
    """

    def __init__(self, *statuses: str) -> None:
        self._statuses = list(statuses)
        self.stop_requests = 0

    def get_paginator(self, operation: str) -> Any:
        self._operation = operation
        return self

    def paginate(self, *, StatusEquals: str = "", **_: Any) -> list[dict[str, Any]]:  # noqa: N803 (boto3's name)
        if self._operation == "list_tags":
            return [{"Tags": [{"Key": "Stack", "Value": "scones-dev"}]}]
        if self._operation != "list_training_jobs" or StatusEquals != self._statuses[0]:
            return []
        self._statuses.pop(0)
        return [
            {"TrainingJobSummaries": [{"TrainingJobName": f"{resource_prefix('dev')}job", "TrainingJobArn": "arn"}]}
        ]

    def stop_training_job(self, **_: str) -> None:
        self.stop_requests += 1
        if self._statuses[0] != "InProgress":
            message = f"The request was rejected because the training job is in status {self._statuses[0]}."
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "StopTrainingJob")

    def has_ended(self) -> bool:
        """Return whether the job has the status Stopped."""
        return self._statuses == ["Stopped"]


@pytest.mark.parametrize(
    "statuses",
    [
        pytest.param(["InProgress", "InProgress", "Stopping", "Stopping", "Stopped"], id="running"),
        pytest.param(["Stopping", "Stopping", "Stopped"], id="already stopping"),
        pytest.param(["InProgress", "Stopped"], id="ends before it is stopped"),
    ],
)
def test_unfinished_job_has_ended_before_terraform_destroys(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str]
) -> None:
    # GIVEN
    monkeypatch.setattr(unmanaged_resources, "POLL_INTERVAL", 0)
    jobs = FakeJobs(*statuses)

    # WHEN
    remove_all(UnmanagedResources("dev", lambda service: jobs).before_destroy())

    # THEN
    assert jobs.has_ended()
    assert jobs.stop_requests == 1


# Resource type in the names of response fields, by operation
NOUNS = {
    "list_endpoints": "Endpoint",
    "list_endpoint_configs": "EndpointConfig",
    "list_models": "Model",
    "list_training_jobs": "TrainingJob",
}


class FakeSageMaker:
    """A SageMaker client with an endpoint, an endpoint configuration, a model and a training job.

    Parameters
    ----------
    tags : tags of all these resources; None if the resources are deleted after they were listed
    """

    def __init__(self, tags: dict[str, str] | None) -> None:
        self._tags = tags

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: {"logGroups": []}

    def get_paginator(self, operation: str) -> Any:
        self._operation = operation
        return self

    def paginate(self, *, StatusEquals: str = "", **_: Any) -> list[dict[str, Any]]:  # noqa: N803 (boto3's name)
        if self._operation == "list_tags":
            if self._tags is None:
                error = {"Code": "ValidationException", "Message": 'Could not find endpoint "some".'}
                raise ClientError({"Error": error}, "ListTags")
            return [{"Tags": [{"Key": key, "Value": value} for key, value in self._tags.items()]}]
        if (noun := NOUNS.get(self._operation)) and StatusEquals != "Stopping":
            return [{f"{noun}s": [{f"{noun}Name": f"{resource_prefix('dev')}some", f"{noun}Arn": "arn"}]}]
        empty = ("Parameters", "logGroups", "ResourceTagMappingList")
        return [{key: [] for key in empty}] if noun is None else []


@pytest.mark.parametrize(
    ("tags", "kinds"),
    [
        pytest.param(
            {"Stack": "scones-dev"}, ["endpoint", "training job", "endpoint configuration", "model"], id="tagged"
        ),
        pytest.param({}, [], id="untagged"),
        pytest.param({"Stack": "scones-dev2"}, [], id="tag of another environment"),
        pytest.param(None, [], id="deleted before its tags are read"),
    ],
)
def test_sagemaker_resource_is_removed_only_if_it_has_the_environments_tag(
    tags: dict[str, str] | None, kinds: list[str]
) -> None:
    # GIVEN
    unmanaged = UnmanagedResources("dev", lambda service: FakeSageMaker(tags))

    # WHEN / THEN
    assert [each.kind for each in (*unmanaged.before_destroy(), *unmanaged.after_destroy())] == kinds


def test_kms_key_that_is_listed_after_its_deletion_is_not_deleted_again() -> None:
    # GIVEN
    class FakeAws(FakeSageMaker):
        """An account whose only listed resource is a KMS key that was deleted."""

        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            arn = "arn:aws:kms:us-east-1:123456789012:key/some"
            listed = [{"ResourceARN": arn}] if self._operation == "get_resources" else []
            return [{"ResourceTagMappingList": listed, "logGroups": []}]

        def describe_key(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "NotFoundException"}}, "DescribeKey")

    # WHEN / THEN
    assert list(UnmanagedResources("dev", lambda service: FakeAws({})).after_destroy()) == []
