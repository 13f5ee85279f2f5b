"""Hyperparameter tuning jobs: their training jobs, search strategies and failures, and the best training job."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..functions import unique
from .resources import ENDED, ROLE, SageMaker, make_archive

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6-cpu-py312"
SCRIPT = """
import argparse, sys, time
parser = argparse.ArgumentParser()
for name in ("rate", "kind", "wait"):
    parser.add_argument(f"--{name}")
parser.add_argument("--_tuning_objective_metric")
given = parser.parse_args()
time.sleep(float(given.wait or 0))
if given.kind == "bad":
    sys.exit("a bad kind")
print(f"score={given.rate or len(given.kind)};")
"""
TAGS = [{"Key": "team", "Value": "vehicles"}]
RATE = {"Name": "rate", "MinValue": "0.1", "MaxValue": "0.9"}


def tune(sagemaker: SageMaker, *, jobs: int = 4, parallel: int = 2, **changes: Any) -> str:
    """Start a tuning job for SCRIPT and return the tuning job's name.

    jobs     : number of training jobs
    parallel : number of training jobs that run at the same time
    changes  : `strategy`, `direction` (Maximize or Minimize), `metric`, `ranges` and `static` (hyperparameters)
    """
    name = unique("tuning")[:32]
    code = sagemaker.upload(f"{name}/code.tar.gz", make_archive({"train.py": SCRIPT}))
    static = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{code}"'}
    sagemaker.client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": changes.get("strategy", "Random"),
            "RandomSeed": 3,
            "HyperParameterTuningJobObjective": {
                "Type": changes.get("direction", "Maximize"),
                "MetricName": changes.get("metric", "score"),
            },
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": changes.get("ranges", {"ContinuousParameterRanges": [RATE]}),
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {**static, **changes.get("static", {})},
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+);"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{sagemaker.bucket}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
        Tags=TAGS,
    )
    return name


def describe(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """Return the description of a tuning job."""
    found: dict[str, Any] = sagemaker.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return found


def wait_for_tuning(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    """Wait until a tuning job has ended, and return its description."""

    def describe_if_ended() -> dict[str, Any]:
        described = describe(sagemaker, name)
        return described if described["HyperParameterTuningJobStatus"] in ENDED else {}

    return eventually(describe_if_ended, seconds=60)


def list_training_jobs(sagemaker: SageMaker, name: str, **request: Any) -> list[dict[str, Any]]:
    """Return the summaries of a tuning job's training jobs."""
    listed: list[dict[str, Any]] = sagemaker.client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **request
    )["TrainingJobSummaries"]
    return listed


def score(summary: dict[str, Any]) -> float:
    """Return the final value of a training job's objective metric, `score`."""
    found: float = summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return found


@pytest.fixture(scope="module", params=["Maximize", "Minimize"])
def tuned(request: pytest.FixtureRequest, emulator: RunningEmulator) -> tuple[SageMaker, dict[str, Any]]:
    """A completed tuning job with three training jobs: the helper with which it was created, and its description."""
    sagemaker = SageMaker.create(emulator)
    job = wait_for_tuning(sagemaker, tune(sagemaker, direction=request.param, jobs=3))
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    return sagemaker, job


def test_best_training_job_has_the_best_objective(tuned: tuple[SageMaker, dict[str, Any]]) -> None:
    # GIVEN
    sagemaker, job = tuned
    objective = job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    choose = max if objective["Type"] == "Maximize" else min

    # WHEN
    training_jobs = list_training_jobs(sagemaker, job["HyperParameterTuningJobName"])

    # THEN the objective of each training job is its rate, and the best one is the best training job
    assert len(training_jobs) == 3
    assert all(float(each["TunedHyperParameters"]["rate"]) == pytest.approx(score(each)) for each in training_jobs)
    best = job["BestTrainingJob"]
    assert best["TrainingJobName"] == choose(training_jobs, key=score)["TrainingJobName"]
    assert score(best) == choose(map(score, training_jobs))
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == 3
    trained = sagemaker.describe_training(best["TrainingJobName"])
    assert trained["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert trained["ModelArtifacts"]["S3ModelArtifacts"]


def test_training_jobs_have_the_tags_of_the_tuning_job(tuned: tuple[SageMaker, dict[str, Any]]) -> None:
    sagemaker, described = tuned
    for job in list_training_jobs(sagemaker, described["HyperParameterTuningJobName"]):
        assert sagemaker.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == TAGS


def test_training_jobs_are_sorted_filtered_and_paginated(tuned: tuple[SageMaker, dict[str, Any]]) -> None:
    # GIVEN
    sagemaker, job = tuned
    name = job["HyperParameterTuningJobName"]
    values = [score(each) for each in list_training_jobs(sagemaker, name, SortBy="CreationTime", SortOrder="Ascending")]

    # WHEN, THEN
    by_value = list_training_jobs(sagemaker, name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [score(each) for each in by_value] == sorted(values, reverse=True)
    assert list_training_jobs(sagemaker, name, StatusEquals="Failed") == []
    pages = sagemaker.client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending", MaxResults=2
    )
    assert [[score(each) for each in page["TrainingJobSummaries"]] for page in pages] == [
        values[:2],
        values[2:],
    ]


def test_number_of_parallel_training_jobs_is_limited(sagemaker: SageMaker) -> None:
    # GIVEN
    name = tune(sagemaker, jobs=3, parallel=2, static={"wait": "0.5"})

    # WHEN
    most_jobs = 0
    while describe(sagemaker, name)["HyperParameterTuningJobStatus"] == "InProgress":
        most_jobs = max(most_jobs, len(list_training_jobs(sagemaker, name, StatusEquals="InProgress")))

    # THEN
    assert most_jobs == 2
    assert len(list_training_jobs(sagemaker, name)) == 3


def test_grid_search_tries_every_value_and_ignores_failed_jobs(sagemaker: SageMaker) -> None:
    # WHEN one of three values makes the training job fail
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad", "short", "longer"]}]}
    job = wait_for_tuning(sagemaker, tune(sagemaker, jobs=9, strategy="Grid", ranges=ranges))

    # THEN
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "longer"}

    # AND jobs without a value of the metric are not listed if the list is sorted by this value
    by_value = list_training_jobs(sagemaker, job["HyperParameterTuningJobName"], SortBy="FinalObjectiveMetricValue")
    assert [each["TunedHyperParameters"]["kind"] for each in by_value] == ["short", "longer"]


def test_tuning_job_fails_if_all_its_training_jobs_fail(sagemaker: SageMaker) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad"]}]}

    job = wait_for_tuning(sagemaker, tune(sagemaker, jobs=1, parallel=1, ranges=ranges))

    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert "No training job succeeded" in job["FailureReason"]


def test_stopping_a_tuning_job_stops_its_training_jobs(sagemaker: SageMaker) -> None:
    # GIVEN
    name = tune(sagemaker, static={"wait": "50"})
    eventually(lambda: len(list_training_jobs(sagemaker, name, StatusEquals="InProgress")) == 2)

    # WHEN
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    # THEN
    assert wait_for_tuning(sagemaker, name)["HyperParameterTuningJobStatus"] == "Stopped"
    assert [each["TrainingJobStatus"] for each in list_training_jobs(sagemaker, name)] == ["Stopped", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metric": "other"}, "objective metric other is not defined"),
        ({"jobs": 1, "parallel": 2}, "must not be greater"),
        ({"ranges": {"ContinuousParameterRanges": [{**RATE, "MaxValue": "0.1"}]}}, "must be less"),
        ({"static": {"classes": "x" * 2501}}, "'trainingJobDefinition.staticHyperParameters' .* equal to 2500"),
    ],
    ids=["metric", "parallel", "range", "long value"],
)
def test_invalid_tuning_job_is_refused(sagemaker: SageMaker, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        tune(sagemaker, **changes)
