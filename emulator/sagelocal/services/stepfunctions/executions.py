"""Executions: started by name or none, in line for EXPRESS, described, listed, stopped, and their history."""

import copy
import datetime
import json
import random
from typing import Any
from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, StateMachineDoesNotExist
from moto.stepfunctions.parser.backend.execution import Execution, SyncExecution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.stepfunctions import run
from sagelocal.services.stepfunctions.pages import page

MEMORY_BILLED = 64  # megabytes, the least that AWS bills
MILLISECONDS_BILLED = 100  # AWS rounds up to these


def install() -> None:
    """Mend what starts executions and tells of them."""
    run.install()
    for function in (
        start_execution,
        describe_execution,
        list_executions,
        stop_execution,
        get_execution_history,
        send_task_failure,
    ):
        replace(StepFunctionResponse, function.__name__, function)
    add(StepFunctionResponse, "start_sync_execution", start_sync_execution)


def start_execution(self: Any) -> ActionResult:
    """Answer StartExecution: an unnamed execution gets a name, one with a used name is refused."""
    backend = self.stepfunction_backend
    machine = _machine(backend, self._get_param("stateMachineArn"))
    source = _source(backend, machine)
    text = _input(self)
    name = self._get_param("name")
    if name:
        backend._validate_name(name)
        # the same name with the same input is the same request while it runs, and refused afterwards
        running = source._handle_name_input_idempotency(name, text) if machine.type == "STANDARD" else None
        if running is not None:
            return _started(running)
    execution = _create(Execution, backend, machine, name or str(uuid4()), text)
    source.executions.append(execution)
    execution.start()
    return _started(execution)


def start_sync_execution(self: Any) -> ActionResult:
    """Answer StartSyncExecution: run an EXPRESS state machine to its end."""
    backend = self.stepfunction_backend
    machine = _machine(backend, self._get_param("stateMachineArn"))
    if machine.type != "EXPRESS":
        raise _unsupported()
    execution = _create(SyncExecution, backend, machine, self._get_param("name") or str(uuid4()), _input(self))
    execution.start()
    output = {key: value for key, value in execution.to_start_sync_execution_output().items() if value is not None}
    output["status"] = execution.sync_execution_status.value
    milliseconds = (execution.stop_date - execution.start_date) / datetime.timedelta(milliseconds=1)
    output["billingDetails"] = {
        "billedMemoryUsedInMB": MEMORY_BILLED,
        "billedDurationInMilliseconds": MILLISECONDS_BILLED * int(milliseconds // MILLISECONDS_BILLED + 1),
    }
    return ActionResult(output)


def describe_execution(self: Any) -> ActionResult:
    """Answer DescribeExecution: an output that is a string keeps its quotes, as any JSON."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    output = _given(execution.to_describe_output())
    output["input"] = execution.execution_input
    output["redriveCount"] = 0
    return ActionResult({**output, **_item(execution)})


def list_executions(self: Any) -> ActionResult:
    """Answer ListExecutions, newest first, by status where one is asked for."""
    backend = self.stepfunction_backend
    machine = _machine(backend, self._get_param("stateMachineArn"))
    if machine.type == "EXPRESS":
        raise _unsupported()
    status = self._get_param("statusFilter")
    found = [
        _item(execution)
        for execution in reversed(_source(backend, machine).executions)
        if execution.state_machine.arn.startswith(machine.arn) and status in (None, execution.status)
    ]
    return ActionResult(page(self, "executions", found))


def stop_execution(self: Any) -> ActionResult:
    """Answer StopExecution, keeping the error and the cause that were given."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    run.stop(execution, error=self._get_param("error"), cause=self._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


def get_execution_history(self: Any) -> ActionResult:
    """Answer GetExecutionHistory, backwards where that is asked for."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    events = execution.to_history_output()["events"]
    if self._get_param("reverseOrder"):
        events = events[::-1]
    return ActionResult(page(self, "events", events))


def send_task_failure(self: Any) -> ActionResult:
    """Answer SendTaskFailure with its cause, which moto drops."""
    backend: StepFunctionsParserBackend = self.stepfunction_backend
    backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def _machine(backend: Any, arn: str) -> Any:
    """The state machine, or its version, that an ARN names; an alias chooses a version by its weights."""
    machine = next((machine for machine in backend.state_machines if arn.startswith(machine.arn + ":")), None)
    alias = machine.aliases.get(arn.removeprefix(machine.arn + ":")) if machine else None
    if alias is None:
        return backend.describe_state_machine(arn)
    routes = alias.routing_configuration
    chosen = random.choices(routes, [route["weight"] for route in routes])[0]  # noqa: S311  no secret
    return backend.describe_state_machine(chosen["stateMachineVersionArn"])


def _source(backend: Any, machine: Any) -> Any:
    """The state machine that keeps the executions: a version's are its source's."""
    return backend.describe_state_machine(getattr(machine, "source_arn", machine.arn))


def _input(self: Any) -> str:
    text = self._get_param("input", if_none="{}")
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
    return str(text)


def _create(kind: type[Execution], backend: Any, machine: Any, name: str, text: str) -> Any:
    # definition and role as they are now; the executions and the backend are left out, they grow without end
    snapshot = copy.copy(machine)
    snapshot.sm_type, snapshot.executions, snapshot.backend = machine.type, [], None
    resource = f"express:{machine.name}:{name}:{uuid4()}" if machine.type == "EXPRESS" else None
    return kind(
        name=name,
        sm_type=machine.type,
        role_arn=machine.roleArn,
        exec_arn=_arn(backend, resource or f"execution:{machine.name}:{name}"),
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=snapshot,
        start_date=datetime.datetime.now(tz=datetime.UTC),
        cloud_watch_logging_session=None,
        input_data=text,
        activity_store={},
    )


def _arn(backend: Any, resource: str) -> str:
    return f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}:{resource}"


def _started(execution: Any) -> ActionResult:
    return ActionResult({"executionArn": execution.execution_arn, "startDate": execution.start_date})


def _item(execution: Any) -> dict[str, Any]:
    """What both a description and a list say of an execution."""
    version = execution.state_machine
    item = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": getattr(version, "source_arn", version.arn),
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
    }
    if execution.stop_date is not None:
        item["stopDate"] = execution.stop_date
    if hasattr(version, "source_arn"):
        item["stateMachineVersionArn"] = version.arn
    return item


def _given(output: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in output.items() if value is not None}


def _unsupported() -> Exception:
    return StateMachineDoesNotExist(
        "This operation is not supported by this type of state machine", "StateMachineTypeNotSupported"
    )
