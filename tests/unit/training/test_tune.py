"""A search is refused where there is nothing to search, and its best model is known as if it had been trained alone."""

import argparse
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from scripts import train
from scripts import tune as module
from scripts.command import Environment, make_training_request
from scripts.train import TrainingError
from tests.unit.registry.versions import make_version
from tests.unit.stacks import make_stack
from tests.unit.training.staged import MANIFEST, FakeS3
from training.errors import TrainingRequestError
from training.job_config import TrainingRequest


@pytest.fixture
def _staged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeS3(MANIFEST))


def asked(*arguments: str) -> Any:
    """An environment whose person asked so."""
    parser = argparse.ArgumentParser()
    module.options(parser)
    return SimpleNamespace(stack=make_stack(), options=parser.parse_args(arguments), client=boto3.client)


def assigned(*arguments: str) -> TrainingRequest:
    environment = asked(*arguments)
    return make_training_request(environment)


@pytest.mark.usefixtures("_staged")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--jobs", "2", "--parallel", "3"], "3 training jobs at once of 2 in all"),
        (["--parallel", "0"], "0 training jobs at once"),
        (["--set", "learning_rate=0.001", "weight_decay=0"], "leave something to tune"),
    ],
    ids=["more at once than in all", "none", "all set"],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_started(arguments: list[str], reason: str) -> None:
    environment: Environment = asked(*arguments)

    with pytest.raises(TrainingRequestError, match=reason):
        module.main(environment)


@pytest.mark.usefixtures("_staged")
def test_what_a_search_found_has_the_fingerprint_of_a_job_with_these_settings() -> None:
    # GIVEN
    found = {"learning_rate": "0.002", "weight_decay": "0.01"}

    # WHEN
    best = module.with_settings(assigned(), found)
    alone = assigned("--set", *(f"{name}={value}" for name, value in found.items()))

    # THEN
    assert best.fingerprint == alone.fingerprint
    assert best.hyperparameters == alone.hyperparameters


class FakeSearch:
    """A tuning job of three training jobs, one of which failed before it had a figure."""

    def describe_training_job(self, **_: str) -> dict[str, Any]:
        return {
            "TrainingJobName": "best",
            "TrainingJobArn": "arn",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"},
            "FinalMetricDataList": [{"MetricName": "validation:accuracy", "Value": 0.5}],
        }

    def get_paginator(self, _: str) -> "FakeSearch":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        figure = {"FinalHyperParameterTuningJobObjectiveMetric": {"Value": 0.5}}
        return [{"TrainingJobSummaries": [figure, {}]}, {"TrainingJobSummaries": [figure]}]


def test_the_best_of_a_search_knows_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeS3(MANIFEST))
    assignment = assigned()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: FakeSearch())
    monkeypatch.setattr(module, "find_tuning", lambda *_, **__: "search")
    monkeypatch.setattr(module, "follow_tuning", lambda *_, **__: ("best", {}))

    # WHEN
    job, _ = module.tune(assignment, [], jobs=3, parallel=1)

    # THEN
    assert job.best_of == 2


@pytest.mark.usefixtures("_staged")
def test_another_search_has_another_name() -> None:
    assignment = assigned()
    ranges = assignment.algorithm.ranges(assignment.hyperparameters)

    names = {
        module.name_tuning(assignment, ranges, 6),
        module.name_tuning(assignment, ranges, 7),
        module.name_tuning(assignment, ranges[:1], 6),
        module.name_tuning(assigned("--set", "epochs=3"), ranges, 6),
    }

    assert len(names) == 4


@pytest.mark.usefixtures("_staged")
def test_a_search_that_finds_what_was_rejected_brings_it_not_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    found = {"learning_rate": "0.002", "weight_decay": "0.01"}
    fingerprint = module.with_settings(assigned(), found).fingerprint
    rejected = make_version(1, status="Rejected", properties={"fingerprint": fingerprint})
    monkeypatch.setattr(module, "read_versions", lambda *_: [rejected])
    monkeypatch.setattr(module, "tune", lambda *_: (None, found))
    monkeypatch.setattr(train, "model_in_use", lambda *_: None)
    monkeypatch.setattr(module, "adopt", lambda *_: pytest.fail("it was registered again"))

    # WHEN / THEN
    with pytest.raises(TrainingError, match="is rejected"):
        module.main(asked())
