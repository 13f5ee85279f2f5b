"""Executions are found, and their image, prediction, steps and map runs are read."""

import json
from typing import Any

import pytest

from common.errors import OperatorError
from evaluation.execution_details import ImageLocation, find_image, read_execution
from tests.unit.evaluation.histories import ARN, MACHINE, MAP_RUN, FakeStates, History, failed_history

OTHER_MACHINE = MACHINE.replace("workflow", "batch")


@pytest.mark.parametrize("execution", [ARN, "some-name", ""], ids=["ARN", "name", "latest"])
def test_an_execution_is_found_by_arn_by_name_or_as_the_latest_of_all_state_machines(execution: str) -> None:
    # WHEN
    details = read_execution(execution, [OTHER_MACHINE, MACHINE], states=FakeStates(failed_history()))

    # THEN
    assert details.arn == ARN
    assert details.machine == "scones-local-workflow"
    assert details.not_reached == ["Record"]


@pytest.mark.parametrize("execution", ["none", "arn:aws:states:us-east-1:123456789012:execution:none:none"])
def test_error_names_an_execution_that_does_not_exist(execution: str) -> None:
    with pytest.raises(OperatorError, match=f"execution '{execution}' does not exist"):
        read_execution(execution, [MACHINE], states=FakeStates(failed_history()))


def test_error_without_any_execution_names_make_classify() -> None:
    with pytest.raises(OperatorError, match="make classify IMAGE="):
        read_execution("", [OTHER_MACHINE], states=FakeStates(failed_history()))


def test_the_prediction_of_a_failed_execution_is_read_from_the_output_of_its_states() -> None:
    # GIVEN
    predictions = [{"class": "bicycle", "probability": 0.4}, {"class": "motorcycle", "probability": 0.6}]
    history = History()
    history.enter("Task", "Classify", after=0)
    history.leave("Task", "Classify", {"body": {"predictions": predictions, "model_version": "v3"}})
    history.enter("Task", "Filter")
    history.leave("Task", "Filter", {"Error": "E"}, assignedVariables={"s3_version": '"some-version"'})

    # WHEN
    details = read_execution(ARN, [], states=FakeStates(history))

    # THEN
    assert details.probabilities == [("motorcycle", 0.6), ("bicycle", 0.4)]
    assert details.model_version == "v3"
    assert details.image == ImageLocation("some-bucket", "test/a.png", "some-version")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param({"s3_bucket": "b", "s3_key": "k"}, ImageLocation("b", "k"), id="the course's input format"),
        pytest.param(
            {"detail": {"bucket": {"name": "b"}, "object": {"key": "k", "version-id": "v"}}},
            ImageLocation("b", "k", "v"),
            id="S3 event",
        ),
        pytest.param(
            {"detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
            ImageLocation("b", "k"),
            id="S3 event without version",
        ),
        pytest.param({"s3_bucket": 1, "s3_key": "k"}, None, id="malformed"),
        pytest.param({"Items": [{"Key": "k"}]}, None, id="batch"),
        pytest.param([1], None, id="list"),
    ],
)
def test_the_image_is_found_in_an_s3_event_and_in_the_courses_input_format(
    event: Any, expected: ImageLocation | None
) -> None:
    assert find_image(json.dumps(event)) == expected


def test_an_express_execution_has_an_output_but_no_steps_and_no_definition() -> None:
    # GIVEN
    arn = "arn:aws:states:us-east-1:123456789012:express:scones-local-batch/Each:some-id:some-id"
    states = FakeStates(History(), executionArn=arn, status="SUCCEEDED", output='{"classified": 2}')

    # WHEN
    details = read_execution(arn, [], states=states)

    # THEN
    assert details.output == {"classified": 2}
    assert not details.steps
    assert details.not_reached == []
    assert details.definition is None


def test_a_distributed_map_has_the_counts_of_its_map_run() -> None:
    # GIVEN
    history = History()
    history.enter("Map", "Each", after=0)
    history.add("MapStateStarted", length=2)
    history.add("MapRunStarted", mapRunArn=MAP_RUN)
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "ClassifyBatch",
        "States": {"ClassifyBatch": {"Type": "Pass", "End": True}},
    }
    definition = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": processor, "End": True}}}
    counts = {"total": 2, "succeeded": 1, "running": 1}
    run = {"status": "RUNNING", "itemCounts": counts}

    # WHEN
    details = read_execution(ARN, [], states=FakeStates(history, definition, map_run=run, status="RUNNING"))

    # THEN the states of child executions are not listed as "not reached"
    assert details.map_runs[MAP_RUN].items == counts
    assert details.map_runs[MAP_RUN].failed == []
    assert details.not_reached == []
