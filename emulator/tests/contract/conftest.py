"""Fixtures of the contract tests. The pytest plugin `sagelocal` runs one emulator for the whole test session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from sagelocal.pytest_plugin import RunningEmulator

    from .statemachines import StateMachines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this directory as contract tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.contract)


@pytest.fixture(scope="session")
def sagelocal_images() -> Mapping[str, Any]:
    """The image map of the emulator: the command for each container image that a test uses."""
    from .images import IMAGES

    return IMAGES


@pytest.fixture(scope="session")
def emulator(sagelocal: RunningEmulator) -> RunningEmulator:
    """The emulator that all contract tests of the session share."""
    return sagelocal


@pytest.fixture
def machines(emulator: RunningEmulator) -> StateMachines:
    """Return a helper that creates and runs state machines."""
    from .statemachines import StateMachines

    return StateMachines(emulator.client("stepfunctions"))


@pytest.fixture
def functions(emulator: RunningEmulator) -> Any:
    """Return a Lambda client."""
    return emulator.client("lambda")


@pytest.fixture
def topic_and_queue(emulator: RunningEmulator) -> tuple[str, str]:
    """Return the ARN of an SNS topic and the URL of an SQS queue that is subscribed to it."""
    topic = emulator.client("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"]
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    emulator.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return topic, queue
