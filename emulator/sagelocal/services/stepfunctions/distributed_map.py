"""Map states: items in batches, tolerated failures that count, and no more threads than AWS has."""

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
from sagelocal.services.stepfunctions import batches
from sagelocal.services.stepfunctions.definitions import batcher_of
from sagelocal.services.stepfunctions.failures import failure, raised

CONCURRENCY = 40  # what AWS allows an inline Map; the emulator's threads for a distributed one too
DISTRIBUTED_WORKERS = (
    distributed_item_processor_worker.DistributedItemProcessorWorker,
    distributed_iterator_worker.DistributedIteratorWorker,
)


@dataclass(frozen=True)
class Declared:
    """What a Map state's text says, beside what moto keeps of it."""

    batcher: dict[str, Any] | None
    jsonata: bool
    count: bool
    percentage: bool


@dataclass
class Tolerance:
    """How many failed items a Map Run may have: it fails when it exceeds either limit that is declared.

    After AWS's developer guide, "Tolerated failure threshold for Distributed Map state".
    """

    total: int
    count: int | None
    percentage: float | None
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, items: int) -> bool:
        """Count failed items; whether they are too many by now."""
        with self.lock:
            self.failed += items
            if self.count is None and self.percentage is None:
                return True
            too_many = self.count is not None and self.failed > self.count
            return too_many or (self.percentage is not None and self.failed * 100 > self.percentage * self.total)


def install() -> None:
    """Mend Map states."""
    _keep_what_the_state_declares()
    _cap_inline_threads()
    distributed = distributed_iteration_component.DistributedIterationComponent
    replace(distributed, "_map_run", run_map, parameters=("env", "eval_input"))
    replace(iteration_worker.IterationWorker, "_eval_pool", work, parameters=("job", "worker_frame"))
    for worker in DISTRIBUTED_WORKERS:
        replace(worker, "_eval_pool", work, parameters=("job", "worker_frame"))
        _judge_each_job(worker)


def run_map(self: Any, env: Any, eval_input: Any) -> None:
    """Run a Distributed Map: put the children's outputs on the stack, in the items' order."""
    items = env.stack.pop()
    record = eval_input.map_run_record
    record.tolerance = Tolerance(
        total=len(items),
        count=record.tolerated_failure_count if self.declared.count else None,
        percentage=record.tolerated_failure_percentage if self.declared.percentage else None,
    )
    if self.declared.batcher is not None:
        items = batches.batch(env, eval_input, items, self.declared.batcher, jsonata=self.declared.jsonata)
        eval_input = copy.copy(eval_input)
        eval_input.item_selector = None  # it has been applied to each item of each batch
    pool = JobPool(job_program=self._get_iteration_program(), job_inputs=items)
    for _ in range(min(len(items), record.max_concurrency or CONCURRENCY, CONCURRENCY)):
        self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
    pool.await_jobs()
    failure = pool.get_worker_exception()
    if failure is not None:
        _stop_children(env)
        raise failure
    env.stack.append([job.job_output for job in pool.get_closed_jobs()])


def work(self: Any, job: Any, worker_frame: Any) -> None:
    """Do jobs until there are none. moto calls itself for each, which Python refuses for the thousandth."""
    distributed = isinstance(self, DISTRIBUTED_WORKERS)
    while job is not None:
        frame = worker_frame.open_inner_frame()
        self._eval_job(env=frame, job=job)
        _leave(worker_frame, frame, distributed=distributed)
        halted = isinstance(job.job_output, Exception) or self.stopped()
        following = None if halted else self._job_pool.next_job()
        if following is None:
            if not halted and not distributed:
                last = frame.event_history_context.last_published_event_id
                worker_frame.event_history_context.source_event_id = last
            # before the last job is closed: the Map goes on as soon as all jobs are
            _leave(self._env, worker_frame, distributed=distributed)
        self._job_pool.close_job(job)
        job = following
    _leave(self._env, worker_frame, distributed=distributed)


def _leave(owner: Any, frame: Any, *, distributed: bool) -> None:
    """Take a frame from its owner, if it is still there; an inline Map's events go on from it."""
    (owner.delete_frame if distributed else owner.close_frame)(frame)


def _judge_each_job(worker: type[Any]) -> None:
    """Count failures by items, and fail the Map Run as soon as they are more than tolerated."""

    def evaluate(self: Any, env: Any, job: Any) -> None:
        original(self, env, job)
        record = self._map_run_record
        items = batches.size(job.job_input)
        record.item_counter.total.count(items - 1)
        state = env.program_state()
        if isinstance(state, ProgramEnded):
            record.item_counter.succeeded.count(items - 1)
            return
        record.execution_counter.running.offset(-1)
        if isinstance(state, ProgramStopped):
            return
        record.item_counter.failed.count(items - 1)
        if record.tolerance.fail(items):
            job.job_output = _too_many_failures(env)

    original = replace(worker, "_eval_job", evaluate, parameters=("env", "job"))


def _too_many_failures(env: Any) -> FailureEventException:
    return raised(
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


def _keep_what_the_state_declares() -> None:
    def read(self: Any, state_props: Any) -> None:
        original(self, state_props)
        self.iteration_component.declared = Declared(
            batcher=batcher_of(self.comment.comment if self.comment else None),
            jsonata=not self._is_language_query_jsonpath(),
            count=state_props.get(ToleratedFailureCountDecl) is not None,
            percentage=state_props.get(ToleratedFailurePercentageDecl) is not None,
        )

    original = replace(StateMap, "from_state_props", read, parameters=("state_props",))


def _cap_inline_threads() -> None:
    def evaluate(self: Any, env: Any) -> None:
        eval_input = env.stack[-1]
        most = min(len(eval_input.input_items), CONCURRENCY)
        eval_input.max_concurrency = min(eval_input.max_concurrency or most, most)
        original(self, env)

    inline = inline_iteration_component.InlineIterationComponent
    original = replace(inline, "_eval_body", evaluate, parameters=("env",))
