"""Launch a hyperparameter tuning job through the SageMaker SDK, follow it, and name its best training job."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from training.algorithms import Algorithm, Range, StagedData
from training.launch import (
    FINGERPRINT,
    RECENT,
    REFUSALS,
    LaunchError,
    TrainingJobConfig,
    explain,
    input_channels,
    make_trainer,
)

POLL_SECONDS = 2.0
STRATEGY = "Bayesian"
ENDED = ("Completed", "Failed", "Stopped")
OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"


class TuningFailedError(Exception):
    """The job ended without a model."""


def launch_tuning(
    algorithm: Algorithm,
    config: TrainingJobConfig,
    data: StagedData,
    hyperparameters: Mapping[str, str],
    ranges: Sequence[Range],
    *,
    fingerprint: str,
    jobs: int,
    parallel: int,
) -> str:
    """Start a tuning job on the staged data.

    Parameters
    ----------
    hyperparameters : that all its training jobs have
    ranges : of those that they differ in
    jobs, parallel : training jobs in all, and at once

    Returns
    -------
    str
        The job's name.

    Raises
    ------
    LaunchError
        SageMaker refuses it; the message says what to do.
    """
    fixed = {name: value for name, value in hyperparameters.items() if name not in {each.name for each in ranges}}
    # a search scales by its jobs; several hosts, or GPUs of one, would train alone, as it says nothing of torchrun to
    # them: of a host's GPUs one is used
    config = replace(config, instance_count=1)
    # its jobs would share their checkpoints
    trainer = make_trainer(algorithm, config, fixed, fingerprint, resumes=False)
    from sagemaker.train.tuner import HyperparameterTuner

    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name=algorithm.objective,
        hyperparameter_ranges={each.name: as_parameter(each) for each in ranges},
        metric_definitions=[{"Name": name, "Regex": regex} for name, regex in algorithm.metrics.items()] or None,
        strategy=STRATEGY,
        max_jobs=jobs,
        max_parallel_jobs=parallel,
    )
    name = make_name(config.name)
    try:
        tuner.tune(inputs=input_channels(algorithm, config, data, fixed), job_name=name, wait=False)
    except REFUSALS as error:
        raise LaunchError(explain(error)) from error
    return name


def stem(name: str) -> str:
    """First part of a tuning job's name, whose 32 characters leave no room for the last word of a job's.

    Examples
    --------
    >>> stem("scones-local-vehicles")
    'scones-local-'
    """
    return name.removesuffix(name.rpartition("-")[2])


def make_name(name: str) -> str:
    """A tuning job's name, which no other has; the SDK's own has no seconds.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
    """
    return f"{stem(name)[:18]}{datetime.now(UTC):%y%m%d%H%M%S}{secrets.token_hex(1)}"


def as_parameter(found: Range) -> Any:
    """A range as the SDK has it; numbers are searched by their order of magnitude."""
    from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter

    if found.values:
        return CategoricalParameter(list(found.values))
    kind = IntegerParameter if found.whole else ContinuousParameter
    return kind(found.low, found.high, scaling_type="Logarithmic")


def find_tuning(name: str, fingerprint: str, *, sagemaker: Any) -> str | None:
    """A tuning job that is under way or done for the same data, code and settings.

    Parameters
    ----------
    name : first part of a training job's name
    """
    listed = sagemaker.list_hyper_parameter_tuning_jobs(
        NameContains=stem(name)[:18], SortBy="CreationTime", SortOrder="Descending", MaxResults=RECENT
    )["HyperParameterTuningJobSummaries"]
    for job in listed:
        if job["HyperParameterTuningJobStatus"] in ("InProgress", "Completed"):
            found: str = job["HyperParameterTuningJobName"]
            described = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=found)
            if described["TrainingJobDefinition"].get("Environment", {}).get(FINGERPRINT) == fingerprint:
                return found
    return None


def follow_tuning(name: str, *, sagemaker: Any, say: Callable[[str], object] = print) -> tuple[str, dict[str, str]]:
    """Tell of a tuning job until it ends: a line for each of its training jobs.

    Returns
    -------
    str, dict
        Name of the best training job, and the hyperparameters that were found for it.

    Raises
    ------
    TuningFailedError
        It failed, or was stopped, or none of its jobs has a model.
    """
    told: set[int] = set()
    while True:
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        for number, summary in enumerate(summaries(name, sagemaker=sagemaker), start=1):
            if summary["TrainingJobStatus"] in ENDED and number not in told:
                told.add(number)
                say(describe(summary, number))
        status = job["HyperParameterTuningJobStatus"]
        if status in ENDED:
            best = job.get("BestTrainingJob")
            if status != "Completed" or not best:
                raise TuningFailedError(f"tuning job {name} has no model: {job.get('FailureReason') or status}")
            return best["TrainingJobName"], dict(best["TunedHyperParameters"])
        time.sleep(POLL_SECONDS)


def summaries(name: str, *, sagemaker: Any) -> Iterator[dict[str, Any]]:
    """A tuning job's training jobs, the oldest first."""
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
    )
    for page in pages:
        yield from page["TrainingJobSummaries"]


def competitors(name: str, *, sagemaker: Any) -> int:
    """Training jobs of a tuning job that have a figure, of which its best one has the best."""
    return sum(OBJECTIVE in summary for summary in summaries(name, sagemaker=sagemaker))


def describe(summary: Mapping[str, Any], number: int) -> str:
    """How one training job ended."""
    tuned = " ".join(f"{name}={shortened(value)}" for name, value in sorted(summary["TunedHyperParameters"].items()))
    objective = summary.get(OBJECTIVE)
    ending = f"{objective['Value']:.3f}" if objective else summary["TrainingJobStatus"]
    reason = f": {summary['FailureReason'][:200]}" if summary.get("FailureReason") else ""
    return f"  {number:>3}  {ending:<10}{tuned}{reason}"


def shortened(value: str) -> str:
    """A number to four places that count; a text as it is."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
