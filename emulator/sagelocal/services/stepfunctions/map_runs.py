"""Map Runs: child executions, their counts and the tolerated failures of a Distributed Map.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
"""

import datetime
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

RUNNING, SUCCEEDED, FAILED, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "ABORTED"


@dataclass(slots=True)
class Child:
    """A started child execution; input and output are JSON text."""

    arn: str
    items: int
    input: str
    start_date: datetime.datetime
    status: str = RUNNING
    stop_date: datetime.datetime | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.arn.split(":")[7]


@dataclass
class MapRun:
    """The child executions of a Map Run, which fails when it exceeds one of the tolerated failure limits.

    Attributes
    ----------
    state
        Name of the Map state.
    machine_arn
        ARN of the state machine of the child executions.
    arn
        ARN of the Map Run.
    express
        Whether the child executions are EXPRESS.
    count, percentage
        Tolerated failures, if defined. Source: AWS's developer guide, "Setting failure thresholds".
    sizes
        Number of items of each child execution, started or not.
    redriven
        Whether the execution was redriven after the Map Run.
    """

    state: str
    machine_arn: str
    arn: str
    express: bool
    count: int | None
    percentage: float | None
    sizes: list[int] = field(default_factory=list)
    children: dict[int, Child] = field(default_factory=dict)
    results_written: bool = False
    redriven: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def continues(self, former: "MapRun") -> None:
        """Take over the ARNs and the successful child executions of a Map Run that did not succeed."""
        self.machine_arn, self.arn = former.machine_arn, former.arn
        self.children = {index: child for index, child in former.children.items() if child.status == SUCCEEDED}

    def start(self, index: int, value: Any) -> Child:
        """Record the start of a child execution."""
        name = str(uuid4())
        kind, suffix = ("express", f"{name}:{uuid4()}") if self.express else ("execution", name)
        arn = f"{self.machine_arn.replace(':stateMachine:', f':{kind}:')}:{suffix}"
        child = Child(arn, self.sizes[index], json.dumps(value), datetime.datetime.now(tz=datetime.UTC))
        with self.lock:
            self.children[index] = child
        return child

    def finish(self, child: Child, status: str, **outcome: str | None) -> None:
        """Record the outcome of a child execution, unless the Map Run has stopped it."""
        with self.lock:
            if child.status == RUNNING:
                for name, value in outcome.items():
                    setattr(child, name, value)
                child.status, child.stop_date = status, datetime.datetime.now(tz=datetime.UTC)

    def abort(self) -> None:
        """Record that all running child executions are stopped."""
        for child in list(self.children.values()):
            self.finish(child, ABORTED)

    def exceeds_tolerance(self) -> bool:
        """Return whether more items have failed than the Map Run tolerates."""
        failed = self._counts(items=True)[FAILED]
        if self.count is None and self.percentage is None:
            return failed > 0
        exceeded = self.count is not None and failed > self.count
        return exceeded or (self.percentage is not None and failed * 100 > self.percentage * sum(self.sizes))

    def counts(self, *, items: bool) -> dict[str, int]:
        """Return the item counts or the execution counts of DescribeMapRun; `pending` ones have not started."""
        counted = self._counts(items=items)
        total = sum(self.sizes) if items else len(self.sizes)
        return {
            "pending": total - counted.total(),
            "running": counted[RUNNING],
            "succeeded": counted[SUCCEEDED],
            "failed": counted[FAILED],
            "timedOut": 0,
            "aborted": counted[ABORTED],
            "total": total,
            "resultsWritten": counted.total() - counted[RUNNING] if self.results_written else 0,
        }

    def _counts(self, *, items: bool) -> Counter[str]:
        counted: Counter[str] = Counter()
        with self.lock:
            for child in self.children.values():
                counted[child.status] += child.items if items else 1
        return counted


@dataclass
class Counts:
    """Replaces moto's counter of a Map Run's items or executions."""

    run: MapRun
    items: bool

    def describe(self) -> dict[str, int]:
        """Return the counts."""
        return self.run.counts(items=self.items)
