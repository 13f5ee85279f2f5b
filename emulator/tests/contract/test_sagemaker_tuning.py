"""Tuning jobs: training jobs side by side, each with what the search suggests, and the best of them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .functions import unique
from .sagemaker_parts import (
    ENDED,
    ROLE,
    SageMaker,
    make_archive,
    make_sagemaker,  # noqa: F401 (the fixture `sagemaker`)
)
from .waiting import eventually

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
RATE = {"Name": "rate", "MinValue": "0.1", "MaxValue": "0.9"}


def tune(sagemaker: SageMaker, *, jobs: int = 4, parallel: int = 2, **changes: Any) -> str:
    """Start a tuning job of the script; its name."""
    name = unique("tuning")[:32]
    code = sagemaker.put(f"{name}/code.tar.gz", make_archive({"train.py": SCRIPT}))
    static = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"{code}"'}
    sagemaker.client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": changes.get("strategy", "Random"),
            "RandomSeed": 3,
            "HyperParameterTuningJobObjective": {
                "Type": changes.get("kind", "Maximize"),
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
    )
    return name


def describe(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    found: dict[str, Any] = sagemaker.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return found


def ended(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        found = describe(sagemaker, name)
        return found if found["HyperParameterTuningJobStatus"] in ENDED else {}

    return eventually(look, seconds=60)


def jobs_of(sagemaker: SageMaker, name: str, **request: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = sagemaker.client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **request
    )["TrainingJobSummaries"]
    return listed


def value(summary: dict[str, Any]) -> float:
    found: float = summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return found


@pytest.mark.parametrize(("kind", "choose"), [("Maximize", max), ("Minimize", min)])
def test_the_best_job_is_the_best(sagemaker: SageMaker, kind: str, choose: Any) -> None:
    # WHEN
    name = tune(sagemaker, kind=kind)
    job = ended(sagemaker, name)

    # THEN
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    found = jobs_of(sagemaker, name)
    assert len(found) == 4
    assert all(float(each["TunedHyperParameters"]["rate"]) == pytest.approx(value(each)) for each in found)
    best = job["BestTrainingJob"]
    assert best["TrainingJobName"] == choose(found, key=value)["TrainingJobName"]
    assert value(best) == choose(map(value, found))
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == 4
    trained = sagemaker.job(best["TrainingJobName"])
    assert trained["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert trained["ModelArtifacts"]["S3ModelArtifacts"]


def test_jobs_are_listed_as_asked(sagemaker: SageMaker) -> None:
    # GIVEN
    name = tune(sagemaker)
    ended(sagemaker, name)
    values = [value(each) for each in jobs_of(sagemaker, name, SortBy="CreationTime", SortOrder="Ascending")]

    # WHEN, THEN
    best_first = jobs_of(sagemaker, name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [value(each) for each in best_first] == sorted(values, reverse=True)
    assert jobs_of(sagemaker, name, StatusEquals="Failed") == []
    pages = sagemaker.client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending", MaxResults=3
    )
    assert [[value(each) for each in page["TrainingJobSummaries"]] for page in pages] == [values[:3], values[3:]]


def test_no_more_jobs_run_at_once_than_may(sagemaker: SageMaker) -> None:
    # GIVEN
    name = tune(sagemaker, jobs=3, parallel=2, static={"wait": "1"})

    # WHEN
    most = 0
    while describe(sagemaker, name)["HyperParameterTuningJobStatus"] == "InProgress":
        most = max(most, len(jobs_of(sagemaker, name, StatusEquals="InProgress")))

    # THEN
    assert most == 2
    assert len(jobs_of(sagemaker, name)) == 3


def test_a_grid_ends_when_all_is_tried_and_a_failed_job_is_not_the_best(sagemaker: SageMaker) -> None:
    # WHEN
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad", "short", "longer"]}]}
    job = ended(sagemaker, tune(sagemaker, jobs=9, strategy="Grid", ranges=ranges))

    # THEN
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "longer"}


def test_a_search_without_a_good_job_fails(sagemaker: SageMaker) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad"]}]}

    job = ended(sagemaker, tune(sagemaker, jobs=1, parallel=1, ranges=ranges))

    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert "No training job succeeded" in job["FailureReason"]


def test_a_search_that_is_stopped_stops_its_jobs(sagemaker: SageMaker) -> None:
    # GIVEN
    name = tune(sagemaker, static={"wait": "50"})
    eventually(lambda: len(jobs_of(sagemaker, name, StatusEquals="InProgress")) == 2)

    # WHEN
    sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    # THEN
    assert ended(sagemaker, name)["HyperParameterTuningJobStatus"] == "Stopped"
    assert [each["TrainingJobStatus"] for each in jobs_of(sagemaker, name)] == ["Stopped", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metric": "other"}, "objective metric other is none of those"),
        ({"jobs": 1, "parallel": 2}, "must not be greater"),
        ({"ranges": {"ContinuousParameterRanges": [{**RATE, "MaxValue": "0.1"}]}}, "must be less"),
    ],
    ids=["metric", "parallel", "range"],
)
def test_a_search_that_cannot_be_is_refused(sagemaker: SageMaker, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        tune(sagemaker, **changes)
