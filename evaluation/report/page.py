"""Render the report: one HTML page that contains all results and figures and loads nothing else."""

import contextlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NotRequired, TypedDict, cast

from common.files import RESULT_FILES, StepMissingError, read_result
from common.times import format_utc
from evaluation import figures
from evaluation.evaluate import Evaluation
from evaluation.executions import Run, outcome_counts, read_run
from evaluation.metrics import Interval
from evaluation.monitoring import Monitoring, draw_confidence
from evaluation.pages import data_uri, load_template

TEMPLATE = "report.html"
PACKAGES = ("boto3", "sagemaker", "numpy", "torch", "onnxruntime", "moto")
Rows = list[tuple[str, str]]


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
class Results:
    """The results of the commands that have run; None for the others."""

    training: Training | None
    run: Run | None
    evaluation: Evaluation | None
    monitoring: Monitoring | None


def read_results(directory: Path) -> Results:
    """Read the results of all commands that have run.

    Parameters
    ----------
    directory : `build/<environment>`

    Raises
    ------
    StepMissingError
        There are no results, or a file is invalid.
    """
    present = [target for target, name in RESULT_FILES.items() if (directory / name).is_file()]
    if not present:
        raise StepMissingError(f"there are no results to report: run `make demo ENV={directory.name}`")

    def read(target: str, kind: Any) -> Any:
        return read_result(directory, target, kind.__required_keys__) if target in present else None

    return Results(
        training=cast(Training | None, read("train", Training)),
        run=read_run(directory) if "run" in present else None,
        evaluation=cast(Evaluation | None, read("evaluate", Evaluation)),
        monitoring=cast(Monitoring | None, read("monitor", Monitoring)),
    )


def render(results: Results, environment: str, *, written: datetime) -> str:
    """Return the page; a section without results names the command that produces them."""
    template = load_template(
        TEMPLATE,
        percent=percent,
        interval=interval,
        interval_short=interval_short,
        display_name=figures.display_name,
        time=format_time,
    )
    # the data set of the results; before the first run, the one of the training job
    data = results.evaluation or results.run or results.training
    with_classes = results.evaluation or results.run or results.monitoring
    return template.render(
        environment=environment,
        written=format_time(written.isoformat()),
        make=lambda target: f"make {target} ENV={environment}",
        source=data and data["source"],
        is_synthetic=bool(data and data["synthetic"]),
        classes=with_classes["classes"] if with_classes else [],
        notes=notes(results, environment),
        evaluation=results.evaluation,
        monitoring=results.monitoring,
        training=results.training,
        figures=draw_all(results),
        model_rows=model_rows(results.training),
        settings_rows=settings_rows(results.run),
        **executions(results.run),
    )


def notes(results: Results, environment: str) -> list[str]:
    """Return a sentence for each inconsistency between the results, with the command that resolves it."""
    training, run = results.training, results.run
    evaluation, monitoring = results.evaluation, results.monitoring
    found = []
    if run and evaluation and evaluation["run_started"] != run["started"]:
        found.append(f"The evaluation is of an earlier run: run make evaluate ENV={environment}.")
    if run and monitoring and monitoring["written"] < run["finished"]:
        found.append(f"The captured data was read before the last run: run make monitor ENV={environment}.")
    data = evaluation or run
    if training and data and data["source"] != training["source"]:
        found.append(f"The latest model was trained on another data set than the one evaluated: {training['source']}.")
    if run and training and run["model_package_arn"] != training["model_package_arn"]:
        found.append(
            "The last run used another model than the latest trained one: "
            f"run make deploy ENV={environment}, then make run ENV={environment}."
        )
    return found


def executions(run: Run | None) -> dict[str, Any]:
    """Return the executions by outcome, their number and their duration."""
    if not run:
        return {"outcomes": [], "total": 0, "duration": ""}
    seconds = [each["seconds"] for each in run["executions"] if each["seconds"] is not None]
    duration = f"median duration {median(seconds):.2f} s" if seconds else "none has ended"
    return {"outcomes": outcome_counts(run["executions"]), "total": len(run["executions"]), "duration": duration}


def draw_all(results: Results) -> dict[str, dict[str, str]]:
    """Return each figure as a data URI, by name and theme; figures without results are left out."""
    drawings: dict[str, Callable[[figures.Theme], Any]] = {}
    if evaluation := results.evaluation:
        curve, threshold, calibration = evaluation["curve"], evaluation["threshold"], evaluation["calibration"]
        drawings |= {
            "confusion": partial(figures.confusion, matrix=evaluation["confusion"], classes=evaluation["classes"]),
            "coverage": partial(figures.coverage, curve=curve, threshold=threshold),
            "accuracy_by_coverage": partial(
                figures.accuracy_by_coverage, curve=curve, threshold=threshold, area=evaluation["risk_coverage_area"]
            ),
            "reliability": partial(
                figures.reliability, bins=calibration["bins"], error=calibration["expected_calibration_error"]
            ),
        }
    if monitoring := results.monitoring:
        drawings["confidence"] = partial(draw_confidence, monitoring=monitoring)
    if results.training and (history := results.training["metrics"].get("epochs")):
        drawings["epochs"] = partial(figures.epochs, history=history)
    return {
        name: {
            theme.name: data_uri(figures.as_svg(drawing, theme).encode(), "image/svg+xml")
            for theme in (figures.LIGHT, figures.DARK)
        }
        for name, drawing in drawings.items()
    }


def model_rows(training: Training | None) -> Rows:
    """Return title and value of each row of the latest model's table."""
    if not training:
        return []
    validation, calibration = training["validation"], training["metrics"].get("calibration")
    accuracy = f"{percent(validation['accuracy'])}, {interval(validation['interval'])}, n = {validation['n']}"
    rows: Mapping[str, object] = {
        "Validation accuracy": accuracy,
        "Temperature": _temperature(calibration) if calibration else None,
        "Quality gate": training["quality_gate"]["reason"],
        "Model package": training["model_package_arn"],
        "Training job": training["job"],
        "Instance type": training.get("instance_type"),
        "Billable seconds": training.get("seconds"),
        "Container image": training.get("image"),
        "Data": training["source"],
        "Code": training.get("code"),
    }
    return [(title, str(value)) for title, value in rows.items() if value]


def _temperature(calibration: Mapping[str, float]) -> str:
    return (
        f"{calibration['temperature']:.3g}; it changes the expected calibration error on the validation images "
        f"from {calibration['ece_before']:.3f} to {calibration['ece_after']:.3f}"
    )


def settings_rows(run: Run | None) -> Rows:
    """Return title and value of each row of the table of settings and versions."""
    rows: Rows = []
    if run:
        settings: Mapping[str, object] = {
            "Endpoint": run["endpoint"],
            "Endpoint configuration": run["endpoint_config"],
            "Model package": run["model_package_arn"],
            "State machine": run["state_machine_arn"],
            "Threshold": run["threshold"],
            "Run": f"{format_time(run['started'])} to {format_time(run['finished'])}",
        }
        rows = [(title, str(value)) for title, value in settings.items() if value is not None]
    versions = [f"Python {platform.python_version()}", *(f"{name} {found}" for name, found in installed().items())]
    return [*rows, ("Versions", ", ".join(versions))]


def installed() -> dict[str, str]:
    """Return the versions of the main packages that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def percent(value: float | None) -> str:
    """Format a proportion; None becomes a dash."""
    return "-" if value is None else f"{value:.1%}"


def interval_short(value: Interval | None) -> str:
    """Format an interval of proportions without its level."""
    return "" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def interval(value: Interval | None) -> str:
    """Format a 95 % interval of proportions."""
    return "" if value is None else f"{interval_short(value)} (95 %)"


def format_time(text: str) -> str:
    """Format a time in ISO 8601 as UTC, to the second."""
    return f"{format_utc(datetime.fromisoformat(text))} UTC"
