"""Creates and runs state machines for the Step Functions contract tests."""

import json
from typing import Any
from uuid import uuid4

from sagelocal.pytest_plugin import RunningEmulator

from ..waiting import eventually

TERMINAL = {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"}


def role(name: str = "states") -> str:
    """Return the ARN of an IAM role in the emulator's account. The role need not exist."""
    return f"arn:aws:iam::123456789012:role/{name}"


class StateMachines:
    """Creates state machines, runs them and waits for their executions."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def create(self, definition: dict[str, Any], **options: Any) -> str:
        """Create a state machine with CreateStateMachine's `options`, and return its ARN."""
        name = options.pop("name", f"machine-{uuid4()}")
        created = self.client.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=role(), **options
        )
        return str(created["stateMachineArn"])

    def finish(self, arn: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the execution `arn` has ended, and return its description."""

        def describe_if_ended() -> dict[str, Any]:
            described: dict[str, Any] = self.client.describe_execution(executionArn=arn)
            return described if described["status"] in TERMINAL else {}

        return eventually(describe_if_ended, seconds=seconds)

    def run(self, definition: dict[str, Any], value: Any = None, **options: Any) -> dict[str, Any]:
        """Create a state machine, run one execution with the input `value`, and return the execution's description."""
        machine = self.create(definition, **options)
        started = self.client.start_execution(stateMachineArn=machine, input=json.dumps(value or {}))
        return self.finish(started["executionArn"])

    def output(self, definition: dict[str, Any], value: Any = None) -> Any:
        """Create a state machine, run one execution, and return its output; fail if the execution fails."""
        ended = self.run(definition, value)
        assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
        return json.loads(ended["output"])


def single(**state: Any) -> dict[str, Any]:
    """Return a state machine definition that consists of one state."""
    query = {"QueryLanguage": state.pop("QueryLanguage")} if "QueryLanguage" in state else {}
    return {**query, "StartAt": "Only", "States": {"Only": {**state, "End": True}}}


def receive_body(emulator: RunningEmulator, queue: str) -> str:
    """Wait up to 10 seconds for a message in the queue with the URL `queue`, and return its body."""
    messages = emulator.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    return str(messages[0]["Body"])
