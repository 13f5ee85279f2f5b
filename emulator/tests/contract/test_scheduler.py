"""EventBridge Scheduler: targets, inputs, retries, dead-letter queues and invalid schedules."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from ..waiting import eventually
from .functions import make_function, unique

ROLE = "arn:aws:iam::123456789012:role/schedule"
MakeSchedule = Callable[..., str]


@pytest.fixture
def make_schedule(emulator: Any) -> MakeSchedule:
    """Return a function that creates a schedule, which is due in two seconds, and returns the schedule's name.

    Its keyword arguments are parameters of CreateSchedule, or the members RetryPolicy and DeadLetterConfig of Target.
    """

    def create(expression: str, target: str, target_input: dict[str, Any], **options: Any) -> str:
        name = unique("schedule")
        settings: dict[str, Any] = {
            key: options.pop(key) for key in ("RetryPolicy", "DeadLetterConfig") if key in options
        }
        emulator.client("scheduler").create_schedule(
            Name=name,
            **{"ScheduleExpression": expression, **options},
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": target, "RoleArn": ROLE, "Input": json.dumps(target_input), **settings},
        )
        return name

    def make(target: str, target_input: dict[str, Any], **options: Any) -> str:
        soon = datetime.now(UTC) + timedelta(seconds=2)
        return create(soon.strftime("at(%Y-%m-%dT%H:%M:%S)"), target, target_input, **options)

    # The first request to a service imports the service's code, which can take more than two seconds on a busy machine.
    create("rate(1 day)", "arn:aws:scheduler:::aws-sdk:sqs:listQueues", {})
    emulator.client("sqs").list_queues()
    return make


def queue_exists(emulator: Any, name: str) -> bool:
    """Return whether an SQS queue with this name exists."""
    return bool(emulator.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls"))


def test_schedule_calls_an_sdk_operation_and_is_kept(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN
    queue = unique("queue")

    # WHEN
    schedule = make_schedule("arn:aws:scheduler:::aws-sdk:sqs:createQueue", {"QueueName": queue})

    # THEN the operation is called, and the schedule still exists
    assert eventually(lambda: queue_exists(emulator, queue))
    assert emulator.client("scheduler").get_schedule(Name=schedule)["Name"] == schedule


def test_context_attributes_in_the_input_are_replaced(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    body = json.dumps({name: f"<aws.scheduler.{name}>" for name in names} | {"other": "<aws.scheduler.other>"})

    # WHEN a schedule in another time zone is due
    soon = datetime.now(UTC) + timedelta(seconds=2)
    local = soon.astimezone(ZoneInfo("Asia/Tokyo"))
    schedule = make_schedule(
        "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        {"QueueUrl": queue, "MessageBody": body},
        ScheduleExpression=local.strftime("at(%Y-%m-%dT%H:%M:%S)"),
        ScheduleExpressionTimezone="Asia/Tokyo",
    )

    # THEN
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    values = json.loads(message["Body"])
    assert values["schedule-arn"] == emulator.client("scheduler").get_schedule(Name=schedule)["Arn"]
    assert values["scheduled-time"] == soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert re.fullmatch("[0-9a-f]{16}", values["execution-id"])
    assert (values["attempt-number"], values["other"]) == ("1", "<aws.scheduler.other>")


def test_schedule_starts_a_processing_job(emulator: Any, make_schedule: MakeSchedule) -> None:
    # WHEN
    name = unique("job")
    make_schedule(
        "arn:aws:scheduler:::aws-sdk:sagemaker:createProcessingJob",
        {
            "ProcessingJobName": f"{name}-<aws.scheduler.execution-id>",
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": "python:1", "ContainerEntrypoint": ["python3", "-c", "pass"]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            "Environment": {"END": "<aws.scheduler.scheduled-time>"},
        },
    )

    # THEN the job runs, and its environment variable contains the scheduled time
    sagemaker = emulator.client("sagemaker")
    request = {"NameContains": name, "StatusEquals": "Completed"}
    (job,) = eventually(lambda: sagemaker.list_processing_jobs(**request)["ProcessingJobSummaries"], seconds=30)
    described = sagemaker.describe_processing_job(ProcessingJobName=job["ProcessingJobName"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", described["Environment"]["END"])


def test_schedule_is_deleted_after_completion_if_configured(emulator: Any, make_schedule: MakeSchedule) -> None:
    # WHEN
    schedule = make_schedule(
        "arn:aws:scheduler:::aws-sdk:sqs:createQueue", {"QueueName": unique("queue")}, ActionAfterCompletion="DELETE"
    )

    # THEN
    def is_deleted() -> bool:
        try:
            emulator.client("scheduler").get_schedule(Name=schedule)
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "ResourceNotFoundException")
        return False

    assert eventually(is_deleted)


def test_failed_target_is_retried(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN a bucket that cannot be deleted, because it is not empty
    s3, bucket = emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"")

    # WHEN a schedule tries to delete the bucket, which is emptied after the first attempt
    schedule = make_schedule("arn:aws:scheduler:::aws-sdk:s3:deleteBucket", {"Bucket": bucket})
    eventually(lambda: f"schedule {schedule}: cannot invoke the target" in emulator.log.read_text())
    s3.delete_object(Bucket=bucket, Key="key")

    # THEN a later attempt deletes the bucket
    assert eventually(lambda: bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]])


def test_input_is_sent_to_the_dead_letter_queue_if_the_invocation_fails_and_no_retry_is_left(
    emulator: Any, make_schedule: MakeSchedule
) -> None:
    # GIVEN
    sqs, bucket = emulator.client("sqs"), unique("bucket")
    queue = sqs.create_queue(QueueName=unique("failures"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    # WHEN a schedule without retries deletes a bucket that does not exist
    target = "arn:aws:scheduler:::aws-sdk:s3:deleteBucket"
    policy = {"MaximumRetryAttempts": 0}
    name = make_schedule(target, {"Bucket": bucket}, RetryPolicy=policy, DeadLetterConfig={"Arn": arn})

    # THEN
    receive = partial(sqs.receive_message, QueueUrl=queue, MessageAttributeNames=["All"])
    (message,) = eventually(lambda: receive().get("Messages"))
    values = {key: attribute["StringValue"] for key, attribute in message["MessageAttributes"].items()}
    assert json.loads(message["Body"]) == {"Bucket": bucket}
    assert values["ERROR_CODE"] == "NoSuchBucket"
    assert (values["EXHAUSTED_RETRY_CONDITION"], values["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "0")
    assert (values["TARGET_ARN"], values["SCHEDULE_ARN"].rpartition("/")[2]) == (target, name)


def test_schedule_invokes_a_lambda_function(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN
    source = "import boto3\ndef main(event, context):\n    boto3.client('sqs').create_queue(QueueName=event['name'])\n"
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{make_function(emulator, source)}"
    queue = unique("queue")

    # WHEN
    make_schedule(arn, {"name": queue})

    # THEN
    assert eventually(lambda: queue_exists(emulator, queue))


def test_unsupported_target_is_reported_and_not_invoked(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN
    stream = f"arn:aws:kinesis:us-east-1:123456789012:stream/{unique('stream')}"

    # WHEN
    schedule = make_schedule(stream, {})

    # THEN
    assert eventually(lambda: f"sagelocal does not support the target {stream}" in emulator.log.read_text())
    assert f"schedule {schedule}: cannot invoke" not in emulator.log.read_text()


def test_disabled_schedule_does_not_invoke_its_target(emulator: Any, make_schedule: MakeSchedule) -> None:
    # GIVEN a disabled schedule
    first, second = unique("queue"), unique("queue")
    target = "arn:aws:scheduler:::aws-sdk:sqs:createQueue"
    make_schedule(target, {"QueueName": first}, State="DISABLED")

    # WHEN an enabled schedule is due at the same time or later
    make_schedule(target, {"QueueName": second})

    # THEN only the enabled schedule invokes its target
    assert eventually(lambda: queue_exists(emulator, second))
    assert not queue_exists(emulator, first)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("ScheduleExpression", "at(2026-02-30T10:00:00)", r"Invalid Schedule Expression at\(2026-02-30T10:00:00\)\."),
        ("ScheduleExpression", "every day", "Invalid Schedule Expression every day"),
        ("ScheduleExpressionTimezone", "Mars/Base", "Invalid Schedule Expression Timezone Mars/Base"),
        ("ScheduleExpressionTimezone", "Europe", "Invalid Schedule Expression Timezone Europe"),
        ("Target", {"Arn": "some-queue", "RoleArn": ROLE}, "Provided Arn is not in correct format"),
    ],
)
def test_invalid_schedule_is_refused_and_existing_schedules_continue(
    emulator: Any, make_schedule: MakeSchedule, option: str, value: Any, reason: str
) -> None:
    # GIVEN a valid schedule
    queue, scheduler = unique("queue"), emulator.client("scheduler")
    name = make_schedule("arn:aws:scheduler:::aws-sdk:sqs:createQueue", {"QueueName": queue})
    stored = scheduler.get_schedule(Name=name)
    request = {key: stored[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")} | {option: value}

    # WHEN a schedule is created or updated with an invalid value, THEN the request is refused
    for operation, schedule in ((scheduler.create_schedule, unique("schedule")), (scheduler.update_schedule, name)):
        with pytest.raises(ClientError, match=reason) as caught:
            operation(Name=schedule, **request)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert eventually(lambda: queue_exists(emulator, queue))
