"""Executions of the state machine for images: their results, waiting for their end, and their summary."""

# ruff: noqa: N803  boto3's argument names
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common.errors import OperatorError
from common.files import StepMissingError
from evaluation.executions import (
    TIMEOUT_SECONDS,
    check_outcomes,
    execute,
    execute_all,
    find_in_output,
    history_figures,
    read_run,
    require_endpoint,
    summary,
    wait_for_end,
)
from registry.endpoint import deployed_model_package
from tests.unit.evaluation.runs import BELOW, make_execution

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENDPOINT, CONFIG = "scones-local-vehicles", "scones-local-vehicles-1"


class FakeStates:
    """A Step Functions client whose executions end immediately.

    Parameters
    ----------
    ends : fields that DescribeExecution returns, by the S3 key in the execution's input
    history : events of the execution, the newest first, by the same key
    """

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
        for event in self._history.get(executionArn, []):  # one event per page
            yield {"events": [event]}


class FakeSageMaker:
    """A SageMaker client with one endpoint, or without an endpoint if `status` is None."""

    def __init__(self, status: str | None, config: str = CONFIG) -> None:
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
    """Return the event that a state was exited with an output."""
    return {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Any", "output": json.dumps(output)}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.executions.POLL_SECONDS", (0.0, 0.0))


def test_successful_execution_returns_its_probabilities() -> None:
    # GIVEN
    output = json.dumps({"inferences": [0.98, 0.02], "class": "bicycle"})
    states = FakeStates({"test/a.png": {"status": "SUCCEEDED", "output": output}})

    # WHEN
    execution = execute("machine", "bucket", "test/a.png", states=states)

    # THEN
    assert states.inputs == [{"image_data": "", "s3_bucket": "bucket", "s3_key": "test/a.png"}]
    assert execution["status"] == "SUCCEEDED"
    assert execution["error"] is None
    assert execution["inferences"] == [0.98, 0.02]
    assert execution["seconds"] == 2


def test_probabilities_of_a_failed_execution_are_read_from_its_history() -> None:
    # GIVEN
    failed = {"status": "FAILED", "error": BELOW, "cause": "too low"}
    history = [
        {"type": "ExecutionFailed"},
        exited({"inferences": [0.6, 0.4], "failure": {"Error": BELOW}}),
        exited({"inferences": []}),
    ]
    states = FakeStates({"test/a.png": failed}, {"test/a.png": history})

    # WHEN
    execution = execute("machine", "bucket", "test/a.png", states=states)

    # THEN
    assert execution["error"] == BELOW
    assert execution["inferences"] == [0.6, 0.4]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Any"}}, id="no output"),
        pytest.param(exited({"inferences": []}), id="before the endpoint's response"),
        pytest.param({"type": "TaskStateExited", "stateExitedEventDetails": {"output": "[1]"}}, id="not an object"),
    ],
)
def test_probabilities_are_none_if_no_state_has_a_response_of_the_endpoint(event: dict[str, Any]) -> None:
    assert find_in_output("arn", None, "inferences", states=FakeStates({}, {"arn": [event]})) is None


def test_results_are_in_the_order_of_the_images() -> None:
    # GIVEN
    keys = [f"test/{number}.png" for number in range(40)]
    output = json.dumps({"inferences": [1.0, 0.0]})
    states = FakeStates({key: {"status": "SUCCEEDED", "output": output} for key in keys})

    # WHEN
    executions = execute_all("machine", "bucket", keys, states=states)

    # THEN
    assert [execution["s3_key"] for execution in executions] == keys


def test_waiting_for_an_execution_that_does_not_end_stops_at_the_timeout() -> None:
    # GIVEN a clock that advances only during pauses
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds + 1

    # WHEN
    description = wait_for_end(lambda: {"status": "RUNNING"}, sleep=sleep, clock=lambda: clock[0])

    # THEN
    assert description == {"status": "RUNNING"}
    assert TIMEOUT_SECONDS < clock[0] < TIMEOUT_SECONDS + 10


@pytest.mark.parametrize(
    ("config", "sagemaker", "message"),
    [
        pytest.param(None, FakeSageMaker(None), "make train ENV=local", id="no model deployed"),
        pytest.param(CONFIG, FakeSageMaker(None), "make deploy ENV=local", id="endpoint deleted"),
        pytest.param(
            CONFIG, FakeSageMaker("Updating"), "is still Updating: run the command again", id="endpoint updating"
        ),
        pytest.param(CONFIG, FakeSageMaker("InService", "older"), "with older", id="another model"),
    ],
)
def test_an_endpoint_that_does_not_serve_the_deployed_model_is_an_error(
    config: str | None, sagemaker: FakeSageMaker, message: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        require_endpoint(ENDPOINT, config, environment="local", sagemaker=sagemaker)


def test_an_endpoint_that_serves_the_deployed_model_is_accepted() -> None:
    # GIVEN
    sagemaker = FakeSageMaker("InService")

    # WHEN
    require_endpoint(ENDPOINT, CONFIG, environment="local", sagemaker=sagemaker)

    # THEN
    assert deployed_model_package(ENDPOINT, sagemaker=sagemaker) == "package-of-model-of-scones-local-vehicles-1"


def test_executions_that_fail_at_the_threshold_are_not_an_error() -> None:
    check_outcomes([make_execution("test/a.png", [0.99, 0.01]), make_execution("test/b.png", [0.6, 0.4])])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"error": "ImageInvalidError", "cause": "no image"}, "ImageInvalidError: no image", id="error"),
        pytest.param({"status": "TIMED_OUT", "error": None, "cause": None}, "TIMED_OUT: no cause", id="status"),
    ],
)
def test_executions_that_fail_for_other_reasons_are_an_error(changes: dict[str, Any], name: str) -> None:
    # GIVEN
    executions = [make_execution("test/a.png", [0.99, 0.01]), make_execution("test/b.png", None, **changes)]

    # WHEN / THEN
    with pytest.raises(OperatorError, match=rf"1 of 2 .* test/b\.png: {name}"):
        check_outcomes(executions)


def test_the_summary_counts_each_outcome_and_fits_80_columns() -> None:
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


def test_the_summary_has_the_median_and_the_maximum_duration_of_executions_that_have_ended() -> None:
    executions = [make_execution("a", [0.99, 0.01], seconds=seconds) for seconds in (4.0, None, 1.0, 2.0, 1.0)]
    assert list(summary(executions))[-1] == "duration of an execution: 1.50 s (median), 4.00 s (maximum)"


def test_the_history_contains_accuracy_outcomes_and_median_duration() -> None:
    # GIVEN a correctly classified image, a misclassified image, and an image without a prediction
    executions = [make_execution("a", [0.99, 0.01]), make_execution("b", [0.8, 0.2]), make_execution("c", None)]

    # WHEN
    found = history_figures(executions, {"a": 0, "b": 1, "c": 1})

    # THEN
    assert (found["accuracy"], found["n"], found["median_seconds"]) == (0.5, 2, 0.5)
    assert found["outcomes"] == {"SUCCEEDED": 1, BELOW: 1, "EndpointUnavailableError": 1}
    assert history_figures([], {})["accuracy"] is None


@pytest.mark.parametrize("content", [None, "{", '{"source": "x"}'], ids=["missing", "invalid", "of another version"])
def test_error_for_results_that_cannot_be_read_names_make_run(tmp_path: Any, content: str | None) -> None:
    # GIVEN
    if content is not None:
        (tmp_path / "run.json").write_text(content)

    # WHEN / THEN
    with pytest.raises(StepMissingError, match="make run ENV="):
        read_run(tmp_path)
