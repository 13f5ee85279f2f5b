"""Data drift: start a drift job, and read the results of the jobs.

The job compares the captured images with the baseline of the model in use (training/container/classifier/drift_job.py),
and writes its result into the history.
"""

import json
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, TypedDict

from common.errors import OperatorError
from common.files import NoResultError, write
from common.terminal import WIDTH, counted
from evaluation import drift_figures, figures
from evaluation.history import Entry

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
POLL_SECONDS = 2.0
SMALLEST_P = 1e-9  # smaller p-values are rounded to 0
UNFINISHED = ("InProgress", "Stopping")


class Change(TypedDict):
    """The measured change of one property.

    Attributes
    ----------
    group : `confidence`, `classes`, `image_statistics` or `embedding`
    name, kind : of the property and of the test
    adjusted : p-value after the correction for testing all properties together
    stability_index : population stability index; None for the embedding
    moved : whether the property has moved
    """

    group: str
    name: str
    kind: str
    statistic: float
    p_value: float
    adjusted: float
    stability_index: float | None
    moved: bool


class Histogram(TypedDict):
    """The counts of the baseline and of the window in bins of equal width."""

    edges: list[float]
    baseline: list[int]
    window: list[int]


class Example(TypedDict):
    """An unusual image; `distance` to the baseline is in standard deviations."""

    id: str
    time: str
    distance: float


class Figures(TypedDict):
    """The figures of one drift job.

    Attributes
    ----------
    outcome : `drift`, `no_drift`, or without a decision `no_captures`, `too_few_images` or `no_baseline`
    reason : in one line, what moved or why there is no decision
    level : probability of a false alarm in one window, to which the p-values are compared
    classes : names, in class order
    images, baseline_images : number of compared images, all different; a job compares a random part of many
    unreadable : number of compared images that cannot be decoded
    records, malformed : captured records in the window, and lines that are not records
    malformed_lines : the first of them, and why
    groups : whether a group of properties has moved, by its name
    predicted : number of images predicted as each class, in `baseline` and `window`
    histograms : of each statistic, by its name
    points : the first two components of some embeddings, in `baseline` and `window`
    examples : the most unusual images, if something has moved
    """

    outcome: str
    reason: str
    level: float
    classes: list[str]
    images: int
    baseline_images: int
    records: int
    malformed: int
    malformed_lines: list[str]
    unreadable: int
    groups: dict[str, bool]
    changes: list[Change]
    predicted: dict[str, list[int]]
    histograms: dict[str, Histogram]
    points: dict[str, list[list[float]]]
    examples: list[Example]


class Result(TypedDict):
    """The result of one drift job."""

    written: str
    model: str | None
    start: str
    end: str
    figures: Figures


class Drift(TypedDict):
    """The content of `drift.json`: the results in order of time, the newest last; at least one."""

    written: str
    results: list[Result]


def read_drift(entries: list[Entry], *, environment: str) -> Drift:
    """Return the content of `drift.json` from the history; entries without the figures of a drift job are left out.

    Raises
    ------
    NoResultError
        There is no result.
    """
    results: list[Result] = [
        {
            "written": entry["written"],
            "model": entry["model"],
            "start": entry["window"]["start"],
            "end": entry["window"]["end"],
            "figures": entry["figures"],  # type: ignore[typeddict-item]
        }
        for entry in entries
        if entry["window"] and Figures.__required_keys__ <= entry["figures"].keys()
    ]
    if not results:
        raise NoResultError(
            f"there is no drift result in this time range: run `make data-drift ENV={environment} RUN=1`"
        )
    return {"written": datetime.now(UTC).isoformat(), "results": results}


def summary(drift: Drift, environment: str) -> Iterator[str]:
    """Yield the lines that `make data-drift` prints: the newest result, and the outcomes of the earlier ones."""
    *earlier, newest = drift["results"]
    found = newest["figures"]
    yield f"model {newest['model']}, {newest['start']} to {newest['end']}: {found['outcome'].replace('_', ' ')}"
    yield from textwrap.wrap(found["reason"], WIDTH)
    if found["changes"]:
        yield f"{'property':<18}{'group':<18}{'stability index':>16}{'p (corrected)':>16}"
    for change in found["changes"]:
        index = "" if change["stability_index"] is None else f"{change['stability_index']:.2f}"
        mark = "  moved" if change["moved"] else ""
        yield f"{change['name']:<18}{change['group']:<18}{index:>16}{max(change['adjusted'], SMALLEST_P):>16.2g}{mark}"
    for count, what in ((found["malformed"], "malformed lines"), (found["unreadable"], "images that cannot be read")):
        if count:
            yield f"{what}: {count}"
    if found["examples"]:
        yield f"{counted(len(found['examples']), 'unusual image')} to look at: run make review ENV={environment}"
    yield from (
        f"earlier: {each['end']} {each['model']} {each['figures']['outcome'].replace('_', ' ')}" for each in earlier
    )


def write_figures(drift: Drift, directory: Path) -> None:
    """Draw the newest result's distributions as PNG, if it has any."""
    found = drift["results"][-1]["figures"]
    if found["histograms"]:
        write(directory / "drift.png", figures.as_png(lambda theme: drift_figures.distributions(theme, found)))


def start_job(request: str | None, *, environment: str, sagemaker: Any, now: datetime | None = None) -> str:
    """Start a drift job now, and return its name.

    Parameters
    ----------
    request : the stack's `drift_job`, in which EventBridge Scheduler would replace the words in angle brackets
    now : the scheduled time

    Raises
    ------
    OperatorError
        The environment has no drift job.
    """
    if request is None:
        raise OperatorError(
            f"{environment} has no drift job: it needs drift_schedule, capture_percentage above 0, and a model with a "
            f"baseline, which `make train deploy ENV={environment}` trains (ALGORITHM=image-classification has none)"
        )
    scheduled = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = request.replace("<aws.scheduler.execution-id>", token_hex(8))
    content: dict[str, Any] = json.loads(text.replace("<aws.scheduler.scheduled-time>", scheduled))
    content["Environment"]["CAPTURE_DELAY_MINUTES"] = "0"  # compares what is captured, up to the present
    sagemaker.create_processing_job(**content)
    name: str = content["ProcessingJobName"]
    return name


def follow_job(
    name: str, *, sagemaker: Any, report: Callable[[str], object] = print, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Report a job's status until it ends.

    Raises
    ------
    OperatorError
        The job failed or was stopped.
    """
    status = ""
    while True:
        described: Mapping[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
        if described["ProcessingJobStatus"] != status:
            status = described["ProcessingJobStatus"]
            report(f"{name}: {status}")
        if status not in UNFINISHED:
            break
        sleep(POLL_SECONDS)
    if status != "Completed":
        reason = described.get("FailureReason") or described.get("ExitMessage") or "no reason given"
        raise OperatorError(f"{name} ended with the status {status}: {reason} (its log is in {LOG_GROUP})")
