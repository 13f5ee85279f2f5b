"""Hyperparameter tuning jobs: following them, finding an earlier one, and their parameters and names."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.errors import OperatorError
from training import tuning
from training.algorithms import Range
from training.launch import FINGERPRINT
from training.tuning import OBJECTIVE, find_tuning, follow_tuning, name_prefix, shorten, to_parameter, unique_name


class FakeSageMaker:
    """SageMaker with a tuning job that advances with each poll.

    Parameters
    ----------
    polls : for each poll, the objective metric of each training job, oldest job first; None while the job runs
    status : status of the tuning job at the last poll
    last : further fields of the tuning job's description at the last poll
    """

    def __init__(self, *polls: tuple[float | None, ...], status: str = "Completed", **last: Any) -> None:
        self._polls, self._count, self._status, self._last = polls, 0, status, last

    def describe_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        self._count = min(self._count + 1, len(self._polls))
        is_last = self._count == len(self._polls)
        return {
            "HyperParameterTuningJobStatus": self._status if is_last else "InProgress",
            **(self._last if is_last else {}),
        }

    def get_paginator(self, operation: str) -> "FakeSageMaker":
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Ascending")
        for number, value in enumerate(self._polls[self._count - 1], start=1):
            yield {"TrainingJobSummaries": [summarize_job(number, value)]}


def summarize_job(number: int, value: float | None) -> dict[str, Any]:
    """Return SageMaker's summary of a training job.

    Parameters
    ----------
    value : objective metric of the job, or None if the job is running
    """
    objective = {} if value is None else {OBJECTIVE: {"MetricName": "validation_accuracy", "Value": value}}
    return {
        "TrainingJobName": f"job-{number:03d}",
        "TrainingJobStatus": "InProgress" if value is None else "Completed",
        "TunedHyperParameters": {"learning_rate": "0.00123456"},
        **objective,
    }


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between polls."""
    monkeypatch.setattr(tuning, "POLL_SECONDS", 0)


def test_each_training_job_is_reported_once_when_it_ends() -> None:
    # GIVEN two training jobs, of which the second ends first and has the better objective metric
    best = {"TrainingJobName": "job-002", "TunedHyperParameters": {"learning_rate": "0.01"}}
    sagemaker = FakeSageMaker((None, 0.94), (0.5, 0.94), BestTrainingJob=best)
    lines: list[str] = []

    # WHEN
    found = follow_tuning("tuning", sagemaker=sagemaker, report=lines.append)

    # THEN
    assert found == ("job-002", {"learning_rate": "0.01"})
    assert [line.split() for line in lines] == [
        ["2", "0.940", "learning_rate=0.001235"],
        ["1", "0.500", "learning_rate=0.001235"],
    ]


@pytest.mark.parametrize(
    ("status", "last", "reason"),
    [
        ("Failed", {"FailureReason": "No training job succeeded"}, "No training job succeeded"),
        ("Stopped", {"BestTrainingJob": {"TrainingJobName": "job-001", "TunedHyperParameters": {}}}, "Stopped"),
        ("Completed", {}, "Completed"),
    ],
    ids=["failed", "stopped", "no best training job"],
)
def test_unsuccessful_tuning_job_is_an_error_with_the_reason(status: str, last: dict[str, Any], reason: str) -> None:
    sagemaker = FakeSageMaker((0.5,), status=status, **last)

    with pytest.raises(OperatorError, match=reason):
        follow_tuning("tuning", sagemaker=sagemaker, report=lambda line: None)


class FakeListing:
    """SageMaker with tuning jobs.

    Parameters
    ----------
    jobs : status and fingerprint of each tuning job, by name
    """

    def __init__(self, **jobs: tuple[str, str]) -> None:
        self._jobs = jobs

    def list_hyper_parameter_tuning_jobs(self, **request: Any) -> dict[str, Any]:
        return {
            "HyperParameterTuningJobSummaries": [
                {"HyperParameterTuningJobName": name, "HyperParameterTuningJobStatus": status}
                for name, (status, _) in self._jobs.items()
            ]
        }

    def describe_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        _, fingerprint = self._jobs[request["HyperParameterTuningJobName"]]
        return {"TrainingJobDefinition": {"Environment": {FINGERPRINT: fingerprint}}}


def test_running_or_completed_tuning_job_with_the_same_fingerprint_is_found() -> None:
    jobs = FakeListing(other=("Completed", "b"), failed=("Failed", "a"), same=("InProgress", "a"))

    assert find_tuning("scones", "a", sagemaker=jobs) == "same"
    assert find_tuning("scones", "c", sagemaker=jobs) is None


def test_each_kind_of_range_becomes_the_sdk_parameter_of_its_kind() -> None:
    parameters = [
        to_parameter(each)
        for each in (
            Range("rate", 0.1, 0.2),
            Range("size", 16, 64, whole=True),
            Range("optimizer", values=("sgd", "adam")),
        )
    ]

    assert [type(each).__name__ for each in parameters] == [
        "ContinuousParameter",
        "IntegerParameter",
        "CategoricalParameter",
    ]


def test_numbers_are_shortened_to_four_digits_and_text_is_kept() -> None:
    assert shorten("0.000123456") == "0.0001235"
    assert shorten("rmsprop") == "rmsprop"


def test_names_of_tuning_jobs_differ_and_have_at_most_32_characters() -> None:
    # GIVEN the longest name that an environment can have
    job = "scones-abcdefghij-vehicles"

    # WHEN
    names = {unique_name(job) for _ in range(50)}

    # THEN
    assert len(names) > 1
    for name in names:
        assert len(name) <= 32
        assert name.startswith(name_prefix(job))
