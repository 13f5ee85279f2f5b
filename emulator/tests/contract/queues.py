"""SQS queues from which tests receive events, and EventBridge rules that deliver the events."""

import json
from typing import Any

from sagelocal.pytest_plugin import RunningEmulator

from ..waiting import eventually
from .functions import unique


class Inbox:
    """An SQS queue from which a test receives JSON messages."""

    def __init__(self, emulator: RunningEmulator) -> None:
        self.sqs = emulator.client("sqs")
        self.url = self.sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]

    def take(self, count: int) -> list[Any]:
        """Receive messages until there are at least `count`, delete them, and return their JSON bodies.

        Fail if there are more than `count`. Messages that arrive later are not noticed.
        """
        return [json.loads(message["Body"]) for message in self.take_messages(count)]

    def take_messages(self, count: int) -> list[dict[str, Any]]:
        """Like `take`, but return the whole messages, with body and attributes."""
        found: list[dict[str, Any]] = []

        def receive() -> bool:
            options = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
            for message in self.sqs.receive_message(QueueUrl=self.url, **options).get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
            return len(found) >= count

        eventually(receive)
        assert len(found) == count
        return found


def make_rule(emulator: RunningEmulator, pattern: dict[str, Any], target: dict[str, Any], **options: str) -> str:
    """Create an EventBridge rule with one target, and return the rule's ARN."""
    events, name = emulator.client("events"), unique("rule")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern), **options)["RuleArn"]
    failed = events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])["FailedEntryCount"]
    assert failed == 0
    return str(arn)
