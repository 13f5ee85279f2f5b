"""Data drift: start a drift job, and read the results of all drift jobs.

A drift job compares the images that were captured in a period, the window, with the baseline of the model in use
(training/container/classifier/drift_job.py). The job writes its result into the history.
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
from common.files import NoResultError, replace_figures
from common.terminal import WIDTH, counted
from evaluation import drift_figures, figures
from evaluation.history import Entry

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
POLL_SECONDS = 2.0
SMALLEST_P = 1e-9  # smallest p-value that is printed; smaller p-values are printed as `<1e-09`
UNFINISHED = ("InProgress", "Stopping")


class Change(TypedDict):
    """The measured change of one property of the captured images.

    Attributes
    ----------
    group : `confidence`, `classes`, `image_statistics` or `embedding`
    name : name of the property
    kind : kind of the statistical test
    adjusted : p-value, adjusted for the number of tests
    stability_index : population stability index; None for the embedding
    has_drifted : whether the property has drifted
    """

    group: str
    name: str
    kind: str
    statistic: float
    p_value: float
    adjusted: float
    stability_index: float | None
    has_drifted: bool


class Histogram(TypedDict):
    """The numbers of images of the baseline and of the window in bins of equal width."""

    edges: list[float]
    baseline: list[int]
    window: list[int]


class Example(TypedDict):
    """An unusual image; `distance` is its distance to the most similar baseline images, in standard deviations."""

    id: str
    time: str
    distance: float


class Figures(TypedDict):
    """The results of one drift job.

    Attributes
    ----------
    outcome : `drift` or `no_drift`; if the job could not decide, `no_captures`, `too_few_images` or `no_baseline`
    reason : one line that says what has drifted, or why the job could not decide
    level : significance level of all tests together, with which the adjusted p-values are compared
    classes : class names in class order
    images, baseline_images : numbers of different images in the window and in the baseline that were compared; if the
        window has many images, the job compares a random sample
    unreadable : number of sampled images of the window that cannot be decoded
    records : number of captured records in the window
    malformed : number of captured lines that are not valid records
    malformed_lines : S3 key, line number and error of each of the first malformed lines
    groups : whether a group of properties has drifted, by the group's name
    predicted : number of images predicted as each class, for `baseline` and `window`
    histograms : histogram of each statistic, by the statistic's name
    points : the first two components of a sample of embeddings, for `baseline` and `window`
    examples : the most unusual images if something has drifted, otherwise an empty list
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
    """The content of `drift.json`: at least one result, in order of time, the newest last."""

    written: str
    results: list[Result]


def read_drift(entries: list[Entry], *, environment: str) -> Drift:
    """Return the content of `drift.json` from entries of the history.

    Entries that do not have all fields of `Figures`, or whose changes do not have all fields of `Change`, are left out.

    Raises
    ------
    NoResultError
        No entry is left.
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
        if entry["window"] and _is_complete(entry["figures"])
    ]
    if not results:
        raise NoResultError(
            f"there is no drift result in this time range: run `make data-drift ENV={environment} RUN=1`"
        )
    return {"written": datetime.now(UTC).isoformat(), "results": results}


def _is_complete(found: Mapping[str, Any]) -> bool:
    """Return whether the figures have all fields; the drift job of an older model may use other names."""
    return Figures.__required_keys__ <= found.keys() and all(
        Change.__required_keys__ <= change.keys() for change in found["changes"]
    )


def summary(drift: Drift, environment: str) -> Iterator[str]:
    """Yield the lines that `make data-drift` prints: the newest result, and the outcomes of the earlier ones."""
    *earlier, newest = drift["results"]
    found = newest["figures"]
    yield f"model {newest['model']}, {newest['start']} to {newest['end']}: {found['outcome'].replace('_', ' ')}"
    yield from textwrap.wrap(found["reason"], WIDTH)
    if found["changes"]:
        yield f"{'property':<18}{'group':<18}{'stability index':>16}{'adjusted p':>16}"
    for change in found["changes"]:
        index = "" if change["stability_index"] is None else f"{change['stability_index']:.2f}"
        mark = "  drifted" if change["has_drifted"] else ""
        yield f"{change['name']:<18}{change['group']:<18}{index:>16}{adjusted_text(change['adjusted']):>16}{mark}"
    for count, what in ((found["malformed"], "malformed lines"), (found["unreadable"], "images that cannot be read")):
        if count:
            yield f"{what}: {count}"
    if found["examples"]:
        yield f"{counted(len(found['examples']), 'unusual image')} to look at: run make review ENV={environment}"
    yield from (
        f"earlier: {each['end']} {each['model']} {each['figures']['outcome'].replace('_', ' ')}" for each in earlier
    )


def adjusted_text(p_value: float) -> str:
    """Return an adjusted p-value for people to read, or the limit that it is below, such as `<1e-09`."""
    return f"<{SMALLEST_P:g}" if p_value < SMALLEST_P else f"{p_value:.2g}"


def write_figures(drift: Drift, directory: Path) -> None:
    """Write the distributions of the newest result as a PNG file; if it has none, delete an older file."""
    found = drift["results"][-1]["figures"]
    drawn = (
        {"drift.png": figures.as_png(lambda theme: drift_figures.distributions(theme, found))}
        if found["histograms"]
        else {}
    )
    replace_figures(directory, "data-drift", drawn)


def start_job(request: str | None, *, environment: str, sagemaker: Any, now: datetime | None = None) -> str:
    """Start a drift job now, and return its name.

    Parameters
    ----------
    request : the Terraform output `drift_job`: a JSON request with placeholders in angle brackets, which EventBridge
        Scheduler replaces in scheduled jobs and this function replaces here; None if there is no drift job
    now : time that replaces the scheduled time (default: the current time)

    Raises
    ------
    OperatorError
        The environment has no drift job.
    """
    if request is None:
        raise OperatorError(
            f"{environment} has no drift job: set drift_schedule, set capture_percentage above 0, and deploy a model "
            f"with a baseline (`make train deploy ENV={environment}`, without ALGORITHM=image-classification)"
        )
    scheduled = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = request.replace("<aws.scheduler.execution-id>", token_hex(8))
    content: dict[str, Any] = json.loads(text.replace("<aws.scheduler.scheduled-time>", scheduled))
    content["Environment"]["CAPTURE_DELAY_MINUTES"] = "0"  # the window of this job ends now
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
