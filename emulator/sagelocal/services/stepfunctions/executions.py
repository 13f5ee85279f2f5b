"""The API operations on executions: start, describe, list, stop, history, and synchronous EXPRESS executions."""

import copy
import datetime
import json
import math
import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, ResourceNotFound, StateMachineDoesNotExist
from moto.stepfunctions.parser.api import ExecutionStatus, InvalidArn
from moto.stepfunctions.parser.backend.execution import Execution, SyncExecution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.stepfunctions import child_executions, execution_logs, execution_run
from sagelocal.services.stepfunctions.map_runs import Child, MapRun
from sagelocal.services.stepfunctions.pagination import page

BILLED_MEMORY = 64  # megabytes, AWS's minimum
BILLING_INCREMENT = 100  # milliseconds; AWS rounds the duration up to a multiple of it
# members of a DescribeExecution response after the execution has ended
OUTCOME = ("output", "outputDetails", "error", "cause", "stopDate")


def install() -> None:
    """Install the operations into moto."""
    execution_run.install()
    execution_logs.install()
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
    """StartExecution: generate a name if the request has none, and reject a name that is already used."""
    backend = self.stepfunction_backend
    machine = _machine(backend, self._get_param("stateMachineArn"))
    source = _source(backend, machine)
    text = _input(self)
    name = self._get_param("name")
    if name:
        backend._validate_name(name)
        # a repeated request returns the execution while it is running; afterwards, its name is rejected
        running = source._handle_name_input_idempotency(name, text) if machine.type == "STANDARD" else None
        if running is not None:
            return _started(running)
    execution = _create(Execution, backend, machine, name or str(uuid4()), text)
    source.executions.append(execution)
    execution_run.send_start(execution)
    execution.start()
    return _started(execution)


def start_sync_execution(self: Any) -> ActionResult:
    """StartSyncExecution: run an EXPRESS state machine, and return the outcome."""
    backend = self.stepfunction_backend
    machine = _machine(backend, self._get_param("stateMachineArn"))
    if machine.type != "EXPRESS":
        raise _unsupported()
    execution = _create(SyncExecution, backend, machine, self._get_param("name") or str(uuid4()), _input(self))
    execution.start()
    output = {key: value for key, value in execution.to_start_sync_execution_output().items() if value is not None}
    output["status"] = execution.sync_execution_status.value
    output["billingDetails"] = {
        "billedMemoryUsedInMB": BILLED_MEMORY,
        "billedDurationInMilliseconds": billed_duration(execution.stop_date - execution.start_date),
    }
    return ActionResult(output)


def billed_duration(duration: datetime.timedelta) -> int:
    """Return the billed duration of an EXPRESS execution in milliseconds, a multiple of BILLING_INCREMENT."""
    return BILLING_INCREMENT * math.ceil(duration / datetime.timedelta(milliseconds=BILLING_INCREMENT))


def describe_execution(self: Any) -> ActionResult:
    """DescribeExecution: return input and output as JSON text, in which a string has quotes.

    Among EXPRESS executions, only child executions of Map Runs are supported.
    """
    arn = self._get_param("executionArn")
    found = _child(self.stepfunction_backend, arn)
    if found is not None:
        return ActionResult(_child_description(*found))
    execution = _standard_execution(self, arn)
    return ActionResult(describe(execution))


def list_executions(self: Any) -> ActionResult:
    """ListExecutions: return a page of the executions of a state machine or Map Run, newest first."""
    backend = self.stepfunction_backend
    if self._get_param("mapRunArn"):
        return _list_children(self, _map_run(backend, self._get_param("mapRunArn")))
    machine = _machine(backend, self._get_param("stateMachineArn"))
    if machine.type == "EXPRESS":
        raise _unsupported()
    status = self._get_param("statusFilter")
    summaries = [
        _summary(execution)
        for execution in reversed(_source(backend, machine).executions)
        if machine.arn in (execution.state_machine.arn, getattr(execution.state_machine, "source_arn", None))
    ]
    chosen = [summary for summary in summaries if status in (None, summary["status"])]
    return ActionResult(page(self, "executions", chosen))


def stop_execution(self: Any) -> ActionResult:
    """StopExecution: stop an execution, and store the request's error and cause."""
    execution = _standard_execution(self, self._get_param("executionArn"))
    execution_run.stop(execution, error=self._get_param("error"), cause=self._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


def get_execution_history(self: Any) -> ActionResult:
    """GetExecutionHistory: return a page of events, newest first if `reverseOrder` is set."""
    arn = self._get_param("executionArn")
    found = _child(self.stepfunction_backend, arn)
    if found is None:
        events = _standard_execution(self, arn).to_history_output()["events"]
    elif found[0].express:
        raise _invalid_type()
    else:
        events = child_executions.history(*found)
    if self._get_param("reverseOrder"):
        events = events[::-1]
    return ActionResult(page(self, "events", events))


def send_task_failure(self: Any) -> ActionResult:
    """SendTaskFailure: fail a task with the request's error and cause; moto drops the cause."""
    backend: StepFunctionsParserBackend = self.stepfunction_backend
    backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def _list_children(self: Any, run: MapRun) -> ActionResult:
    """Return a page of a Map Run's child executions, sorted by their last stop, redrive or start, latest first."""
    status = self._get_param("statusFilter")
    with run.lock:
        children = [child for child in run.children.values() if status in (None, child.status)]
        children.sort(key=lambda child: child.stop_date or child.redrive_date or child.start_date, reverse=True)
        summaries = [_child_summary(run, child) for child in children]
    return ActionResult(page(self, "executions", summaries))


def _child_summary(run: MapRun, child: Child) -> dict[str, Any]:
    summary = {
        "executionArn": child.arn,
        "stateMachineArn": run.machine_arn,
        "name": child.name,
        "status": child.status,
        "startDate": child.start_date,
        "mapRunArn": run.arn,
        "itemCount": child.items,
        "redriveCount": child.redrive_count,
    }
    dates = {"stopDate": child.stop_date, "redriveDate": child.redrive_date}
    return summary | {name: date for name, date in dates.items() if date is not None}


def _child_description(run: MapRun, child: Child) -> dict[str, Any]:
    with run.lock:
        description = _child_summary(run, child) | dict(run.described(child))
    del description["itemCount"]
    return description


def _child(backend: Any, arn: str) -> tuple[MapRun, Child] | None:
    """Return the Map Run and the record of a child execution, or None if the ARN is not a child execution's."""
    if "/" not in arn:
        return None
    for run in _map_runs(backend):
        for child in list(run.children.values()):
            if child.arn == arn:
                return run, child
    return None


def _standard_execution(self: Any, arn: str) -> Any:
    if ":express:" in arn:
        raise _invalid_type()
    return self.stepfunction_backend.describe_execution(arn)


def _invalid_type() -> Exception:
    return InvalidArn("Invalid Arn: 'Resource type not valid in this context: express'")


def _map_run(backend: Any, arn: str) -> MapRun:
    for run in _map_runs(backend):
        if run.arn == arn:
            return run
    raise ResourceNotFound(arn)


def _map_runs(backend: Any) -> Iterator[MapRun]:
    """Yield every Map Run that has started."""
    for machine in backend.state_machines:
        for execution in machine.executions:
            records = execution.exec_worker.env.map_run_record_pool_manager.get_all()
            yield from (record.run for record in records if hasattr(record, "run"))


def _machine(backend: Any, arn: str) -> Any:
    """Return the state machine or version with an ARN; for an alias, choose a version by weight."""
    machine = next((machine for machine in backend.state_machines if arn.startswith(machine.arn + ":")), None)
    alias = machine.aliases.get(arn.removeprefix(machine.arn + ":")) if machine else None
    if alias is None:
        return backend.describe_state_machine(arn)
    routes = alias.routing_configuration
    chosen = random.choices(routes, [route["weight"] for route in routes])[0]  # noqa: S311  no secret
    return backend.describe_state_machine(chosen["stateMachineVersionArn"])


def _source(backend: Any, machine: Any) -> Any:
    """Return the state machine that stores the executions: for a version, the state machine that it belongs to."""
    return backend.describe_state_machine(getattr(machine, "source_arn", machine.arn))


def _input(self: Any) -> str:
    text = self._get_param("input", if_none="{}")
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
    return str(text)


def _create(kind: type[Execution], backend: Any, machine: Any, name: str, text: str) -> Any:
    # the execution keeps the definition and role with which it started; it needs no other executions and no backend
    snapshot = copy.copy(machine)
    snapshot.sm_type, snapshot.executions, snapshot.backend = machine.type, [], None
    resource = f"express:{machine.name}:{name}:{uuid4()}" if machine.type == "EXPRESS" else None
    arn = _arn(backend, resource or f"execution:{machine.name}:{name}")
    return kind(
        name=name,
        sm_type=machine.type,
        role_arn=machine.roleArn,
        exec_arn=arn,
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=snapshot,
        start_date=datetime.datetime.now(tz=datetime.UTC),
        cloud_watch_logging_session=execution_logs.session(machine, arn),
        input_data=text,
        activity_store={},
    )


def _arn(backend: Any, resource: str) -> str:
    return f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}:{resource}"


def _started(execution: Any) -> ActionResult:
    return ActionResult({"executionArn": execution.execution_arn, "startDate": execution.start_date})


def describe(execution: Any) -> dict[str, Any]:
    """Return the response of DescribeExecution, which contains the outcome only if the status is not RUNNING."""
    summary = _summary(execution)  # the status is read before the outcome, because the outcome is stored first
    description = {name: value for name, value in execution.to_describe_output().items() if value is not None}
    if summary["status"] == ExecutionStatus.RUNNING:  # omit an outcome that was stored after the status was read
        description = {name: value for name, value in description.items() if name not in OUTCOME}
    description["input"] = execution.execution_input
    description["redriveCount"] = getattr(execution, "redrive_count", 0)
    if hasattr(execution, "redrive_date"):
        description["redriveDate"] = execution.redrive_date
    return description | summary


def _summary(execution: Any) -> dict[str, Any]:
    """Return the members that DescribeExecution and ListExecutions share."""
    version = execution.state_machine
    status = execution.status  # read once: another thread can change it
    summary = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": getattr(version, "source_arn", version.arn),
        "name": execution.name,
        "status": status,
        "startDate": execution.start_date,
    }
    if status != ExecutionStatus.RUNNING:
        summary["stopDate"] = execution.stop_date
    if hasattr(version, "source_arn"):
        summary["stateMachineVersionArn"] = version.arn
    return summary


def _unsupported() -> Exception:
    return StateMachineDoesNotExist(
        "This operation is not supported by this type of state machine", "StateMachineTypeNotSupported"
    )
