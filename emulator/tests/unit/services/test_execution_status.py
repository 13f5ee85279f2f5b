"""The status, the billed duration and the description of an execution, also of one that ends at the same time."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.api import ExecutionStatus

from sagelocal.services.stepfunctions import executions
from sagelocal.services.stepfunctions.execution_run import status


def test_execution_without_a_status_is_running() -> None:
    assert status(SimpleNamespace(exec_status=None)) == "RUNNING"


def test_ended_execution_has_the_recorded_status() -> None:
    assert status(SimpleNamespace(exec_status=ExecutionStatus.FAILED)) == "FAILED"


class EndsWhileItIsRead:
    """An execution that ends after `reads` of its members were read."""

    def __init__(self, reads: int) -> None:
        self._reads = reads
        self._members: dict[str, Any] = {
            "execution_arn": "arn",
            "name": "name",
            "state_machine": SimpleNamespace(arn="machine"),
            "start_date": 1,
            "execution_input": "{}",
            "status": "RUNNING",
            "stop_date": None,
            "output": None,
        }

    def __getattr__(self, name: str) -> Any:
        if name not in self._members:
            raise AttributeError(name)
        self._reads -= 1
        if self._reads < 0:
            self._members |= {"output": "1", "stop_date": 2, "status": "SUCCEEDED"}
        return self._members[name]

    def to_describe_output(self) -> dict[str, Any]:
        """Return the response of DescribeExecution, like moto's executions."""
        status = self.status
        outcome = {"output": self.output, "outputDetails": {}} if status == "SUCCEEDED" else {}
        return {"status": status, "stopDate": self.stop_date, **outcome}


@pytest.mark.parametrize("reads", range(14))
def test_description_contains_the_outcome_only_if_the_status_is_final(reads: int) -> None:
    # GIVEN an execution that ends while its description is created
    execution = EndsWhileItIsRead(reads)

    # WHEN
    described = executions.describe(execution)

    # THEN
    assert ("output" in described) == ("stopDate" in described) == (described["status"] == "SUCCEEDED")


@pytest.mark.parametrize(("milliseconds", "billed"), [(0.5, 100), (100, 100), (100.5, 200), (300, 300)])
def test_duration_of_an_express_execution_is_billed_in_steps_of_100_ms(milliseconds: float, billed: int) -> None:
    assert executions.billed_duration(timedelta(milliseconds=milliseconds)) == billed
