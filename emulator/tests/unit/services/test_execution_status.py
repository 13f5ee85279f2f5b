"""The status of an execution of a state machine."""

from types import SimpleNamespace

from moto.stepfunctions.parser.api import ExecutionStatus

from sagelocal.services.stepfunctions.execution_run import status


def test_execution_that_is_being_started_is_running() -> None:
    assert status(SimpleNamespace(exec_status=None)) == "RUNNING"


def test_ended_execution_has_its_status() -> None:
    assert status(SimpleNamespace(exec_status=ExecutionStatus.FAILED)) == "FAILED"
