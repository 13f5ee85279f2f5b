"""A tuning job is found, followed to its end, and names the best of its training jobs."""

from collections.abc import Iterator
from typing import Any

import pytest

from training import tuning as module
from training.algorithms import Range
from training.launch import FINGERPRINT
from training.tuning import OBJECTIVE, TuningFailedError, find_tuning, follow_tuning, make_name, shortened, stem


class FakeSageMaker:
    """A tuning job that is one look further each time it is described.

    Parameters
    ----------
    looks
        What is seen of its training jobs, the oldest first: None while one runs, else its objective.
    """

    def __init__(self, *looks: tuple[float | None, ...], status: str = "Completed", **last: Any) -> None:
        self._looks, self._asked, self._status, self._last = looks, 0, status, last

    def describe_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        self._asked = min(self._asked + 1, len(self._looks))
        ended = self._asked == len(self._looks)
        return {
            "HyperParameterTuningJobStatus": self._status if ended else "InProgress",
            **(self._last if ended else {}),
        }

    def get_paginator(self, operation: str) -> "FakeSageMaker":
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Ascending")
        for number, value in enumerate(self._looks[self._asked - 1], start=1):
            yield {"TrainingJobSummaries": [summary(number, value)]}


def summary(number: int, value: float | None) -> dict[str, Any]:
    ended = {} if value is None else {OBJECTIVE: {"MetricName": "validation_accuracy", "Value": value}}
    return {
        "TrainingJobName": f"job-{number:03d}",
        "TrainingJobStatus": "InProgress" if value is None else "Completed",
        "TunedHyperParameters": {"learning_rate": "0.00123456"},
        **ended,
    }


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def test_jobs_are_told_once_each_by_their_own_number_in_whatever_order_they_end() -> None:
    # GIVEN the second ends first
    best = {"TrainingJobName": "job-002", "TunedHyperParameters": {"learning_rate": "0.01"}}
    sagemaker = FakeSageMaker((None, 0.94), (0.5, 0.94), BestTrainingJob=best)
    said: list[str] = []

    # WHEN
    found = follow_tuning("tuning", sagemaker=sagemaker, say=said.append)

    # THEN
    assert found == ("job-002", {"learning_rate": "0.01"})
    assert [line.split() for line in said] == [
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
    ids=["failed", "stopped by a person", "no best"],
)
def test_a_job_without_a_model_says_why(status: str, last: dict[str, Any], reason: str) -> None:
    sagemaker = FakeSageMaker((0.5,), status=status, **last)

    with pytest.raises(TuningFailedError, match=reason):
        follow_tuning("tuning", sagemaker=sagemaker, say=lambda line: None)


class FakeListing:
    """Tuning jobs by name: status and fingerprint."""

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


def test_only_a_living_or_completed_job_for_the_same_search_is_taken_up() -> None:
    jobs = FakeListing(other=("Completed", "b"), failed=("Failed", "a"), same=("InProgress", "a"))

    assert find_tuning("scones", "a", sagemaker=jobs) == "same"
    assert find_tuning("scones", "c", sagemaker=jobs) is None


def test_a_range_becomes_the_kind_of_parameter_that_it_is() -> None:
    parameters = [
        module.as_parameter(each)
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


def test_numbers_are_shortened_and_texts_are_not() -> None:
    assert shortened("0.000123456") == "0.0001235"
    assert shortened("rmsprop") == "rmsprop"


def test_a_name_fits_the_service_and_is_found_again() -> None:
    # GIVEN the longest name of an environment
    job = "scones-abcdefghij-vehicles"

    # WHEN
    names = {make_name(job) for _ in range(50)}

    # THEN
    assert len(names) > 1
    for name in names:
        assert len(name) <= 32
        assert name.startswith(stem(job))
