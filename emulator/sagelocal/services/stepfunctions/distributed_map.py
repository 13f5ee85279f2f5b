"""Map states: item batches, tolerated failures, and a limit on concurrency."""

import copy
import datetime
import threading
from dataclasses import dataclass, field
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component,
    inline_iteration_component,
    iteration_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iterator import distributed_iterator_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_map.tolerated_failure import (
    ToleratedFailureCountDecl,
    ToleratedFailurePercentageDecl,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramStopped

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions import item_batcher
from sagelocal.services.stepfunctions.definitions import batcher_of
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
    batcher
        The `ItemBatcher`, if any.
    jsonata
        Whether the query language is JSONata.
    count, percentage
        Whether a tolerated failure count or percentage is defined.
    """

    batcher: dict[str, Any] | None
    jsonata: bool
    count: bool
    percentage: bool


@dataclass
class Tolerance:
    """The tolerated failures of a Map Run, which fails when it exceeds one of the defined limits.

    Source: AWS's developer guide, "Tolerated failure threshold for Distributed Map state".
    """

    total: int
    count: int | None
    percentage: float | None
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_failures(self, items: int) -> bool:
        """Count failed items and return whether the limit is exceeded."""
        with self.lock:
            self.failed += items
            if self.count is None and self.percentage is None:
                return True
            exceeded = self.count is not None and self.failed > self.count
            return exceeded or (self.percentage is not None and self.failed * 100 > self.percentage * self.total)


def install() -> None:
    """Install the fixes into moto."""
    _keep_declared_fields()
    _limit_inline_concurrency()
    distributed = distributed_iteration_component.DistributedIterationComponent
    replace(distributed, "_map_run", run_map, parameters=("env", "eval_input"))
    replace(iteration_worker.IterationWorker, "_eval_pool", run_jobs, parameters=("job", "worker_frame"))
    for worker in DISTRIBUTED_WORKERS:
        replace(worker, "_eval_pool", run_jobs, parameters=("job", "worker_frame"))
        _check_tolerance_after_each_job(worker)


def run_map(self: Any, env: Any, eval_input: Any) -> None:
    """Run a Distributed Map and push the outputs of its child executions onto the stack, in the order of the items."""
    items = env.stack.pop()
    record = eval_input.map_run_record
    record.tolerance = Tolerance(
        total=len(items),
        count=record.tolerated_failure_count if self.declared.count else None,
        percentage=record.tolerated_failure_percentage if self.declared.percentage else None,
    )
    if self.declared.batcher is not None:
        batcher, jsonata = self.declared.batcher, self.declared.jsonata
        items = item_batcher.create_batches(env, eval_input, items, batcher, jsonata=jsonata)
        eval_input = copy.copy(eval_input)
        eval_input.item_selector = None  # already applied to each item
    pool = JobPool(job_program=self._get_iteration_program(), job_inputs=items)
    for _ in range(min(len(items), record.max_concurrency or MAX_CONCURRENCY, MAX_CONCURRENCY)):
        self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
    pool.await_jobs()
    error = pool.get_worker_exception()
    if error is not None:
        _stop_children(env)
        raise error
    env.stack.append([job.job_output for job in pool.get_closed_jobs()])


def run_jobs(self: Any, job: Any, worker_frame: Any) -> None:
    """Run jobs until none is left; moto uses a recursion, which reaches Python's limit at about a thousand items."""
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
    """Remove a frame from its owner; for an inline Map, also continue the owner's event history after the frame's."""
    (owner.delete_frame if distributed else owner.close_frame)(frame)


def _check_tolerance_after_each_job(worker: type[Any]) -> None:
    """Count failures by items, and fail the Map Run as soon as it exceeds the tolerated failures."""

    def evaluate(self: Any, env: Any, job: Any) -> None:
        original(self, env, job)
        record = self._map_run_record
        items = item_batcher.size(job.job_input)
        record.item_counter.total.count(items - 1)
        state = env.program_state()
        if isinstance(state, ProgramEnded):
            record.item_counter.succeeded.count(items - 1)
            return
        record.execution_counter.running.offset(-1)
        if isinstance(state, ProgramStopped):
            return
        record.item_counter.failed.count(items - 1)
        if record.tolerance.add_failures(items):
            job.job_output = _threshold_exceeded(env)

    original = replace(worker, "_eval_job", evaluate, parameters=("env", "job"))


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
            batcher=batcher_of(self.comment.comment if self.comment else None),
            jsonata=not self._is_language_query_jsonpath(),
            count=state_props.get(ToleratedFailureCountDecl) is not None,
            percentage=state_props.get(ToleratedFailurePercentageDecl) is not None,
        )

    original = replace(StateMap, "from_state_props", read, parameters=("state_props",))


def _limit_inline_concurrency() -> None:
    def evaluate(self: Any, env: Any) -> None:
        eval_input = env.stack[-1]
        limit = min(len(eval_input.input_items), MAX_CONCURRENCY)
        eval_input.max_concurrency = min(eval_input.max_concurrency or limit, limit)
        original(self, env)

    inline = inline_iteration_component.InlineIterationComponent
    original = replace(inline, "_eval_body", evaluate, parameters=("env",))
