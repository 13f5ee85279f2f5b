"""SQS queues as event sources of Lambda functions: batches, filters, failed messages and dead-letter queues.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ..waiting import eventually
from .functions import make_function, unique

# This function sends the beginning of each message's body, and the message's receive count, to the queue SEEN. It
# raises an error if a body is `fail`, and reports the messages whose body is `bad` as failed.
HANDLER = """import boto3, json, os
sqs = boto3.client("sqs")
def main(event, context):
    batch = [[r["body"][:100], r["attributes"]["ApproximateReceiveCount"]] for r in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(batch))
    if any(r["body"] == "fail" for r in event["Records"]):
        raise ValueError
    bad = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in bad]}
"""


class Source:
    """An SQS queue with a dead-letter queue, and a Lambda function that processes the queue's messages.

    receives : how often a message is received before it moves to the dead-letter queue
    bodies   : bodies of the messages that are in the queue before the event source mapping is created
    mapping  : parameters of CreateEventSourceMapping
    """

    def __init__(self, emulator: Any, *, receives: int = 1, bodies: tuple[str, ...] = (), **mapping: Any) -> None:
        self.sqs = emulator.client("sqs")
        self.seen, self.dead = (self.sqs.create_queue(QueueName=unique(name))["QueueUrl"] for name in ("seen", "dead"))
        redrive = {"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": receives}
        # The timeout exceeds an invocation's duration on a busy machine. Otherwise a message would be received twice.
        attributes = {"VisibilityTimeout": "4", "RedrivePolicy": json.dumps(redrive)}
        self.queue = self.sqs.create_queue(QueueName=unique("queue"), Attributes=attributes)["QueueUrl"]
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        name = make_function(emulator, HANDLER, Environment={"Variables": {"SEEN": self.seen}})
        emulator.client("lambda").create_event_source_mapping(
            FunctionName=name, EventSourceArn=self.arn(self.queue), **mapping
        )

    def arn(self, url: str) -> str:
        """Return the ARN of the queue with a URL."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])

    def take(self, url: str) -> str | None:
        """Receive and delete one message, and return its body, or None if the queue is empty."""
        for message in self.sqs.receive_message(QueueUrl=url).get("Messages", []):
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return str(message["Body"])
        return None

    def is_empty(self) -> bool:
        """Return whether the source queue has neither visible messages nor messages in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}


@pytest.fixture
def source(emulator: Any) -> Callable[..., Source]:
    """Return a function that creates a `Source`."""
    return lambda **options: Source(emulator, **options)


def test_failed_message_is_retried_and_then_moved_to_the_dead_letter_queue(source: Callable[..., Source]) -> None:
    # GIVEN / WHEN
    mapped = source(bodies=("fail",), receives=2)
    # THEN
    seen = [json.loads(eventually(lambda: mapped.take(mapped.seen)) or "") for _ in range(2)]
    assert seen == [[["fail", "1"]], [["fail", "2"]]]
    assert eventually(lambda: mapped.take(mapped.dead)) == "fail"
    assert mapped.is_empty()


def test_only_reported_messages_move_to_the_dead_letter_queue(source: Callable[..., Source]) -> None:
    # GIVEN / WHEN
    mapped = source(bodies=("good", "bad"), FunctionResponseTypes=["ReportBatchItemFailures"])
    # THEN
    assert json.loads(eventually(lambda: mapped.take(mapped.seen)) or "") == [["good", "1"], ["bad", "1"]]
    assert eventually(lambda: mapped.take(mapped.dead)) == "bad"
    assert mapped.is_empty()
    assert mapped.take(mapped.dead) is None


def test_batches_respect_the_batch_size_and_the_filter(source: Callable[..., Source]) -> None:
    # GIVEN four messages, two of which match the filter
    bodies = [json.dumps({"label": label}) for label in ("car", "bicycle", "car")]
    filters = {"Filters": [{"Pattern": json.dumps({"body": {"label": ["car"]}})}]}
    # WHEN
    mapped = source(bodies=(*bodies, "text"), BatchSize=1, FilterCriteria=filters)
    # THEN
    seen = [json.loads(eventually(lambda: mapped.take(mapped.seen)) or "") for _ in range(2)]
    assert seen == [[[bodies[0], "1"]]] * 2
    assert eventually(mapped.is_empty)
    assert mapped.take(mapped.seen) is None


def test_batch_of_large_messages_does_not_exceed_the_limit_of_an_event(source: Callable[..., Source]) -> None:
    # GIVEN ten messages of a million bytes, of which at most six fit into an event
    body = "é" * 500_000
    # WHEN
    mapped = source(bodies=(body,) * 10, BatchSize=10)
    # THEN the function receives all messages, in batches that fit into an event
    assert eventually(mapped.is_empty, seconds=30)
    sizes = [len(json.loads(seen)) for seen in iter(lambda: mapped.take(mapped.seen), None)]
    assert sum(sizes) == 10
    assert max(sizes) <= 6
