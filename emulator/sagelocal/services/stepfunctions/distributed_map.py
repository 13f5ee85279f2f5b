"""Map states: Map Runs with item batches, tolerated failures and redrives, and a limit on concurrency."""

import copy
import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, MapRunStatus
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component,
    inline_iteration_component,
    iteration_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (
    MapRunRecord,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iterator import distributed_iterator_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_map.tolerated_failure import (
    ToleratedFailureCountDecl,
    ToleratedFailurePercentageDecl,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions import child_executions, item_batcher, item_reader, result_writer
from sagelocal.services.stepfunctions.definitions import moved_fields
from sagelocal.services.stepfunctions.jobs import Jobs
from sagelocal.services.stepfunctions.map_runs import ABORTED, FAILED, Counts, MapRun
from sagelocal.services.stepfunctions.state_failures import as_exception, failure

MAX_CONCURRENCY = 40  # AWS's limit for an inline Map; the emulator applies it to a Distributed Map too
DISTRIBUTED_WORKERS = (
    distributed_item_processor_worker.DistributedItemProcessorWorker,
    distributed_iterator_worker.DistributedIteratorWorker,
)


@dataclass(frozen=True)
class Declared:
    """Fields of a Map state's definition that moto does not keep.

    Attributes
    ----------
    moved
        Fields that `definitions.translate` moved to the state's comment, because moto's grammar lacks them.
    jsonata
        Whether the state's query language is JSONata.
    has_count, has_percentage
        Whether the state defines a tolerated failure count or percentage.
    """

    moved: dict[str, Any]
    jsonata: bool
    has_count: bool
    has_percentage: bool


def install() -> None:
    """Install the patches into moto."""
    _keep_declared_fields()
    _limit_inline_concurrency()
    distributed = distributed_iteration_component.DistributedIterationComponent
    replace(distributed, "_eval_body", evaluate_map, parameters=("env",))
    _keep_first_outcome()
    _describe_redrives()
    replace(iteration_worker.IterationWorker, "_eval_pool", run_jobs, parameters=("job", "worker_frame"))
    for worker in DISTRIBUTED_WORKERS:
        replace(worker, "_eval_pool", run_jobs, parameters=("job", "worker_frame"))
        replace(worker, "_eval_job", run_child, parameters=("env", "job"))


def evaluate_map(self: Any, env: Any) -> None:
    """Run a Distributed Map as a Map Run, and record whether the Map Run succeeds, fails or is aborted."""
    eval_input = env.stack.pop()
    record = eval_input.map_run_record
    _create_run(self.declared, record, eval_input.state_name)
    if _continue_former_run(env.map_run_record_pool_manager, record):
        details = {"mapRunArn": record.map_run_arn, "redriveCount": record.run.redrive_count}
        _add_event(env, HistoryEventType.MapRunRedriven, mapRunRedrivenEventDetails=details)
    else:
        _add_event(env, HistoryEventType.MapRunStarted, mapRunStartedEventDetails={"mapRunArn": record.map_run_arn})
    try:
        if not record.run.ready:
            _read_items(self.declared, env, eval_input, record.run)
        output = _run_items(self, env, eval_input)
    except Exception as error:
        pair = error.extract_error_cause_pair() if isinstance(error, FailureEventException) else None
        details = {name: text for name, text in zip(("error", "cause"), pair or (), strict=False) if text}
        _add_event(env, HistoryEventType.MapRunFailed, mapRunFailedEventDetails=details)
        record.set_stop(status=MapRunStatus.FAILED)
        raise
    aborted = not env.is_running()
    record.set_stop(status=MapRunStatus.ABORTED if aborted else MapRunStatus.SUCCEEDED)
    _add_event(env, HistoryEventType.MapRunAborted if aborted else HistoryEventType.MapRunSucceeded)
    env.stack.append(output)


def _create_run(declared: Declared, record: Any, state: str) -> None:
    """Create the Map Run before its items are read, so that clients can already describe it or stop its execution."""
    run = MapRun(
        state=state,
        machine_arn=record.map_state_machine_arn,
        arn=record.map_run_arn,
        express="ExecutionType" in declared.moved,
        count=record.tolerated_failure_count if declared.has_count else None,
        percentage=record.tolerated_failure_percentage if declared.has_percentage else None,
    )
    _use_run(record, run)


def _use_run(record: Any, run: MapRun) -> None:
    record.run, record.map_run_arn, record.map_state_machine_arn = run, run.arn, run.machine_arn
    record.item_counter, record.execution_counter = Counts(run, items=True), Counts(run, items=False)


def _continue_former_run(manager: Any, record: Any) -> bool:
    """In a redriven execution, continue the state's unsuccessful Map Run with its items and ARN.

    Returns
    -------
    bool
        Whether there was such a Map Run.
    """
    for former in reversed(manager.get_all()):
        run = getattr(former, "run", None)
        if former is record or run is None or not run.redriven or run.state != record.run.state:
            continue
        if former.status == MapRunStatus.SUCCEEDED:  # the execution reached the state several times, in a loop
            return False
        manager._pool.pop(record.map_run_arn, None)
        run.redrive()
        _use_run(record, run)
        record.start_date = former.start_date
        manager._pool[run.arn] = record
        return True
    return False


def _read_items(declared: Declared, env: Any, eval_input: Any, run: MapRun) -> None:
    """Store the items or the batches of a Map Run before the first child execution starts."""
    items: Iterable[Any] = eval_input.input_items
    if eval_input.item_reader:
        items = item_reader.read(env, eval_input.item_reader, declared.moved.get("ReaderConfig", {}))
    batcher = declared.moved.get("ItemBatcher")
    if batcher is None:
        run.store_inputs((item, 1) for item in items)
    else:
        batches = item_batcher.create_batches(env, eval_input, items, batcher, jsonata=declared.jsonata)
        run.store_inputs((batch, len(batch["Items"])) for batch in batches)


def _run_items(self: Any, env: Any, eval_input: Any) -> Any:
    """Run a child execution for each item or batch and return the output of the Map state."""
    declared, record = self.declared, eval_input.map_run_record
    run: MapRun = record.run
    writer = declared.moved.get("ResultWriter") or {}
    location = writer.get("Parameters") or writer.get("Arguments")
    if location is not None:
        location = item_batcher.evaluate_template(env, location, env.states.get_input(), jsonata=declared.jsonata)
    if "ItemBatcher" in declared.moved:
        eval_input = copy.copy(eval_input)
        eval_input.item_selector = None  # the item selector has already been applied to each item
    pool = Jobs(self._get_iteration_program(), run)
    for _ in range(min(pool.count, record.max_concurrency or MAX_CONCURRENCY, MAX_CONCURRENCY)):
        self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
    pool.await_jobs()
    error = pool.get_worker_exception()
    if error is not None:
        _stop_children(env)
        run.abort(pool.attempt)
    exported = result_writer.export(env, run, writer, location) if location is not None else None
    if error is not None and not isinstance(error, MapAbortedError):
        raise error
    return exported or _results(run, writer)


def _results(run: MapRun, writer: dict[str, Any]) -> Any:
    """Return the results of a Map Run that does not export them to S3, in the order of the items."""
    children = [child for _, child in sorted(run.children.items())]
    if not writer:
        return [None if child.output is None else json.loads(run.texts[child.output]) for child in children]
    config = writer.get("WriterConfig", {})
    results = result_writer.transform(run, children, config.get("Transformation", "COMPACT"))
    if config.get("OutputType") == "JSONL":
        return "".join(result_writer.formatted(results, "JSONL"))
    return list(results)


def run_child(self: Any, env: Any, job: Any) -> None:
    """Run a child execution, record its outcome, and fail the Map Run if too many items have failed."""
    run: MapRun = self._map_run_record.run
    attempt = self._job_pool.attempt
    if not env.is_running():
        job.job_output = MapAbortedError()
        return
    data = env.states.context_object.context_object_data
    data["Map"] = MapData(Item=ItemData(Index=job.job_index, Value=job.job_input))
    env.event_manager = EventManager()
    env.states.reset(job.job_input)
    env.stack.append(env.states.get_input())
    child = None
    try:
        self._eval_input(env_frame=env)
        value = env.stack[-1] if env.stack else env.states.get_input()
        child = run.start(job.job_index, None if value == job.job_input else value, attempt=attempt)
        child_executions.begin(env, run, child, value)
        job.job_program.eval(env)
    except FailureEventException as error:
        env.set_error(error.get_execution_failed_event_details())
    state = env.program_state()
    child = child or run.start(job.job_index, attempt=attempt)
    child_executions.end(env, run, child, state)
    if child.status == ABORTED:
        job.job_output = MapAbortedError()
    elif child.status == FAILED and run.exceeds_tolerance():
        job.job_output = _threshold_exceeded(env)


class MapAbortedError(Exception):
    """The execution that contains the Map Run was stopped."""


def _add_event(env: Any, event: HistoryEventType, **details: Any) -> None:
    env.event_manager.add_event(context=env.event_history_context, event_type=event, event_details=details or None)


def run_jobs(self: Any, job: Any, worker_frame: Any) -> None:
    """Run jobs in a loop until none is left.

    moto runs the next job recursively, and exceeds Python's recursion limit at about a thousand items.
    """
    distributed = isinstance(self, DISTRIBUTED_WORKERS)
    while job is not None:
        frame = worker_frame.open_inner_frame()
        self._eval_job(env=frame, job=job)
        _close_frame(worker_frame, frame, distributed=distributed)
        halted = isinstance(job.job_output, Exception) or self.stopped()
        following = None if halted else self._job_pool.next_job()
        if following is None:
            if not halted and not distributed:
                last = frame.event_history_context.last_published_event_id
                worker_frame.event_history_context.source_event_id = last
            # before the last job is closed, because the Map continues as soon as all jobs are closed
            _close_frame(self._env, worker_frame, distributed=distributed)
        self._job_pool.close_job(job)
        job = following
    _close_frame(self._env, worker_frame, distributed=distributed)


def _close_frame(owner: Any, frame: Any, *, distributed: bool) -> None:
    """Remove a frame from its owner. For an inline Map, the owner's history continues after the frame's last event."""
    (owner.delete_frame if distributed else owner.close_frame)(frame)


def _threshold_exceeded(env: Any) -> FailureEventException:
    return as_exception(
        failure(
            env,
            HistoryEventType.MapRunFailed,
            error="States.ExceedToleratedFailureThreshold",
            cause="The specified tolerated failure threshold was exceeded",
        )
    )


def _stop_children(env: Any) -> None:
    now = datetime.datetime.now(tz=datetime.UTC)
    for frame in list(env._frames):
        frame.set_stop(stop_date=now, cause=None, error=None)


def _keep_declared_fields() -> None:
    def read(self: Any, state_props: Any) -> None:
        original(self, state_props)
        self.iteration_component.declared = Declared(
            moved=moved_fields(self.comment.comment if self.comment else None),
            jsonata=not self._is_language_query_jsonpath(),
            has_count=state_props.get(ToleratedFailureCountDecl) is not None,
            has_percentage=state_props.get(ToleratedFailurePercentageDecl) is not None,
        )

    original = replace(StateMap, "from_state_props", read, parameters=("state_props",))


def _keep_first_outcome() -> None:
    """Do not overwrite the status of a Map Run that was aborted with its execution."""

    def set_stop(self: Any, status: MapRunStatus) -> None:
        if self.status == MapRunStatus.RUNNING:
            original(self, status)

    original = replace(MapRunRecord, "set_stop", set_stop, parameters=("status",))


def _describe_redrives() -> None:
    def describe(self: Any) -> Any:
        redrives = {"redriveCount": self.run.redrive_count, "redriveDate": self.run.redrive_date}
        return original(self) | {name: value for name, value in redrives.items() if value is not None}

    original = replace(MapRunRecord, "describe", describe)


def _limit_inline_concurrency() -> None:
    def evaluate(self: Any, env: Any) -> None:
        eval_input = env.stack[-1]
        limit = min(len(eval_input.input_items), MAX_CONCURRENCY)
        eval_input.max_concurrency = min(eval_input.max_concurrency or limit, limit)
        original(self, env)

    inline = inline_iteration_component.InlineIterationComponent
    original = replace(inline, "_eval_body", evaluate, parameters=("env",))
