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
        """Create a state machine, and return its ARN.

        options : parameters of CreateStateMachine, which override the defaults
        """
        request = {"name": f"machine-{uuid4()}", "definition": json.dumps(definition), "roleArn": role(), **options}
        created = self.client.create_state_machine(**request)
        return str(created["stateMachineArn"])

    def wait_for_execution(self, arn: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the execution `arn` has ended, and return its description."""

        def describe_if_ended() -> dict[str, Any]:
            described: dict[str, Any] = self.client.describe_execution(executionArn=arn)
            return described if described["status"] in TERMINAL else {}

        return eventually(describe_if_ended, seconds=seconds)

    def run(self, definition: dict[str, Any], value: Any = None, **options: Any) -> dict[str, Any]:
        """Create a state machine, run one execution, and return the execution's description.

        value   : the execution's input; by default an empty object
        options : parameters of CreateStateMachine
        """
        machine = self.create(definition, **options)
        started = self.client.start_execution(stateMachineArn=machine, input=json.dumps({} if value is None else value))
        return self.wait_for_execution(started["executionArn"])

    def output(self, definition: dict[str, Any], value: Any = None) -> Any:
        """Create a state machine, run one execution, and return the execution's output; fail if the execution fails."""
        ended = self.run(definition, value)
        assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
        return json.loads(ended["output"])


def single(**state: Any) -> dict[str, Any]:
    """Return a definition with one state; `QueryLanguage` becomes the query language of the definition."""
    query = {"QueryLanguage": state.pop("QueryLanguage")} if "QueryLanguage" in state else {}
    return {**query, "StartAt": "Only", "States": {"Only": {**state, "End": True}}}


def receive_body(emulator: RunningEmulator, queue: str) -> str:
    """Wait up to 10 seconds for a message in the queue with the URL `queue`, and return its body."""
    messages = emulator.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    return str(messages[0]["Body"])
