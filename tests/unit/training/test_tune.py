"""The hyperparameter search of `make tune`: its request, its fingerprint, and its best model."""

import argparse
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from scripts import tune as command
from scripts.command.environment import Environment
from scripts.command.training_options import make_training_request
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.training.staged import MANIFEST, FakeS3
from training import tuning
from training.job_config import TrainingRequest
from training.tuning import Search, plan_search, search_fingerprint, tune, with_hyperparameters


def make_environment(*arguments: str, **changes: Any) -> Any:
    """Return the environment of `make tune`.

    Parameters
    ----------
    arguments : command-line arguments
    changes : further attributes of the environment
    """
    parser = argparse.ArgumentParser()
    command.options(parser)
    options = parser.parse_args(arguments)
    return SimpleNamespace(
        stack=make_stack(),
        configured_classes=make_stack().classes,
        options=options,
        client=lambda service: FakeS3(MANIFEST),
        **changes,
    )


def make_request(*arguments: str) -> TrainingRequest:
    """Return the training request that `make tune` makes from its command-line arguments."""
    environment = make_environment(*arguments)
    return make_training_request(environment)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--jobs", "2", "--parallel", "3"], r"PARALLEL must be at most the number of jobs, JOBS=2 \(got 3\)"),
        (["--set", "learning_rate=0.001 weight_decay=0"], "nothing to tune: SET fixes learning_rate, weight_decay"),
    ],
    ids=["more parallel than jobs", "all hyperparameters fixed"],
)
def test_impossible_search_is_rejected(arguments: list[str], reason: str) -> None:
    environment: Environment = make_environment(*arguments)

    with pytest.raises(OperatorError, match=reason):
        command.main(environment)


def test_best_model_has_the_fingerprint_of_a_training_job_with_its_hyperparameters() -> None:
    # GIVEN
    tuned = {"learning_rate": "0.002", "weight_decay": "0.01"}

    # WHEN a search finds these hyperparameters, and a training job sets them
    best = with_hyperparameters(make_request(), tuned)
    trained = make_request("--set", " ".join(f"{name}={value}" for name, value in tuned.items()))

    # THEN
    assert best.fingerprint == trained.fingerprint
    assert best.hyperparameters == trained.hyperparameters


class FakeSageMaker:
    """A tuning job with three training jobs, of which two have an objective metric."""

    def describe_training_job(self, **_: str) -> dict[str, Any]:
        return {
            "TrainingJobName": "best",
            "TrainingJobArn": "arn",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
            "FinalMetricDataList": [{"MetricName": "validation:accuracy", "Value": 0.5}],
        }

    def get_paginator(self, _: str) -> "FakeSageMaker":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        with_metric = {"FinalHyperParameterTuningJobObjectiveMetric": {"Value": 0.5}}
        return [{"TrainingJobSummaries": [with_metric, {}]}, {"TrainingJobSummaries": [with_metric]}]


def test_best_of_counts_only_jobs_with_an_objective_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(tuning, "find_tuning", lambda *_, **__: "search")
    monkeypatch.setattr(tuning, "follow_tuning", lambda *_, **__: ("best", {}))

    # WHEN
    _, job = tune(make_request(), Search((), jobs=3, parallel=1), sagemaker=FakeSageMaker(), s3=None)

    # THEN
    assert job.best_of == 2


def test_interruption_says_that_the_tuning_job_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an operator who presses Ctrl-C while the command follows a tuning job
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    sagemaker: Any = FakeSageMaker()
    monkeypatch.setattr(tuning, "find_tuning", lambda *_, **__: "some-job")
    monkeypatch.setattr(tuning, "follow_tuning", interrupt)

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt, match="tuning job some-job continues and is billed until it ends"):
        tuning.tune(make_request(), Search((), 1, 1), sagemaker=sagemaker, s3=None)


def test_fingerprint_depends_on_request_ranges_and_jobs_but_not_on_parallelism() -> None:
    request = make_request()
    ranges = tuple(request.algorithm.ranges(request.hyperparameters))

    fingerprints = {
        search_fingerprint(request, Search(ranges, 6, 2)),
        search_fingerprint(request, Search(ranges, 7, 2)),
        search_fingerprint(request, Search(ranges[:1], 6, 2)),
        search_fingerprint(make_request("--set", "epochs=3"), Search(ranges, 6, 2)),
    }

    assert len(fingerprints) == 4
    assert search_fingerprint(request, Search(ranges, 6, 1)) in fingerprints


def test_search_has_no_ranges_for_fixed_hyperparameters() -> None:
    request = make_request()
    fixed = {"learning_rate": "0.001"}

    searched = {each.name for each in plan_search(request, fixed, jobs=2, parallel=1).ranges}

    assert searched == {each.name for each in request.algorithm.ranges(request.hyperparameters)} - set(fixed)


def test_best_model_that_was_rejected_before_is_not_registered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a search whose best model has the fingerprint of a rejected version
    best = with_hyperparameters(make_request(), {"learning_rate": "0.002", "weight_decay": "0.01"})
    rejected = make_version(1, status="Rejected", properties={"fingerprint": best.fingerprint})
    registry = SimpleNamespace(versions=lambda: [rejected])
    monkeypatch.setattr(command, "tune", lambda *_, **__: (best, None))
    monkeypatch.setattr(command, "promote", lambda *_, **__: pytest.fail("the model was registered again"))

    # WHEN / THEN
    with pytest.raises(OperatorError, match="is rejected"):
        command.main(make_environment(model_registry=registry))
