"""Read an execution's history: each visit of a state, with its times, payloads, attempts and errors.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from evaluation.payloads import parse_payload

# Each attempt of a state begins with one of these events
ATTEMPTS = (
    "TaskScheduled",
    "LambdaFunctionScheduled",
    "ActivityScheduled",
    "MapStateStarted",
    "ParallelStateStarted",
)
CONTAINERS = ("Map", "Parallel")  # states that contain other states
DETAILS = "EventDetails"


class Status(Enum):
    """The status of a state, as a word and a symbol."""

    SUCCEEDED = ("succeeded", "✓")
    CAUGHT = ("caught", "↷")
    FAILED = ("failed", "✗")
    RUNNING = ("running", "▶")
    ABORTED = ("aborted", "■")
    NOT_REACHED = ("not reached", "")

    def __init__(self, word: str, symbol: str) -> None:
        self.word = word
        self.symbol = symbol


@dataclass(eq=False)
class Step:
    """One visit of a state.

    Attributes
    ----------
    kind : type of the state, such as `Task`
    entered, exited : times; `exited` is None while the state runs, and after it failed without a Catch
    after : the step before this step; None for the first step of the execution, a branch or an iteration
    parent : the step of the Map or Parallel state that contains this step; None if no such state contains it
    iteration : index of the Map state's item that the step processes; None outside a Map state
    input, output : JSON values, shortened
    variables : variables that the state assigned, shortened
    attempts : 1 plus the number of retries; 0 for a state that calls nothing
    error, cause : error name and cause of the last failed attempt; None if no attempt failed
    map_run_arn : ARN of the map run, if the state is a distributed Map state
    has_failed : whether the last attempt failed
    """

    name: str
    kind: str
    entered: datetime
    after: "Step | None" = None
    parent: "Step | None" = None
    iteration: int | None = None
    input: Any = None
    output: Any = None
    variables: Any = None
    exited: datetime | None = None
    attempts: int = 0
    error: str | None = None
    cause: str | None = None
    map_run_arn: str | None = None
    has_failed: bool = False
    status: Status = Status.RUNNING

    @property
    def retries(self) -> int:
        """The number of attempts after the first one."""
        return max(self.attempts - 1, 0)

    @property
    def seconds(self) -> float | None:
        """The duration in seconds, or None if the state was not exited."""
        return (self.exited - self.entered).total_seconds() if self.exited else None

    @property
    def depth(self) -> int:
        """The number of Map and Parallel states that contain this step."""
        return self.parent.depth + 1 if self.parent else 0

    def ancestors(self) -> "Iterator[Step]":
        """Yield this step, its parent, the parent's parent, and so on."""
        yield self
        if self.parent:
            yield from self.parent.ancestors()


@dataclass
class _Reader:
    """Assigns each event to a step: usually the step of the preceding event, whose ID is in `previousEventId`."""

    steps: list[Step] = field(default_factory=list)
    # The step of each event, by the event's ID
    step_of: dict[int, Step] = field(default_factory=dict)
    # For events that start a branch or an iteration: the Map or Parallel step, and the index of the item
    starts: dict[int, tuple[Step, int | None]] = field(default_factory=dict)

    def read(self, event: Mapping[str, Any]) -> None:
        kind, number = event["type"], event["id"]
        if kind.endswith("StateEntered"):
            step = self._enter(event)
        else:
            found = self._find(event)
            if found is None:
                return
            step = found
            self._update(step, event)
        self.step_of[number] = step

    def _enter(self, event: Mapping[str, Any]) -> Step:
        previous, details = event.get("previousEventId", 0), event["stateEnteredEventDetails"]
        before = self.step_of.get(previous)
        parent, iteration = self.starts.get(previous) or (before.parent if before else None, None)
        if iteration is None and before and before.parent is parent:
            iteration = before.iteration
        step = Step(
            name=details["name"],
            kind=event["type"].removesuffix("StateEntered"),
            entered=event["timestamp"],
            after=None if previous in self.starts else before,
            parent=parent,
            iteration=iteration,
            input=parse_payload(details.get("input")),
        )
        self.steps.append(step)
        return step

    def _find(self, event: Mapping[str, Any]) -> Step | None:
        """Return the step of an event that enters no state, or None if there is no such step."""
        before = self.step_of.get(event.get("previousEventId", 0))
        if before is None:  # this is the first event after a redrive
            before = next((step for step in reversed(self.steps) if step.exited is None), None)
        if before is None:
            return None
        container = next((each for each in CONTAINERS if event["type"].startswith(each)), None)
        if container is None:
            return before
        # the preceding event may belong to a state inside the Map or Parallel state
        name = _details(event).get("name")
        open_steps = (step for step in before.ancestors() if step.kind == container and step.exited is None)
        return next((step for step in open_steps if name in (None, step.name)), None)

    def _update(self, step: Step, event: Mapping[str, Any]) -> None:
        kind, details = event["type"], _details(event)
        if kind in ("ExecutionTimedOut", "MapIterationFailed", "MapIterationSucceeded"):
            return  # these events do not determine the status of the state
        if kind in ATTEMPTS:
            step.attempts += 1
            step.has_failed = False
        if kind in ("ParallelStateStarted", "MapIterationStarted"):
            self.starts[event["id"]] = (step, details.get("index"))
        elif kind == "MapRunStarted":
            step.map_run_arn = details.get("mapRunArn")
        elif kind.endswith("StateExited"):
            step.exited = event["timestamp"]
            step.output = parse_payload(details.get("output"))
            step.variables = details.get("assignedVariables") and {
                name: parse_payload(value) for name, value in details["assignedVariables"].items()
            }
        elif kind.endswith(("Failed", "TimedOut")):
            step.has_failed = True
            step.error = details.get("error") or step.error
            step.cause = details.get("cause") or step.cause
        elif kind.endswith("Succeeded"):
            step.has_failed = False


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the details of an event; the name of the field depends on the type of the event."""
    return next((value for key, value in event.items() if key.endswith(DETAILS)), {})


def read_steps(events: Iterable[Mapping[str, Any]], *, is_running: bool) -> list[Step]:
    """Return the steps of an execution, in the order in which it entered them.

    Parameters
    ----------
    events : events that GetExecutionHistory returns, the oldest first
    """
    reader = _Reader()
    for event in events:
        reader.read(event)
    for step in reader.steps:
        step.status = _status(step, is_running=is_running)
    return reader.steps


def _status(step: Step, *, is_running: bool) -> Status:
    if step.exited:
        return Status.CAUGHT if step.has_failed else Status.SUCCEEDED
    if step.kind == "Fail":
        return Status.FAILED
    is_over = not is_running or any(each.exited for each in step.ancestors())
    if not is_over:
        return Status.RUNNING  # even after a failed attempt, because Step Functions may retry
    return Status.FAILED if step.has_failed else Status.ABORTED
