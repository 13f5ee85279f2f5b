"""The data that the report shows: results that commands wrote to files, and data that are read from AWS services."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from common.errors import OperatorError
from common.files import RESULT_FILES, StepMissingError, read_result
from evaluation.data_drift import Drift
from evaluation.evaluate import Evaluation
from evaluation.execution_metrics import Outcomes
from evaluation.executions import Run
from evaluation.history import Entry
from evaluation.live.results import Live
from evaluation.monitoring import Monitoring

Rows = Sequence[tuple[str, str]]


class Training(TypedDict):
    """The part of `training.json` that the report shows."""

    source: str
    synthetic: bool
    job: str
    model_package_arn: str
    validation: dict[str, Any]
    metrics: dict[str, Any]
    quality_gate: dict[str, Any]
    instance_type: NotRequired[str]
    seconds: NotRequired[int]
    image: NotRequired[str]
    code: NotRequired[str]


@dataclass(frozen=True)
class CostRow:
    """One line of the costs; `usd` is None if there is no price."""

    item: str
    quantity: str
    usd: float | None


@dataclass(frozen=True)
class Cost:
    """The cost of the environment in the time range.

    Attributes
    ----------
    notes : notes about costs that are not included and about the source of the prices
    """

    rows: Sequence[CostRow]
    notes: Sequence[str]

    @property
    def total(self) -> float:
        """The sum of all lines with a price."""
        return sum(row.usd or 0 for row in self.rows)


@dataclass(frozen=True)
class Results:
    """The results that the report shows. A field is None or empty if there is no such result.

    Attributes
    ----------
    minimum_accuracy : minimum accuracy in the environment's settings
    in_use : version of the model in use, such as `v2`
    start, end : time range of `outcomes` and `cost` in ISO 8601; without SINCE, `history` also has earlier entries
    lineage : titles and values that trace the model in use to its data
    outcomes : the executions of the time range
    history : entries of the history of results
    problems : reason why a result cannot be read, by the name of the result's field
    """

    environment: str
    minimum_accuracy: float | None = None
    in_use: str | None = None
    start: str | None = None
    end: str | None = None
    training: Training | None = None
    run: Run | None = None
    evaluation: Evaluation | None = None
    live: Live | None = None
    monitoring: Monitoring | None = None
    drift: Drift | None = None
    lineage: Rows = ()
    outcomes: Outcomes | None = None
    cost: Cost | None = None
    history: Sequence[Entry] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


# By field of `Results`: the make target that writes the field's result file, and the type of the file's content
FILES: Mapping[str, tuple[str, Any]] = {
    "training": ("train", Training),
    "run": ("run", Run),
    "evaluation": ("evaluate", Evaluation),
    "live": ("live", Live),
    "monitoring": ("monitor", Monitoring),
    "drift": ("data-drift", Drift),
}


# Fields that only describe the results: they are not enough for a report
CONTEXT = ("minimum_accuracy", "in_use", "start", "end")


class Reader:
    """Read results one by one; a result that cannot be read becomes a problem and does not stop the others."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.problems: dict[str, str] = {}

    def read(self, name: str, read: Callable[[], Any]) -> None:
        """Read a field of `Results`."""
        try:
            self.fields[name] = read()
        except (OperatorError, BotoCoreError, ClientError, OSError) as error:
            self.fail((name,), error)

    def fail(self, names: Sequence[str], error: Exception) -> None:
        """Store the reason why fields cannot be read."""
        self.problems |= dict.fromkeys(names, " ".join(str(error).split()))

    def read_files(self, directory: Path) -> None:
        """Read the result files in `build/<environment>`; a missing file is not a problem."""
        for name, (target, kind) in FILES.items():
            if (directory / RESULT_FILES[target]).exists():
                self.read(name, partial(read_result, directory, target, kind.__required_keys__))

    def results(self, environment: str, **known: Any) -> Results:
        """Return everything that was read.

        Parameters
        ----------
        known : fields of `Results` that need not be read

        Raises
        ------
        StepMissingError
            There is nothing to report.
        """
        if not any(value for name, value in self.fields.items() if name not in CONTEXT):
            advice = f"run `make demo ENV={environment}`"
            raise StepMissingError("; ".join([f"there are no results to report: {advice}", *self.problems.values()]))
        return Results(environment, **known, **self.fields, problems=self.problems)
