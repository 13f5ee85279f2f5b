"""Events of execution histories in the format of GetExecutionHistory, and a client that returns them.

The events follow https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html.
"""

# ruff: noqa: N803  boto3's argument names
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-local-workflow"
ARN = "arn:aws:states:us-east-1:123456789012:execution:scones-local-workflow:some-name"
MAP_RUN = "arn:aws:states:us-east-1:123456789012:mapRun:scones-local-workflow/Each:some-run"


class History:
    """Builds an execution history; its events have consecutive IDs, and times that are a second apart."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, *, after: int | None = None, **details: Any) -> int:
        """Add an event of the type `kind`, and return the event's ID.

        Parameters
        ----------
        after : `previousEventId` of the event; by default, the ID of the event that was added before
        details : fields of the event's details, which are stored under a name that depends on the type
        """
        number = len(self.events) + 1
        event = {
            "id": number,
            "previousEventId": number - 1 if after is None else after,
            "timestamp": STARTED + timedelta(seconds=number),
            "type": kind,
        }
        if details:
            name = "StateEntered" if kind.endswith("StateEntered") else kind
            name = "StateExited" if kind.endswith("StateExited") else name
            event[f"{name[0].lower()}{name[1:]}EventDetails"] = details
        self.events.append(event)
        return number

    def enter(self, kind: str, name: str, payload: Any = None, *, after: int | None = None) -> int:
        """Add the event that a state of the type `kind` was entered with an input."""
        return self.add(f"{kind}StateEntered", after=after, name=name, input=json.dumps(payload))

    def leave(self, kind: str, name: str, payload: Any = None, *, after: int | None = None, **details: Any) -> int:
        """Add the event that a state of the type `kind` was exited with an output."""
        return self.add(f"{kind}StateExited", after=after, name=name, output=json.dumps(payload), **details)

    def call(self, *, error: str | None = None, cause: str = "some cause") -> None:
        """Add the events of one attempt of a task, which fails if `error` is given, and otherwise succeeds."""
        service: dict[str, Any] = {"resourceType": "lambda", "resource": "invoke"}
        self.add("TaskScheduled", **service, region="us-east-1", parameters="{}")
        self.add("TaskStarted", **service)
        if error:
            self.add("TaskFailed", **service, error=error, cause=cause)
        else:
            self.add("TaskSucceeded", **service, output="{}")


def failed_history(bucket: str = "some-bucket") -> History:
    """Return the history of an execution whose second state fails twice.

    The states are Serialize, Classify (two attempts), CountFailure, which catches the error, and Failed.
    """
    event = {"image_data": "", "s3_bucket": bucket, "s3_key": "test/a.png"}
    history = History()
    history.add("ExecutionStarted", after=0, input=json.dumps(event), roleArn="some-role")
    history.enter("Task", "Serialize", event, after=0)
    history.call()
    history.leave("Task", "Serialize", {**event, "image_data": "A" * 200_000})
    history.enter("Task", "Classify", {**event, "image_data": "A" * 200_000})
    history.call(error="EndpointUnavailableError")
    history.call(error="ImageInvalidError", cause="<script>alert(1)</script> is not an image")
    failure = {"Error": "ImageInvalidError", "Cause": "<script>alert(1)</script> is not an image"}
    history.leave("Task", "Classify", failure)
    history.enter("Task", "CountFailure", failure)
    history.call()
    history.leave("Task", "CountFailure", failure)
    history.enter("Fail", "Failed", failure)
    history.add("ExecutionFailed", error=failure["Error"], cause=failure["Cause"])
    return history


DEFINITION: dict[str, Any] = {
    "StartAt": "Serialize",
    "States": {
        "Serialize": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "CountFailure"}],
            "Next": "Classify",
        },
        "Classify": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Catch": [
                {"ErrorEquals": ["States.DataLimitExceeded"], "Next": "CountFailure"},
                {"ErrorEquals": ["States.ALL"], "Next": "CountFailure"},
            ],
            "Next": "Record",
        },
        "Record": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True},
        "CountFailure": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
            "Next": "Failed",
        },
        "Failed": {"Type": "Fail", "ErrorPath": "$.Error"},
    },
}


def refusal(code: str) -> ClientError:
    """Return an AWS error with an error code."""
    return ClientError({"Error": {"Code": code, "Message": "some message"}}, "SomeOperation")


class FakeStates:
    """A Step Functions client with one execution, which has failed by default.

    Parameters
    ----------
    history : events of the execution
    definition : definition of the state machine
    map_run : response of DescribeMapRun, or None if the execution has no map run
    description : fields that replace those in the response of DescribeExecution
    """

    def __init__(
        self,
        history: History,
        definition: Mapping[str, Any] = DEFINITION,
        *,
        map_run: Mapping[str, Any] | None = None,
        **description: Any,
    ) -> None:
        self._history, self._definition, self._map_run = history, definition, map_run
        self._description = {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": "some-name",
            "status": "FAILED",
            "startDate": STARTED,
            "stopDate": STARTED + timedelta(seconds=2),
            "input": json.dumps({"image_data": "", "s3_bucket": "some-bucket", "s3_key": "test/a.png"}),
            **description,
        }

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn != self._description["executionArn"]:
            raise refusal("ExecutionDoesNotExist")
        return self._description

    def list_executions(self, *, maxResults: int, stateMachineArn: str = "", **_: Any) -> dict[str, Any]:
        if not stateMachineArn:
            raise refusal("StateMachineTypeNotSupported")
        found = [self._description] if stateMachineArn == self._description["stateMachineArn"] else []
        return {"executions": found[:maxResults]}

    def describe_state_machine_for_execution(self, *, executionArn: str) -> dict[str, Any]:
        return {"definition": json.dumps(self._definition)}

    def describe_map_run(self, *, mapRunArn: str) -> Mapping[str, Any]:
        assert self._map_run is not None
        return self._map_run

    def get_paginator(self, operation: str) -> "FakeStates":
        assert operation == "get_execution_history"
        return self

    def paginate(self, *, executionArn: str) -> Iterator[dict[str, Sequence[Any]]]:
        assert ":express:" not in executionArn, "AWS keeps no history of EXPRESS executions"
        for event in self._history.events:  # one event per page
            yield {"events": [event]}
