"""Promotion of a trained model: quality gate, registration and approval."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.errors import OperatorError
from registry import promotion
from registry.comparison import Score
from registry.model_registry import RegistrationRequest, Version
from registry.promotion import is_registered, promote
from registry.quality_gate import GateResult
from tests.unit.registry.versions import make_version
from tests.unit.staging.manifests import make_manifest
from training.follow import TrainingJob

JOB = TrainingJob("vehicles-1", "arn:job", "s3://bucket/models/vehicles-1/output/model.tar.gz", 60, {"epochs": []})
MANIFEST = make_manifest()


class FakeRegistry:
    """A model registry that records registrations and approvals."""

    environment = "local"

    def __init__(self, *versions: Version, in_use: str | None = None) -> None:
        self._versions, self._in_use = list(versions), in_use
        self.registered: list[RegistrationRequest] = []
        self.approved: list[str] = []

    def versions(self) -> list[Version]:
        return self._versions

    def arn_in_use(self) -> str | None:
        return self._in_use

    def register(self, request: RegistrationRequest, *, s3: Any) -> str:
        self.registered.append(request)
        return "arn:package/2"

    def approve(self, arn: str, reason: str) -> None:
        self.approved.append(arn)


class FakeGate:
    """A quality gate that always passes, or always fails."""

    s3 = None

    def __init__(self, passed: bool) -> None:
        self._result = GateResult(passed, "good enough" if passed else "below the minimum")
        self.in_use: Version | None = None

    def check(self, job: TrainingJob, manifest: Any, in_use: Version | None) -> tuple[Score, GateResult]:
        self.in_use = in_use
        return Score(95, 100, "images"), self._result


@pytest.fixture
def request_(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A training request; after the test, the fixture checks that its checkpoints were deleted exactly once."""
    deleted: list[Any] = []
    monkeypatch.setattr(promotion, "read_validation_predictions", lambda url, *, s3: None)
    monkeypatch.setattr(promotion, "delete_checkpoints", lambda *arguments, **_: deleted.append(arguments))
    yield SimpleNamespace(
        algorithm=SimpleNamespace(name="pytorch", scripted=True),
        config=SimpleNamespace(
            bucket="bucket", image="image:1", instance_type="ml.m5.xlarge", instance_count=1, bundle_packages=False
        ),
        fingerprint="abc",
        hyperparameters={"epochs": "2"},
        manifest=MANIFEST,
        serving_image="serving:1",
    )
    assert len(deleted) == 1


def run(request: Any, registry: Any, gate: Any, directory: Path, *, automatic: bool) -> dict[str, Any]:
    """Promote a model, check its entry in the history, and return the content of `training.json`."""
    history: list[Any] = []
    try:
        promote(
            request,
            JOB,
            registry,
            gate,
            automatic=automatic,
            directory=directory,
            append_history=lambda kind, figures, *, model: history.append((kind, model, figures)),
        )
    finally:
        metrics: dict[str, Any] = json.loads((directory / "training.json").read_text())
        ((kind, model, figures),) = history
        assert (kind, model, figures["accuracy"], figures["n"]) == ("training", "v2", 0.95, 100)
        assert figures["passed"] == metrics["quality_gate"]["passed"]
    return metrics


def test_model_that_passes_is_approved_automatically(request_: Any, tmp_path: Path) -> None:
    # GIVEN
    version = make_version(1)
    registry, gate = FakeRegistry(version, in_use=version.arn), FakeGate(passed=True)

    # WHEN
    metrics = run(request_, registry, gate, tmp_path, automatic=True)

    # THEN
    (registered,) = registry.registered
    assert gate.in_use == version
    assert (registered.status, registered.reason) == ("PendingManualApproval", "good enough")
    assert (registered.image, registered.scripted, registered.brings_packages) == ("serving:1", True, False)
    assert registered.properties["fingerprint"] == "abc"
    assert registry.approved == ["arn:package/2"]
    assert metrics["model_package_arn"] == "arn:package/2"
    assert metrics["quality_gate"] == {"passed": True, "reason": "good enough"}
    assert metrics["validation"]["accuracy"] == 0.95


def test_gate_is_repeated_if_another_model_is_put_into_use_during_the_check(
    request_: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an operator who puts v2 into use during the first check
    first, second = make_version(1), make_version(2)
    registry = FakeRegistry(first, second, in_use=first.arn)
    compared: list[Version | None] = []

    class SlowGate(FakeGate):
        def check(self, job: TrainingJob, manifest: Any, in_use: Version | None) -> tuple[Score, GateResult]:
            compared.append(in_use)
            registry._in_use = second.arn
            return super().check(job, manifest, in_use)

    # WHEN
    run(request_, registry, SlowGate(passed=True), tmp_path, automatic=True)

    # THEN
    assert compared == [first, second]
    assert "another model was put into use meanwhile" in capsys.readouterr().out


def test_model_that_passes_is_pending_without_automatic_approval(
    request_: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    registry = FakeRegistry()

    # WHEN
    run(request_, registry, FakeGate(passed=True), tmp_path, automatic=False)

    # THEN
    assert registry.approved == []
    assert "pending manual approval: run `make approve ENV=local`" in capsys.readouterr().out


def test_model_that_fails_is_registered_as_rejected(request_: Any, tmp_path: Path) -> None:
    # GIVEN
    registry = FakeRegistry()

    # WHEN
    with pytest.raises(OperatorError, match="is rejected: below the minimum"):
        run(request_, registry, FakeGate(passed=False), tmp_path, automatic=True)

    # THEN
    assert [request.status for request in registry.registered] == ["Rejected"]
    assert registry.approved == []


@pytest.mark.parametrize("in_use", [True, False])
def test_model_with_the_same_fingerprint_is_not_trained_again(in_use: bool, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    version = make_version(1, properties={"fingerprint": "abc"})
    registry: Any = FakeRegistry(version, in_use=version.arn if in_use else None)

    # WHEN / THEN
    assert is_registered(registry, "abc")
    assert ("make approve MODEL=1 ENV=local" in capsys.readouterr().out) is not in_use
    assert not is_registered(registry, "other")


def test_rejected_model_with_the_same_fingerprint_is_an_error() -> None:
    registry: Any = FakeRegistry(make_version(1, "Rejected", properties={"fingerprint": "abc"}, approval_reason="bad"))
    with pytest.raises(OperatorError, match="v1 has the same data, code and hyperparameters, and is rejected: bad"):
        is_registered(registry, "abc")
