"""Find an execution of a state machine, and read its description, history, definition and map runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_code
from common.errors import OperatorError
from evaluation.execution_history import Status, Step, read_steps
from evaluation.payloads import find_values, parse_payload
from evaluation.state_machine import StateMachine, parse_definition

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
UNKNOWN_EXECUTION = ("ExecutionDoesNotExist", "InvalidArn", "InvalidName", "ValidationException")
MAX_STEPS = 200  # maximum number of steps that are shown; in longer executions, the middle steps are left out
MAX_CHILDREN = 5  # number of failed child executions that are listed for a map run


@dataclass(frozen=True)
class ImageLocation:
    """The S3 object of an image; `version` is None for the latest version."""

    bucket: str
    key: str
    version: str | None = None

    @property
    def uri(self) -> str:
        """The object's `s3://` URI."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class MapRun:
    """The run of a distributed Map state.

    Attributes
    ----------
    items : number of items by status, such as `succeeded`
    failed : ARNs of at most `MAX_CHILDREN` failed child executions; empty if the child executions are EXPRESS
        executions that Step Functions refuses to list
    """

    arn: str
    status: str
    items: Mapping[str, int]
    failed: Sequence[str]


@dataclass(frozen=True)
class ExecutionDetails:
    """An execution and its history.

    Attributes
    ----------
    machine : name of the state machine
    input, output : JSON values, shortened
    steps : the visits of states; empty for an EXPRESS execution, because AWS keeps no history of it
    map_runs : map runs by ARN
    definition : the definition that the execution ran with; None if there are no steps or the state machine was deleted
    probabilities : pairs of class and probability, the highest probability first; empty if there is no prediction
    """

    arn: str
    name: str
    machine: str
    status: str
    error: str | None
    cause: str | None
    started: datetime
    stopped: datetime | None
    redrives: int
    input: Any
    output: Any
    steps: Sequence[Step]
    map_runs: Mapping[str, MapRun]
    definition: StateMachine | None
    image: ImageLocation | None
    probabilities: Sequence[tuple[str, float]]
    model_version: str | None

    @property
    def seconds(self) -> float:
        """The duration in seconds, up to now if the execution is still running."""
        return ((self.stopped or datetime.now(UTC)) - self.started).total_seconds()

    @property
    def first_steps(self) -> list[tuple[int, Step]]:
        """The first steps with their numbers: all steps, or `MAX_STEPS` / 2 if there are more than `MAX_STEPS`."""
        steps = list(enumerate(self.steps, 1))
        return steps[: MAX_STEPS // 2] if self.steps_left_out else steps

    @property
    def last_steps(self) -> list[tuple[int, Step]]:
        """The last `MAX_STEPS` / 2 steps with their numbers; an empty list if `first_steps` contains all steps."""
        return list(enumerate(self.steps, 1))[-MAX_STEPS // 2 :] if self.steps_left_out else []

    @property
    def steps_left_out(self) -> int:
        """The number of steps that are not shown."""
        return max(len(self.steps) - MAX_STEPS, 0)

    @property
    def not_reached(self) -> list[str]:
        """The names of the states that the execution has not entered."""
        entered = {step.name for step in self.steps}
        return list(self.definition.names_except(entered)) if self.definition else []


def read_execution(execution: str, state_machine_arns: Sequence[str], *, states: Any) -> ExecutionDetails:
    """Return an execution with its history.

    Parameters
    ----------
    execution : ARN or name of an execution; an empty string selects the latest execution
    state_machine_arns : ARNs of the state machines whose executions are searched

    Raises
    ------
    OperatorError
        The execution does not exist.
    """
    described = describe_execution(execution, state_machine_arns, states=states)
    arn = described["executionArn"]
    is_express = ":express:" in arn
    steps = [] if is_express else _read_steps(arn, is_running=described["status"] == "RUNNING", states=states)
    values = [
        parse_payload(described.get("output")),
        *(value for step in reversed(steps) for value in (step.output, step.variables)),
    ]
    version = _first(values, "model_version")
    return ExecutionDetails(
        arn=arn,
        name=described.get("name") or arn.rpartition(":")[2],
        machine=described["stateMachineArn"].partition(":stateMachine:")[2],
        status=described["status"],
        error=described.get("error"),
        cause=described.get("cause"),
        started=described["startDate"],
        stopped=described.get("stopDate"),
        redrives=described.get("redriveCount", 0),
        input=parse_payload(described.get("input")),
        output=values[0],
        steps=steps,
        map_runs={
            step.map_run_arn: _read_map_run(step.map_run_arn, states=states) for step in steps if step.map_run_arn
        },
        definition=_read_definition(arn, steps[0].name, states=states) if steps else None,
        image=find_image(described.get("input"), values),
        probabilities=_find_probabilities(values),
        model_version=None if version is None else str(version),
    )


def describe_execution(execution: str, state_machine_arns: Sequence[str], *, states: Any) -> dict[str, Any]:
    """Return the response of DescribeExecution; the parameters are those of `read_execution`."""
    if not execution:
        execution = _latest(state_machine_arns, states=states)
    names = [f"{arn.replace(':stateMachine:', ':execution:')}:{execution}" for arn in state_machine_arns]
    for arn in [execution] if execution.startswith("arn:") else names:
        try:
            description: dict[str, Any] = states.describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) not in UNKNOWN_EXECUTION:
                raise
        else:
            return description
    raise OperatorError(
        f"execution {execution!r} does not exist: pass the ARN or the name of an execution, "
        "which `make classify` prints and `run.json` contains"
    )


def _latest(state_machine_arns: Sequence[str], *, states: Any) -> str:
    found = [
        execution
        for arn in state_machine_arns
        for execution in states.list_executions(stateMachineArn=arn, maxResults=1)["executions"]
    ]
    if not found:
        raise OperatorError("there is no execution yet: run `make classify IMAGE=photo.jpg`")
    return str(max(found, key=lambda each: each["startDate"])["executionArn"])


def _read_steps(arn: str, *, is_running: bool, states: Any) -> list[Step]:
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    try:
        return read_steps((event for page in pages for event in page["events"]), is_running=is_running)
    except ClientError as error:
        if error_code(error) not in UNKNOWN_EXECUTION:
            raise
        return []  # AWS deletes the history 90 days after the end of the execution


def _read_definition(arn: str, first_state: str, *, states: Any) -> StateMachine | None:
    """Return the definition that the execution ran with, even if the state machine has changed since.

    For a child execution of a Map state, AWS may return the definition of the whole state machine. This function then
    returns only the part that the child execution runs: the Map state's item processor.
    """
    try:
        definition = states.describe_state_machine_for_execution(executionArn=arn)["definition"]
        return parse_definition(definition).find_part(first_state)
    except ClientError as error:
        if error_code(error) not in ("StateMachineDoesNotExist", "ResourceNotFound", *UNKNOWN_EXECUTION):
            raise
        return None  # the state machine was deleted


def _read_map_run(arn: str, *, states: Any) -> MapRun:
    described = states.describe_map_run(mapRunArn=arn)
    try:
        failed = states.list_executions(mapRunArn=arn, statusFilter="FAILED", maxResults=MAX_CHILDREN)["executions"]
    except ClientError as error:
        if error_code(error) != "StateMachineTypeNotSupported":
            raise
        failed = []
    return MapRun(arn, described["status"], described["itemCounts"], [each["executionArn"] for each in failed])


def find_image(event: str | None, outputs: Sequence[Any] = ()) -> ImageLocation | None:
    """Return the image that an execution classifies.

    Parameters
    ----------
    event : the execution's input, in the course's input format (`image_data`, `s3_bucket`, `s3_key`) or as an S3 event
        from EventBridge (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html)
    outputs : outputs of the execution and its states, in which the field `s3_version` is the version ID of the S3
        object that was read; the course's input format does not contain the version

    Returns
    -------
    ImageLocation or None
        None if the input has neither format.
    """
    match json.loads(event or "null"):
        case {"s3_bucket": str(bucket), "s3_key": str(key)}:
            return ImageLocation(bucket, key, _first(outputs, "s3_version"))
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **properties}}}:
            version = properties.get("version-id")
            return ImageLocation(bucket, key, version if isinstance(version, str) else None)
    return None


def _find_probabilities(values: Sequence[Any]) -> list[tuple[str, float]]:
    predictions = _first(values, "predictions")
    try:
        found = [(str(each["class"]), float(each["probability"])) for each in predictions or ()]
    except (KeyError, TypeError, ValueError):
        return []
    return sorted(found, key=lambda each: -each[1])


def _first(values: Sequence[Any], name: str) -> Any:
    """Return the first value of the field `name` in `values`, or None."""
    return next((found for value in values for found in find_values(value, name)), None)


def group_visits(steps: Sequence[Step]) -> dict[str, list[Step]]:
    """Return, for each state that the execution entered, the state's name and its steps."""
    visits: dict[str, list[Step]] = {}
    for step in steps:
        visits.setdefault(step.name, []).append(step)
    return visits


def combine_status(visits: Sequence[Step]) -> Status:
    """Return the most severe status among the visits of a state, for example FAILED if any visit failed.

    If the list of visits is empty, the status is NOT_REACHED.
    """
    order = (Status.FAILED, Status.RUNNING, Status.CAUGHT, Status.ABORTED, Status.SUCCEEDED)
    return min((step.status for step in visits), key=order.index, default=Status.NOT_REACHED)
