"""The sections about the operation of the workflow: executions, cost, settings and versions."""

import contextlib
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from evaluation.executions import Run, outcome_counts
from evaluation.report import charts
from evaluation.report.drawings import draw
from evaluation.report.formats import format_time
from evaluation.report.results import Results

PACKAGES = ("boto3", "sagemaker", "numpy", "torch", "onnxruntime", "moto")


def executions(results: Results) -> Mapping[str, Any] | None:
    """Return the executions of the time range and of the last run, by outcome; None if there are none."""
    outcomes, run = results.outcomes, results.run
    if not run and not (outcomes and outcomes.total):
        return None
    seconds = durations(run) if run else []
    return {
        "outcomes": outcomes if outcomes and outcomes.total else None,
        "start": results.start,
        "end": results.end,
        "run": run,
        "counts": outcome_counts(run["executions"]) if run else [],
        "latency": dict(zip(("p50", "p95"), np.percentile(seconds, [50, 95]), strict=True)) if seconds else None,
        "figures": draw({"durations": partial(charts.durations, seconds=seconds)} if seconds else {}),
    }


def durations(run: Run) -> Sequence[float]:
    """Return the durations of the executions that have ended, in seconds."""
    return [each["seconds"] for each in run["executions"] if each["seconds"] is not None]


def cost(results: Results) -> Mapping[str, Any] | None:
    """Return the costs of the time range."""
    return {"cost": results.cost, "start": results.start, "end": results.end} if results.cost else None


def settings(results: Results) -> Mapping[str, Any]:
    """Return title and value of each row of the table of settings and versions."""
    run = results.run
    rows: list[tuple[str, str]] = []
    if run:
        values: Mapping[str, object] = {
            "Endpoint": run["endpoint"],
            "Endpoint configuration": run["endpoint_config"],
            "Model package": run["model_package_arn"],
            "State machine": run["state_machine_arn"],
            "Threshold": run["threshold"],
            "Run": f"{format_time(run['started'])} to {format_time(run['finished'])}",
        }
        rows = [(title, str(value)) for title, value in values.items() if value is not None]
    versions = [f"Python {platform.python_version()}", *(f"{name} {found}" for name, found in installed().items())]
    return {"rows": [(title, [text]) for title, text in [*rows, ("Versions", ", ".join(versions))]]}


def installed() -> dict[str, str]:
    """Return the versions of the main packages that are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
