"""Map Runs: child executions, their counts and the tolerated failures of a Distributed Map.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

import datetime
import json
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sagelocal.services.stepfunctions.texts import Texts

RUNNING, SUCCEEDED, FAILED, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "ABORTED"
PENDING_REDRIVE = "PENDING_REDRIVE"


@dataclass(slots=True, eq=False)
class Child:
    """A child execution that has started.

    Attributes
    ----------
    index
        Position of the child execution's input among the inputs of the Map Run.
    items
        Number of items in the input.
    input, output, history
        Indices of JSON texts in `MapRun.texts`; None if there is no output or no stored history.
    """

    arn: str
    index: int
    items: int
    input: int
    start_date: datetime.datetime
    status: str = RUNNING
    stop_date: datetime.datetime | None = None
    output: int | None = None
    error: str | None = None
    cause: str | None = None
    history: int | None = None
    redrive_count: int = 0
    redrive_date: datetime.datetime | None = None

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.arn.split(":")[7]


@dataclass
class MapRun:
    """A Map Run and its child executions. The Map Run fails when more items fail than it tolerates.

    Attributes
    ----------
    state
        Name of the Map state.
    machine_arn
        ARN of the state machine to which the child executions belong.
    arn
        ARN of the Map Run.
    express
        Whether the child executions are EXPRESS.
    count, percentage
        Tolerated failures as a number and as a percentage of the items; None if the Map state does not define them.
        Source: AWS's developer guide, "Setting failure thresholds".
    texts
        JSON texts of inputs, outputs and histories. The first texts are the inputs of all child executions, including
        those not started yet.
    sizes
        Number of items of each child execution, including those not started yet.
    children
        Child executions that have started, by index.
    ready
        Whether all items have been read.
    results_written
        Whether the results have been written to S3.
    histories
        moto's event managers of the child executions that are running.
    redriven
        Whether the execution has been redriven since the last attempt of the Map Run.
    """

    state: str
    machine_arn: str
    arn: str
    express: bool
    count: int | None
    percentage: float | None
    texts: Texts = field(default_factory=Texts)
    sizes: "array[int]" = field(default_factory=lambda: array("L"))
    children: dict[int, Child] = field(default_factory=dict)
    ready: bool = False
    results_written: bool = False
    redriven: bool = False
    redrive_count: int = 0
    redrive_date: datetime.datetime | None = None
    histories: dict[int, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _items: Counter[str] = field(default_factory=Counter)
    _executions: Counter[str] = field(default_factory=Counter)

    def store_inputs(self, inputs: Iterable[tuple[Any, int]]) -> None:
        """Store the inputs of all child executions, each with its number of items."""
        self.texts, self.sizes = Texts(), array("L")  # a failed attempt may have stored some of the inputs
        self._items.clear()
        for value, size in inputs:
            self.texts.add(json.dumps(value))
            self.sizes.append(size)
            self._items["total"] += size
        self.ready = True

    def remaining(self) -> list[int]:
        """Return the indices of the child executions that have not succeeded."""
        children = self.children
        return [index for index in range(len(self.sizes)) if index not in children or not _succeeded(children[index])]

    def redrive(self) -> None:
        """Begin another attempt: change the status of all unsuccessful child executions to PENDING_REDRIVE."""
        self.redriven = self.results_written = False
        self.redrive_count += 1
        self.redrive_date = _now()
        with self.lock:
            for child in self.children.values():
                if not _succeeded(child):
                    self._change(child, PENDING_REDRIVE)

    def start(self, index: int, value: Any = None, *, attempt: int) -> Child:
        """Record the start of a child execution.

        A redriven STANDARD child execution keeps its ARN and history. An EXPRESS child execution gets a new ARN.

        Parameters
        ----------
        index
            Index of the child execution.
        value
            Input of the child execution, or None if its input is the unchanged item or batch.
        attempt
            The Map Run's redrive count when the job was created. If it has increased since, nothing is recorded.
        """
        child = Child(self._new_arn(), index, self.sizes[index], index, _now())
        if value is not None:
            child.input = self.texts.add(json.dumps(value))
        former = self.children.get(index)
        if former is not None and not self.express:
            child.arn, child.start_date = former.arn, former.start_date
            child.redrive_count, child.redrive_date = former.redrive_count + 1, _now()
            child.history = former.history
        if attempt == self.redrive_count:
            with self.lock:
                self._count(former, -1)
                self._count(child, 1)
                self.children[index] = child
        return child

    def finish(self, child: Child, status: str, *, output: str | None = None, **outcome: str | None) -> None:
        """Record the outcome of a child execution, unless it was recorded before, when the Map Run was aborted."""
        with self.lock:
            if child.status != RUNNING:
                return
            child.output = None if output is None else self.texts.add(output)
            for name, value in outcome.items():
                setattr(child, name, value)
            child.stop_date = _now()
            self._change(child, status)

    def abort(self, attempt: int) -> None:
        """Record that all running child executions are aborted, unless a redrive has begun another attempt since.

        Parameters
        ----------
        attempt
            The Map Run's redrive count when the child executions were started.
        """
        if attempt == self.redrive_count:
            for child in list(self.children.values()):
                self.finish(child, ABORTED)

    def exceeds_tolerance(self) -> bool:
        """Return whether more items have failed than the Map Run tolerates."""
        failed = self._items[FAILED]
        if self.count is None and self.percentage is None:
            return failed > 0
        exceeded = self.count is not None and failed > self.count
        return exceeded or (self.percentage is not None and failed * 100 > self.percentage * self._items["total"])

    def counts(self, *, items: bool) -> dict[str, int]:
        """Return DescribeMapRun's item counts or execution counts; `pending` counts those that have not started."""
        with self.lock:
            counted = Counter(self._items if items else self._executions)
        total = counted.pop("total", 0) if items else len(self.sizes)
        started = counted.total()
        return {
            "pending": total - started,
            "running": counted[RUNNING],
            "succeeded": counted[SUCCEEDED],
            "failed": counted[FAILED],
            "timedOut": 0,
            "aborted": counted[ABORTED],
            "total": total,
            "resultsWritten": started - counted[RUNNING] - counted[PENDING_REDRIVE] if self.results_written else 0,
            "failuresNotRedrivable": 0,
            "pendingRedrive": counted[PENDING_REDRIVE],
        }

    def described(self, child: Child) -> Iterator[tuple[str, Any]]:
        """Yield the name and value of a child execution's input and, if it has them, its output, error and cause."""
        yield "input", self.texts[child.input]
        if child.output is not None:
            yield "output", self.texts[child.output]
        for name in ("error", "cause"):
            if getattr(child, name) is not None:
                yield name, getattr(child, name)

    def _new_arn(self) -> str:
        name = str(uuid4())
        kind, suffix = ("express", f"{name}:{uuid4()}") if self.express else ("execution", name)
        return f"{self.machine_arn.replace(':stateMachine:', f':{kind}:')}:{suffix}"

    def _change(self, child: Child, status: str) -> None:
        recorded = self.children.get(child.index) is child  # unless it belongs to an attempt before a redrive
        if recorded:
            self._count(child, -1)
        child.status = status
        if recorded:
            self._count(child, 1)

    def _count(self, child: Child | None, change: int) -> None:
        if child is not None:
            self._items[child.status] += change * child.items
            self._executions[child.status] += change


@dataclass
class Counts:
    """Counter of a Map Run's items or executions, which replaces moto's counter.

    Attributes
    ----------
    run
        The Map Run.
    items
        Whether items are counted instead of child executions.
    """

    run: MapRun
    items: bool

    def describe(self) -> dict[str, int]:
        """Return the counts."""
        return self.run.counts(items=self.items)


def _succeeded(child: Child) -> bool:
    return child.status == SUCCEEDED


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)
