"""`make execution` reads and shows executions on the emulator."""

import json
from datetime import UTC, datetime
from typing import Any

from evaluation.execution_details import read_execution
from evaluation.execution_page import render
from evaluation.execution_text import describe_lines
from tests.support.emulator import Emulator
from tests.support.project import unique
from tests.support.waiting import eventually

CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Each"}]
RETRY = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}]
ONE_STATE = {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}
DEFINITION: dict[str, Any] = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}},
                {
                    "StartAt": "Read",
                    "States": {
                        "Read": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                            "Parameters": {"Bucket": "missing-bucket", "Key": "a.png"},
                            "Retry": RETRY,
                            "End": True,
                        }
                    },
                },
            ],
            "Catch": CATCH,
            "End": True,
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {**ONE_STATE, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}},
            "ResultPath": "$.results",
            "Next": "Again",
        },
        "Again": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {"StartAt": "Inline", "States": {"Inline": {"Type": "Pass", "End": True}}},
            "Next": "Failed",
        },
        "Failed": {"Type": "Fail", "Error": "<b>", "Cause": "some cause"},
    },
}


def test_execution_with_branches_retries_and_map_runs_is_read_and_shown_completely(emulator: Emulator) -> None:
    # GIVEN a state machine with parallel branches, a retried task, a distributed Map state and an inline Map state
    states = emulator.client("stepfunctions")
    machine = states.create_state_machine(
        name=unique("machine"), definition=json.dumps(DEFINITION), roleArn="arn:aws:iam::123456789012:role/some-role"
    )["stateMachineArn"]
    started = states.start_execution(stateMachineArn=machine, input='{"items": [1, 2]}')["executionArn"]

    # WHEN
    eventually(lambda: states.describe_execution(executionArn=started)["status"] == "FAILED")
    execution = read_execution("", [machine], states=states)

    # THEN
    found = {step.name: (step.status.word, step.parent and step.parent.name, step.retries) for step in execution.steps}
    assert found == {
        "Both": ("caught", None, 0),
        "Wait": ("aborted", "Both", 0),
        "Read": ("failed", "Both", 1),
        "Each": ("succeeded", None, 0),
        "Again": ("succeeded", None, 0),
        "Inline": ("succeeded", "Again", 0),
        "Failed": ("failed", None, 0),
    }
    assert sorted(step.iteration for step in execution.steps if step.iteration is not None) == [0, 1]
    assert [run.items["succeeded"] for run in execution.map_runs.values()] == [2]
    assert execution.not_reached == []
    assert execution.error == "<b>"

    # AND the execution can be shown in 80 columns and as a page, in which its error is escaped
    assert max(map(len, describe_lines(execution, threshold=0.93))) <= 80
    page = render(execution, "local", threshold=0.93, written=datetime.now(UTC), s3=emulator.client("s3"))
    assert "2 items, succeeded 2" in page
    assert "&lt;b&gt;" in page
    assert "<b>some cause" not in page
