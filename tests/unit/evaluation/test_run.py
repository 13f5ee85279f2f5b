# ruff: noqa: N803  the names are boto3's
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from registry.endpoint import deployed_model_package
from scripts.run import (
    PATIENCE,
    ExecutionsFailedError,
    check_deployed,
    check_outcomes,
    execute,
    execute_all,
    passed_on,
    summary,
    wait,
)
from tests.unit.evaluation.runs import BELOW, make_execution
from tests.unit.stacks import make_stack

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeStates:
    """Step Functions whose executions end at once, as `ends` says by key."""

    def __init__(self, ends: Mapping[str, Mapping[str, Any]], history: Mapping[str, list[Any]] | None = None) -> None:
        self._ends = ends
        self._history = history or {}
        self._lock = threading.Lock()
        self.inputs: list[dict[str, Any]] = []

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, Any]:
        event = json.loads(input)
        with self._lock:
            self.inputs.append(event)
        return {"executionArn": event["s3_key"]}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        times = {"startDate": STARTED, "stopDate": STARTED + timedelta(seconds=2)}
        return {**times, **self._ends[executionArn]}

    def get_paginator(self, operation: str) -> "FakeStates":
        assert operation == "get_execution_history"
        return self

    def paginate(self, *, executionArn: str, reverseOrder: bool) -> Iterator[dict[str, Any]]:
        for event in self._history.get(executionArn, []):  # one a page
            yield {"events": [event]}


class FakeSageMaker:
    """One endpoint, or none."""

    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, status: str | None, config: str = "scones-local-vehicles-1") -> None:
        self._status, self._config = status, config

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        if self._status is None:
            error = {"Code": "ValidationException", "Message": f'Could not find endpoint "{EndpointName}".'}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return {"EndpointStatus": self._status, "EndpointConfigName": self._config}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        return {"ProductionVariants": [{"ModelName": f"model-of-{EndpointConfigName}"}]}

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:
        return {"PrimaryContainer": {"ModelPackageName": f"package-of-{ModelName}"}}


def exited(output: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Any", "output": json.dumps(output)}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.run.POLLS", (0.0, 0.0))


def test_an_execution_that_succeeds_brings_its_probabilities() -> None:
    # GIVEN
    output = json.dumps({"inferences": [0.98, 0.02], "class": "bicycle"})
    states = FakeStates({"test/a.png": {"status": "SUCCEEDED", "output": output}})

    # WHEN
    execution = execute(states, "machine", "bucket", "test/a.png")

    # THEN
    assert states.inputs == [{"image_data": "", "s3_bucket": "bucket", "s3_key": "test/a.png"}]
    assert execution["status"] == "SUCCEEDED"
    assert execution["error"] is None
    assert execution["inferences"] == [0.98, 0.02]
    assert execution["seconds"] == 2


def test_below_the_threshold_the_probabilities_come_from_the_history() -> None:
    # GIVEN
    failed = {"status": "FAILED", "error": BELOW, "cause": "too low"}
    history = [
        {"type": "ExecutionFailed"},
        exited({"inferences": [0.6, 0.4], "failure": {"Error": BELOW}}),
        exited({"inferences": []}),
    ]
    states = FakeStates({"test/a.png": failed}, {"test/a.png": history})

    # WHEN
    execution = execute(states, "machine", "bucket", "test/a.png")

    # THEN
    assert execution["error"] == BELOW
    assert execution["inferences"] == [0.6, 0.4]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Any"}}, id="no output"),
        pytest.param(exited({"inferences": []}), id="before the endpoint answered"),
        pytest.param({"type": "TaskStateExited", "stateExitedEventDetails": {"output": "[1]"}}, id="no object"),
    ],
)
def test_where_the_endpoint_gave_no_answer_there_are_no_probabilities(event: dict[str, Any]) -> None:
    assert passed_on(FakeStates({}, {"arn": [event]}), "arn", None, "inferences") is None


def test_executions_come_in_the_order_of_the_images() -> None:
    # GIVEN
    keys = [f"test/{number}.png" for number in range(40)]
    output = json.dumps({"inferences": [1.0, 0.0]})
    states = FakeStates({key: {"status": "SUCCEEDED", "output": output} for key in keys})

    # WHEN
    executions = execute_all(states, make_stack(), keys)

    # THEN
    assert [execution["s3_key"] for execution in executions] == keys


def test_an_execution_that_hangs_is_not_waited_for_for_ever() -> None:
    # GIVEN a clock that only pauses move
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds + 1

    # WHEN
    found = wait(lambda: {"status": "RUNNING"}, sleep=sleep, clock=lambda: clock[0])

    # THEN
    assert found == {"status": "RUNNING"}
    assert PATIENCE < clock[0] < PATIENCE + 10


@pytest.mark.parametrize(
    ("stack", "sagemaker", "target"),
    [
        pytest.param({"endpoint_config_name": None}, FakeSageMaker(None), "make train ENV=local", id="no model yet"),
        pytest.param({}, FakeSageMaker(None), "make deploy ENV=local", id="endpoint deleted"),
        pytest.param({}, FakeSageMaker("Updating"), "is Updating", id="in between"),
        pytest.param({}, FakeSageMaker("InService", "older"), "with older", id="another model"),
    ],
)
def test_without_the_deployed_endpoint_the_target_is_named(
    stack: dict[str, Any], sagemaker: FakeSageMaker, target: str
) -> None:
    with pytest.raises(OperatorError, match=target):
        check_deployed(make_stack(**stack), sagemaker)


def test_the_deployed_endpoint_is_good_ground() -> None:
    # GIVEN
    sagemaker = FakeSageMaker("InService")

    # WHEN
    check_deployed(make_stack(), sagemaker)

    # THEN
    model = deployed_model_package(make_stack().endpoint_name, sagemaker=sagemaker)
    assert model == "package-of-model-of-scones-local-vehicles-1"


def test_the_threshold_is_no_error_of_the_run() -> None:
    check_outcomes([make_execution("test/a.png", [0.99, 0.01]), make_execution("test/b.png", [0.6, 0.4])])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"error": "ImageInvalidError", "cause": "no image"}, "ImageInvalidError: no image", id="error"),
        pytest.param({"status": "TIMED_OUT", "error": None, "cause": None}, "TIMED_OUT: no cause", id="status"),
    ],
)
def test_any_other_failure_is_named(changes: dict[str, Any], name: str) -> None:
    # GIVEN
    executions = [make_execution("test/a.png", [0.99, 0.01]), make_execution("test/b.png", None, **changes)]

    # WHEN / THEN
    with pytest.raises(ExecutionsFailedError, match=rf"1 of 2 .* test/b\.png: {name}"):
        check_outcomes(executions)


def test_the_table_fits_a_terminal_and_counts_each_outcome() -> None:
    # GIVEN
    executions = [
        make_execution("a", [0.6, 0.4]),
        make_execution("b", [0.5, 0.5]),
        make_execution("c", [0.99, 0.01]),
        make_execution("d", None, error="AnErrorOfALongName" * 6),
    ]

    # WHEN
    lines = list(summary(executions))

    # THEN
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["SUCCEEDED", "1", "25.0%"]
    assert lines[2].split() == [BELOW, "2", "50.0%"]
