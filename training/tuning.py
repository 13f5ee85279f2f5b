"""Hyperparameter search: launch a SageMaker tuning job, follow it, and read its best training job."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from common.errors import OperatorError
from training.algorithms import Range
from training.follow import TrainingJob, job_continues, read_result
from training.job_config import TrainingRequest
from training.launch import FINGERPRINT, RECENT, REFUSALS, LaunchError, explain, input_channels, make_trainer

POLL_SECONDS = 2.0
STRATEGY = "Bayesian"
ENDED = ("Completed", "Failed", "Stopped")
OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"
MAX_PREFIX_LENGTH = 18  # a tuning job's name has at most 32 characters; the last 14 make it unique


@dataclass(frozen=True)
class Search:
    """A hyperparameter search.

    Attributes
    ----------
    ranges : search space of each tuned hyperparameter
    jobs : number of training jobs in all
    parallel : number of training jobs that run at the same time
    """

    ranges: tuple[Range, ...]
    jobs: int
    parallel: int


def plan_search(request: TrainingRequest, fixed: Mapping[str, str], *, jobs: int, parallel: int) -> Search:
    """Return a search over the algorithm's tunable hyperparameters, except those that the operator has set.

    Parameters
    ----------
    fixed : hyperparameters that the operator has set
    jobs : number of training jobs in all
    parallel : number of training jobs that run at the same time

    Raises
    ------
    OperatorError
        `parallel` exceeds `jobs`, or the operator has set all tunable hyperparameters.
    """
    if parallel > jobs:
        raise OperatorError(f"PARALLEL must be at most the number of jobs, JOBS={jobs} (got {parallel})")
    ranges = [each for each in request.algorithm.ranges(request.hyperparameters) if each.name not in fixed]
    if not ranges:
        raise OperatorError(
            f"there is nothing to tune: SET fixes {', '.join(fixed)}, so a search has no hyperparameter left to "
            "vary: remove one of them from SET"
        )
    return Search(tuple(ranges), jobs, parallel)


def tune(request: TrainingRequest, search: Search, *, sagemaker: Any, s3: Any) -> tuple[TrainingRequest, TrainingJob]:
    """Run a tuning job for a search, and return its best training job.

    If a tuning job for the same search is already running or completed, no new tuning job is launched.

    Returns
    -------
    TrainingRequest, TrainingJob
        The request with the best hyperparameters, and the best training job.

    Raises
    ------
    LaunchError
        SageMaker rejected the tuning job.
    OperatorError
        The tuning job failed, was stopped, or has no best training job.
    """
    fingerprint = search_fingerprint(request, search)
    name = find_tuning(request.config.name, fingerprint, sagemaker=sagemaker) or launch_tuning(
        request, search, fingerprint
    )
    ranges = ", ".join(each.name for each in search.ranges)
    print(f"tuning job {name}: searches {ranges} for the best {request.algorithm.objective}")
    stop = f"stop-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name {name}"
    with job_continues(f"tuning job {name}", stop):
        best, tuned = follow_tuning(name, sagemaker=sagemaker)
    print(f"best training job: {best}")
    described = sagemaker.describe_training_job(TrainingJobName=best)
    job = read_result(described, validation_images=request.data.validation_images, s3=s3)
    return with_hyperparameters(request, tuned), replace(job, best_of=count_scored(name, sagemaker=sagemaker))


def search_fingerprint(request: TrainingRequest, search: Search) -> str:
    """Return a hash of the data, code, hyperparameters, search space and number of training jobs of a search."""
    content = [request.fingerprint, repr(list(search.ranges)), search.jobs]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def with_hyperparameters(request: TrainingRequest, tuned: Mapping[str, str]) -> TrainingRequest:
    """Return a copy of the request that contains the tuned hyperparameters."""
    return replace(request, hyperparameters={**request.hyperparameters, **tuned})


def launch_tuning(request: TrainingRequest, search: Search, fingerprint: str) -> str:
    """Start a tuning job on the staged data, and return its name.

    Raises
    ------
    LaunchError
        SageMaker rejected the job; the message says what to do.
    """
    searched = {each.name for each in search.ranges}
    fixed = {name: value for name, value in request.hyperparameters.items() if name not in searched}
    # one instance: the SDK's tuner does not use torchrun, so several instances would each train a model of their own
    config = replace(request.config, instance_count=1)
    # the training jobs have the same fingerprint, and would resume from each other's checkpoints
    trainer = make_trainer(request.algorithm, config, fixed, fingerprint, resumes=False)
    from sagemaker.train.tuner import HyperparameterTuner

    metrics = [{"Name": name, "Regex": regex} for name, regex in request.algorithm.metrics.items()]
    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name=request.algorithm.objective,
        hyperparameter_ranges={each.name: to_parameter(each) for each in search.ranges},
        metric_definitions=metrics or None,
        strategy=STRATEGY,
        max_jobs=search.jobs,
        max_parallel_jobs=search.parallel,
    )
    name = unique_name(config.name)
    try:
        tuner.tune(inputs=input_channels(request.algorithm, config, request.data, fixed), job_name=name, wait=False)
    except REFUSALS as error:
        raise LaunchError(explain(error)) from error
    return name


def name_prefix(name: str) -> str:
    """Return the name prefix of tuning jobs: the name prefix of training jobs, without its last word, and truncated.

    Examples
    --------
    >>> name_prefix("scones-local-vehicles")
    'scones-local-'
    """
    return name.removesuffix(name.rpartition("-")[2])[:MAX_PREFIX_LENGTH]


def unique_name(name: str) -> str:
    """Return a unique name for a tuning job.

    The SDK would give two tuning jobs that start in the same minute the same name.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
    """
    return f"{name_prefix(name)}{datetime.now(UTC):%y%m%d%H%M%S}{secrets.token_hex(1)}"


def to_parameter(space: Range) -> Any:
    """Return the SDK's object for a search space. Numbers are searched on a logarithmic scale."""
    from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter

    if space.values:
        return CategoricalParameter(list(space.values))
    kind = IntegerParameter if space.whole else ContinuousParameter
    return kind(space.low, space.high, scaling_type="Logarithmic")


def find_tuning(name: str, fingerprint: str, *, sagemaker: Any) -> str | None:
    """Return the name of the latest running or completed tuning job with this fingerprint, or None if there is none.

    Parameters
    ----------
    name : prefix of the training jobs' names
    """
    listed = sagemaker.list_hyper_parameter_tuning_jobs(
        NameContains=name_prefix(name), SortBy="CreationTime", SortOrder="Descending", MaxResults=RECENT
    )["HyperParameterTuningJobSummaries"]
    for job in listed:
        if job["HyperParameterTuningJobStatus"] in ("InProgress", "Completed"):
            found: str = job["HyperParameterTuningJobName"]
            described = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=found)
            if described["TrainingJobDefinition"].get("Environment", {}).get(FINGERPRINT) == fingerprint:
                return found
    return None


def follow_tuning(name: str, *, sagemaker: Any, report: Callable[[str], object] = print) -> tuple[str, dict[str, str]]:
    """Wait until a tuning job ends, and report a line for each of its training jobs that has ended.

    Parameters
    ----------
    name : name of the tuning job
    report : function that is called with each line

    Returns
    -------
    str, dict
        Name of the best training job, and the tuned hyperparameters of that job.

    Raises
    ------
    OperatorError
        The tuning job failed, was stopped, or has no best training job. The message gives the reason.
    """
    reported: set[int] = set()
    while True:
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        for number, summary in enumerate(training_jobs(name, sagemaker=sagemaker), start=1):
            if summary["TrainingJobStatus"] in ENDED and number not in reported:
                reported.add(number)
                report(describe(summary, number))
        status = job["HyperParameterTuningJobStatus"]
        if status in ENDED:
            best = job.get("BestTrainingJob")
            if status != "Completed" or not best:
                raise OperatorError(f"tuning job {name} has no model: {job.get('FailureReason') or status}")
            return best["TrainingJobName"], dict(best["TunedHyperParameters"])
        time.sleep(POLL_SECONDS)


def training_jobs(name: str, *, sagemaker: Any) -> Iterator[dict[str, Any]]:
    """Yield the summaries of a tuning job's training jobs, oldest first."""
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
    )
    for page in pages:
        yield from page["TrainingJobSummaries"]


def count_scored(name: str, *, sagemaker: Any) -> int:
    """Return the number of a tuning job's training jobs that have a final objective metric."""
    return sum(OBJECTIVE in summary for summary in training_jobs(name, sagemaker=sagemaker))


def describe(summary: Mapping[str, Any], number: int) -> str:
    """Return a line about a training job: number, objective metric (or status without a metric), hyperparameters."""
    tuned = " ".join(f"{name}={shorten(value)}" for name, value in sorted(summary["TunedHyperParameters"].items()))
    objective = summary.get(OBJECTIVE)
    outcome = f"{objective['Value']:.3f}" if objective else summary["TrainingJobStatus"]
    reason = f": {summary['FailureReason'][:200]}" if summary.get("FailureReason") else ""
    return f"  {number:>3}  {outcome:<10}{tuned}{reason}"


def shorten(value: str) -> str:
    """Round a number to four significant digits; return other text unchanged."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
