"""Schedules come due and call their targets."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .functions import make_function, unique
from .waiting import eventually

ROLE = "arn:aws:iam::123456789012:role/schedule"
Make = Callable[..., str]


@pytest.fixture
def make_schedule(emulator: Any) -> Make:
    """A factory of schedules that come due in a second; their names."""

    def make(target: str, given: dict[str, Any], **options: Any) -> str:
        name = unique("schedule")
        soon = datetime.now(UTC) + timedelta(seconds=1.5)
        emulator.client("scheduler").create_schedule(
            Name=name,
            **{"ScheduleExpression": soon.strftime("at(%Y-%m-%dT%H:%M:%S)"), **options},
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": target, "RoleArn": ROLE, "Input": json.dumps(given)},
        )
        return name

    return make


def queue_exists(emulator: Any, name: str) -> Callable[[], bool]:
    return lambda: bool(emulator.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls"))


def test_any_operation_of_any_service_may_be_the_target(emulator: Any, make_schedule: Make) -> None:
    # GIVEN
    queue = unique("queue")

    # WHEN
    schedule = make_schedule("arn:aws:scheduler:::aws-sdk:sqs:createQueue", {"QueueName": queue})

    # THEN it is called, and the schedule stays for who made it
    assert eventually(queue_exists(emulator, queue))
    assert emulator.client("scheduler").get_schedule(Name=schedule)["Name"] == schedule


def test_a_schedule_that_asks_for_it_is_deleted_when_it_is_over(emulator: Any, make_schedule: Make) -> None:
    # WHEN
    schedule = make_schedule(
        "arn:aws:scheduler:::aws-sdk:sqs:createQueue", {"QueueName": unique("queue")}, ActionAfterCompletion="DELETE"
    )

    # THEN
    def is_gone() -> bool:
        try:
            emulator.client("scheduler").get_schedule(Name=schedule)
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "ResourceNotFoundException")
        return False

    assert eventually(is_gone)


def test_a_target_that_fails_is_called_again(emulator: Any, make_schedule: Make) -> None:
    # GIVEN a bucket that is not empty
    s3, bucket = emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"")

    # WHEN the schedule came due, and only then the bucket is emptied
    make_schedule("arn:aws:scheduler:::aws-sdk:s3:deleteBucket", {"Bucket": bucket})
    eventually(lambda: bucket in emulator.log.read_text() or "BucketNotEmpty" in emulator.log.read_text())
    s3.delete_object(Bucket=bucket, Key="key")

    # THEN
    assert eventually(lambda: bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]])


def test_a_function_may_be_the_target(emulator: Any, make_schedule: Make) -> None:
    # GIVEN
    source = "import boto3\ndef main(event, context):\n    boto3.client('sqs').create_queue(QueueName=event['name'])\n"
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{make_function(emulator, source)}"
    queue = unique("queue")

    # WHEN
    make_schedule(arn, {"name": queue})

    # THEN
    assert eventually(queue_exists(emulator, queue))


def test_a_schedule_that_is_disabled_calls_nothing(emulator: Any, make_schedule: Make) -> None:
    # GIVEN two schedules of the same second
    first, second = unique("queue"), unique("queue")
    target = "arn:aws:scheduler:::aws-sdk:sqs:createQueue"
    make_schedule(target, {"QueueName": first}, State="DISABLED")

    # WHEN
    make_schedule(target, {"QueueName": second})

    # THEN
    assert eventually(queue_exists(emulator, second))
    assert not queue_exists(emulator, first)()
